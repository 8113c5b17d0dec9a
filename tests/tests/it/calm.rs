//! A network at rest, and one whose peers come and go. The long forms are campaigns: `tests campaign soak`, `tests campaign leaks`.

use std::{path::PathBuf, time::Duration};

use tests::campaigns::{Settings, Soak, leaks, soak};

fn settings(validators: usize) -> Settings {
    Settings {
        program: PathBuf::from(env!("CARGO_BIN_EXE_axolotl-under-test")),
        validators,
        // Ports come from it, and all tests run at once.
        seed: rand::random(),
        block_interval: Duration::from_millis(100),
        empty_block_interval: Duration::from_millis(100),
        settings: Vec::new(),
        keep: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_two_nodes() {
    // A process that is given no time for seconds loses no session over it.
    let settings = Settings { settings: vec!["p2p.keepalive=10s".to_owned()], ..settings(2) };
    let report = soak(&settings, Soak { length: Duration::from_secs(4), blocks: 50 }).await.unwrap();
    println!("{}", report.table());
    assert_eq!(report.failures(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn peers_that_come_and_go_in_the_middle_of_everything_leave_nothing_behind() {
    let report = leaks(&settings(1), 100).await.unwrap();
    println!("{}", report.table());
    assert_eq!(report.failures(), [] as [String; 0]);
}
