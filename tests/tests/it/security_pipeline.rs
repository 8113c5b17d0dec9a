//! A validator with a real key that does everything wrong. For longer: `tests campaign traitor`.

use std::{path::PathBuf, time::Duration};

use tests::campaigns::{Settings, Treason, traitor};

/// On a machine that is busy with other tests.
const GAP: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_honest_validators_go_on_beside_a_traitor_and_keep_the_proof() {
    let settings = Settings {
        program: PathBuf::from(env!("CARGO_BIN_EXE_axolotl-under-test")),
        validators: 4,
        // Ports come from it, and all tests run at once.
        seed: rand::random(),
        block_interval: Duration::from_millis(50),
        empty_block_interval: Duration::from_millis(50),
        settings: Vec::new(),
        keep: false,
    };
    let report = traitor(&settings, Treason { rounds: 1, gap: GAP }).await.unwrap();
    println!("{}", report.table());
    assert_eq!(report.failures(), [] as [String; 0]);
}
