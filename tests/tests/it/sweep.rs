//! A few cells of the sweep, which is a campaign: `tests campaign sweep`.

use std::{path::PathBuf, time::Duration};

use tests::campaigns::{Kind, Settings, Sweep, sweep};

async fn swept(kind: Kind, actors: &[&str]) {
    let settings = Settings {
        program: PathBuf::new(),
        validators: 4,
        // Ports come from it, and all tests run at once.
        seed: rand::random(),
        block_interval: Duration::from_millis(50),
        empty_block_interval: Duration::from_millis(50),
        settings: Vec::new(),
        keep: false,
    };
    let only = actors.iter().map(|actor| (*actor).to_owned()).collect();
    let report = sweep(&settings, &Sweep { rounds: 1, rate: 10, kinds: vec![kind], only, processes: false }).await.unwrap();
    println!("{}", report.table());
    assert_eq!(report.failures(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn the_chain_goes_on_and_nothing_is_lost_while_actors_block_their_threads_and_are_replaced() {
    swept(Kind::Block, &["consensus", "proposals"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn the_chain_goes_on_and_nothing_is_lost_while_exclusive_actors_fail() {
    swept(Kind::Error, &["storage", "signer"]).await;
}
