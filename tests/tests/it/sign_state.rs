//! Disks that are older than what the key has signed, or damaged: the key stays silent where it may have spoken.
//!
//! The stories share a stage: two of four are stopped, so that the votes of the third at the height at hand are held by the
//! fourth and nothing is decided there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::testnet::{Testnet, eventually, secs};

/// A signature is the last one when it was that many looks ago.
const STEADY_LOOKS: usize = 15;
const LIMIT: std::time::Duration = secs(20);

/// Stops 1 and 2 and kills 3 when it has signed at the height where the chain then stands. Answers that height.
async fn stand_still(net: &mut Testnet) -> u64 {
    loop {
        let height = net.height().await + 2;
        net.stop_one(1).await;
        net.reach(height).within(LIMIT).await;
        net.validator(2).kill();
        let (height, step) = last_signature(net).await;
        if step == "prevote" {
            net.validator(3).kill();
            return height;
        }
        // With a precommit of 3 the others may decide the height when they are back: that proves nothing.
        net.validator(1).start();
        net.validator(2).start();
        net.reach(height + 2).within(LIMIT).await;
    }
}

/// Height and step that 3 has signed last, when nothing more can come.
async fn last_signature(net: &mut Testnet) -> (u64, String) {
    let validator = net.validator(3);
    let (mut before, mut times) = (None, 0);
    eventually("a signature at a height that cannot be decided", LIMIT, async || {
        let consensus = validator.health().await?["consensus"].take();
        let signed = &consensus["last_signed"];
        let at = signed["height"].as_u64().filter(|height| consensus["height"] == *height && consensus["power_online"] == 2);
        let now = Some((at?, signed["step"].as_str()?.to_owned()));
        times = if now == before { times + 1 } else { 0 };
        before = now;
        if times < STEADY_LOOKS { None } else { before.clone() }
    })
    .await
}

/// Starts 3 and 1: with 0 they are enough to answer each other, and enough to decide only if 3 signs. Waits until 3 says `code`.
async fn come_back(net: &mut Testnet, code: &str) {
    net.validator(3).start();
    net.validator(1).start();
    net.validator(3).says(code, LIMIT).await;
    assert!(net.validator(3).log().contains(code), "the log says nothing of {code}");
}

/// The chain stands at `height` until 2 is back as well; then 3 takes part above.
async fn all_is_well_again(net: &mut Testnet, height: u64) {
    for index in [0, 1, 3] {
        let at = net.validator(index).height().await.unwrap();
        assert!(at < height, "height {height} was decided with the signature of a key that must be silent there");
    }
    net.validator(2).start();
    net.reach(height + 12).within(LIMIT).await;
    let head = net.height().await;
    net.validator(3).signs_above(head, LIMIT).await;
    net.agree().await;
    net.is_honest().await;
    assert!(!net.validator(3).log().contains("panicked"), "{}", net.validator(3).log_tail());
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// The file in a directory of `data/alpha` whose name ends so and which was written last.
fn file(directory: PathBuf, ending: &str) -> PathBuf {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let modified = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    files.filter(|path| path.to_string_lossy().ends_with(ending)).max_by_key(modified).unwrap()
}

#[tokio::test]
async fn a_validator_restored_from_an_old_copy_signs_nothing_that_it_had_signed_otherwise() {
    let mut net = Testnet::of(4).paced("20ms", "20ms").start().await;
    net.stop_one(3).await;
    let (home, aside) = (net.validator(3).home.clone(), net.directory().join("copy"));
    copy(&home, &aside);
    net.validator(3).start();
    let later = net.height().await + 50;
    net.reach(later).within(secs(60)).await;
    let height = stand_still(&mut net).await;
    fs::remove_dir_all(&home).unwrap();
    copy(&aside, &home);
    come_back(&mut net, "E-SIGN-REGRESSED").await;
    all_is_well_again(&mut net, height).await;
}

#[tokio::test]
async fn a_damaged_journal_or_promise_keeps_the_key_silent_where_it_may_have_spoken() {
    let mut net = Testnet::of(4).start().await;
    type Damage = fn(&Path);
    let truncate: Damage = |path| fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap();
    let scribble: Damage = |path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[..64].fill(0xff);
        let half = bytes.len() / 2;
        bytes[4_096..half].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(path, bytes).unwrap();
    };
    let overwrite: Damage = |path| fs::write(path, vec![0x5a; fs::metadata(path).unwrap().len() as usize]).unwrap();
    let empty: Damage = |path| fs::write(path, []).unwrap();
    let remove: Damage = |path| fs::remove_file(path).unwrap();
    let cases = [
        // The others hold what the journal has lost.
        ("wal", ".wal", truncate, "E-SIGN-REGRESSED"),
        ("wal", ".wal", scribble, "E-SIGN-REGRESSED"),
        ("wal", ".wal", empty, "E-SIGN-REGRESSED"),
        ("wal", ".wal", remove, "E-SIGN-REGRESSED"),
        ("signing", ".promise", overwrite, "E-SIGN-PROMISE-DAMAGED"),
        ("signing", ".promise", empty, "E-SIGN-PROMISE-DAMAGED"),
        ("signing", ".promise", remove, "E-SIGN-PROMISE-DAMAGED"),
    ];
    for (directory, ending, damage, code) in cases {
        let height = stand_still(&mut net).await;
        let path = file(net.validator(3).data(directory), ending);
        println!("{} at height {height}, {code}", path.display());
        damage(&path);
        come_back(&mut net, code).await;
        net.validator(3).says(&format!("data/alpha/{directory}/"), LIMIT).await;
        all_is_well_again(&mut net, height).await;
    }
}

