//! Validators that do not reach each other for a while. The long form is a campaign: `tests campaign partitions`.

use std::{path::PathBuf, time::Duration};

use tests::{
    Carrier,
    campaigns::{Cut, Partitions, Settings, partitions},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn halves_stand_still_three_of_four_go_on_and_all_agree_when_they_reach_each_other_again() {
    let settings = Settings {
        program: PathBuf::from(env!("CARGO_BIN_EXE_axolotl-under-test")),
        validators: 4,
        // Ports come from it, and all tests run at once.
        seed: rand::random(),
        block_interval: Duration::from_millis(100),
        empty_block_interval: Duration::from_millis(100),
        settings: Vec::new(),
        keep: false,
    };
    let cuts = vec![Cut::Halves, Cut::One];
    let options = Partitions { cuts, rounds: 1, carrier: Some(Carrier::Proxies), length: Duration::from_secs(4) };
    let report = partitions(&settings, &options).await.unwrap();
    println!("{}", report.table());
    assert_eq!(report.failures(), [] as [String; 0]);
}
