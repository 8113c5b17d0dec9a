//! Hostile peers at one node of a live network, one after the other. All of them: `tests campaign adversarial`.

use std::{path::PathBuf, time::Duration};

use tests::campaigns::{Adversarial, Settings, adversarial};

/// On a machine that is busy with other tests.
const GAP: Duration = Duration::from_secs(20);
/// One of each kind that is over at once.
const ATTACKS: [&str; 16] = [
    "garbage",
    "endless-client-hello",
    "wrong-chain",
    "wrong-genesis",
    "reflected",
    "replayed",
    "own-identity",
    "compression-bomb",
    "oversize-frame",
    "endless-continuation",
    "endless-line",
    "nested-msgpack",
    "nested-json",
    "forged-validator",
    "bad-signatures",
    "same-key-twice",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hostile_peers_are_cut_counted_and_named_while_the_chain_goes_on() {
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
    let attacks = ATTACKS.map(str::to_owned).to_vec();
    let report = adversarial(&settings, &Adversarial { attacks, gap: GAP, returns: false }).await.unwrap();
    println!("{}", report.table());
    assert_eq!(report.failures(), [] as [String; 0]);
}