#[tokio::test]
async fn one_bad_slot_of_the_promise_is_mended_from_an_intact_journal() {
    let mut net = Testnet::of(4).start().await;
    let height = stand_still(&mut net).await;
    let path = file(net.validator(3).data("signing"), ".promise");
    let mut bytes = fs::read(&path).unwrap();
    bytes[..80].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    net.validator(3).start();
    net.validator(1).start();
    // It signs at this height: without it nothing can be decided.
    net.reach(height + 3).within(LIMIT).await;
    net.validator(3).signs_above(height, LIMIT).await;
    net.is_honest().await;
}

/// Ways to ruin the tip file beside the database.
const TIP_FILE_DAMAGE: [fn(&Path); 3] = [
    |path| fs::File::options().write(true).open(path).unwrap().set_len(50).unwrap(),
    |path| fs::write(path, [0x5a; 8_192]).unwrap(),
    |path| fs::remove_file(path).unwrap(),
];

#[tokio::test]
async fn a_database_that_cannot_be_believed_is_set_aside_and_rebuilt_from_peers() {
    let mut net = Testnet::of(4).start().await;
    for damage in TIP_FILE_DAMAGE {
        let height = net.height().await;
        net.validator(3).kill();
        damage(&net.validator(3).data("db/ledger.tip"));
        net.validator(3).start();
        net.validator(3).reach(height, LIMIT).await;
        let log = net.validator(3).log();
        assert!(log.contains("the database is set aside and rebuilt from peers") && log.contains("ledger"), "{log}");
        let head = net.height().await;
        net.validator(3).signs_above(head, LIMIT).await;
        net.agree().await;
    }
    let aside = fs::read_dir(net.validator(3).data("db")).unwrap().filter(|entry| entry.as_ref().unwrap().path().join("ledger").exists()).count();
    assert_eq!(aside, TIP_FILE_DAMAGE.len(), "nothing is deleted");
    net.is_honest().await;
}

#[tokio::test]
async fn a_lone_validator_never_gives_up_its_database_by_itself() {
    let mut net = Testnet::of(1).start().await;
    net.reach(10).within(LIMIT).await;
    net.stop_one(0).await;
    let path = net.validator(0).data("db/ledger.tip");
    let whole = fs::read(&path).unwrap();
    for damage in TIP_FILE_DAMAGE {
        damage(&path);
        net.validator(0).start();
        let ended = net.validator(0).ended(LIMIT).await;
        assert_eq!(ended.code(), Some(74), "{}", net.validator(0).log_tail());
        assert!(net.validator(0).log_tail().contains("set it aside and rebuild it"), "{}", net.validator(0).log_tail());
        fs::write(&path, &whole).unwrap();
    }
    for name in ["version", "keyspaces/0/current"] {
        let path = net.validator(0).data("db/ledger").join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        net.validator(0).start();
        let ended = net.validator(0).ended(LIMIT).await;
        let log = net.validator(0).log_tail();
        assert!(ended.code() == Some(74) && log.contains(&format!("its file {name} is missing")), "{log}");
        fs::write(&path, &whole).unwrap();
    }
    net.validator(0).start();
    net.reach(12).within(LIMIT).await;
}

#[tokio::test]
async fn a_validator_of_a_new_network_that_starts_late_signs_at_once() {
    let mut net = Testnet::of(4).paced("20ms", "20ms").make();
    (0..3).for_each(|index| net.validator(index).start());
    net.validator(0).reach(5, LIMIT).await;
    net.validator(3).start();
    net.validator(3).signs_above(5, LIMIT).await;
    assert!(!net.validator(3).log().contains("E-SIGN-NO-RECORD"), "{}", net.validator(3).log_tail());
    net.agree().await;
    net.is_honest().await;
}
