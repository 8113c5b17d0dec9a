//! Processes that stop, in order or not, and come back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::testnet::{Testnet, Transfer, eventually, secs};
use primitives::B256;
use rand::Rng;

/// Blocks that were reported as decided, by height.
type Reported = BTreeMap<u64, B256>;

/// Nobody may have the block that was reported at a height replaced by another.
async fn all_are_kept(net: &Testnet, reported: &Reported) {
    for validator in net.running() {
        for (height, hash) in reported {
            assert_eq!(validator.hash(*height).await, Some(*hash), "{} at {height}", validator.name);
        }
    }
}

/// Notes what everybody running reports as the latest block.
async fn look(net: &Testnet, reported: &mut Reported) {
    for validator in net.running() {
        let Some((height, hash)) = validator.head().await else { continue };
        assert_eq!(*reported.entry(height).or_insert(hash), hash, "{} at {height}", validator.name);
    }
}

async fn watch(net: &Testnet, reported: &mut Reported, time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        look(net, reported).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn restart_keeps_header_and_consensus_status() {
    let mut net = Testnet::of(4).start().await;
    let mut reported = Reported::new();
    for is_killed in [false, true] {
        let goal = net.height().await + 8;
        while net.height().await < goal {
            look(&net, &mut reported).await;
        }
        if is_killed {
            net.kill_all()
        } else {
            net.stop_all().await
        }
        let (known, _) = reported.last_key_value().unwrap();
        let known = *known;
        // Alone it decides nothing: what it shows is what it had.
        net.validator(0).start();
        let health = eventually("the first answer", secs(20), async || net.running().next()?.health().await).await;
        let height = health["blockchain"]["height"].as_u64().unwrap();
        assert!(known <= height + 1, "{known} was known, but it resumes at {height}");
        assert_eq!(health["consensus"]["height"], height + 1);
        let (head, _) = net.validator(0).head().await.unwrap();
        assert_eq!(head, height);
        (1..4).for_each(|index| net.validator(index).start());
        net.reach(known.max(height) + 3).within(secs(20)).await;
        all_are_kept(&net, &reported).await;
    }
    for index in 0..4 {
        let height = net.height().await;
        net.validator(index).signs_above(height, secs(10)).await;
    }
    net.agree().await;
    net.is_honest().await;
}

#[tokio::test]
async fn three_go_on_under_load_when_the_fourth_is_killed_and_it_comes_back() {
    let mut net = Testnet::of(4).start().await;
    let load = net.load();
    net.reach(10).within(secs(20)).await;
    net.validator(3).kill();
    let (from, started) = (net.height().await, Instant::now());
    let (mut at, mut moved, mut longest) = (from, Instant::now(), Duration::ZERO);
    while started.elapsed() < secs(5) {
        let height = net.height().await;
        if at < height {
            longest = longest.max(moved.elapsed());
            (at, moved) = (height, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    longest = longest.max(moved.elapsed());
    let per_second = (at - from) as f64 / started.elapsed().as_secs_f64();
    println!("one of four killed: longest time without a block {longest:?}, {per_second:.1} blocks/s");
    // Somebody waits a whole propose timeout if the dead one was about to propose.
    assert!(longest < secs(4), "{longest:?} without a block");
    let head = net.height().await;
    net.validator(3).start();
    let restarted = Instant::now();
    net.validator(3).reach(head, secs(20)).await;
    println!("back at the head after {:?}", restarted.elapsed());
    let head = net.height().await;
    net.validator(3).signs_above(head, secs(10)).await;
    drop(load);
    net.agree().await;
    net.is_honest().await;
}

#[tokio::test]
async fn no_decided_block_is_lost_when_all_four_are_killed_at_random_moments() {
    let mut net = Testnet::of(4).paced("0s", "0s").start().await;
    let load = net.load();
    let mut reported = Reported::new();
    for _ in 0..8 {
        let time = Duration::from_millis(rand::rng().random_range(50..700));
        watch(&net, &mut reported, time).await;
        net.kill_all();
        net.start_all();
        let known = *reported.last_key_value().unwrap().0;
        net.reach(known + 1).within(secs(30)).await;
    }
    drop(load);
    all_are_kept(&net, &reported).await;
    net.agree().await;
    net.is_honest().await;
}

#[tokio::test]
async fn a_validator_killed_at_random_moments_even_while_it_starts_loses_nothing_acknowledged() {
    let mut net = Testnet::of(1).paced("0s", "0s").start().await;
    let (mut reported, mut acknowledged) = (Reported::new(), Vec::new());
    for round in 0..5 {
        let transfers = (0..4).map(|index| Transfer::new(index, round));
        for transfer in transfers {
            acknowledged.push(net.validator(0).submit(&transfer).await.unwrap());
        }
        watch(&net, &mut reported, Duration::from_millis(rand::rng().random_range(0..300))).await;
        net.validator(0).kill();
        if round % 2 == 1 {
            net.validator(0).start();
            tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..400))).await;
            net.validator(0).kill();
        }
        net.validator(0).start();
        let known = reported.last_key_value().map_or(0, |(height, _)| *height);
        net.validator(0).signs_above(known + 1, secs(30)).await;
    }
    for hash in acknowledged {
        net.validator(0).receipt(hash, secs(20)).await;
    }
    all_are_kept(&net, &reported).await;
    let log = net.validator(0).log();
    assert!(!["set aside", "E-SIGN", "panicked"].iter().any(|never| log.contains(never)), "{}", net.validator(0).log_tail());
}

#[tokio::test]
async fn two_of_four_decide_nothing_and_the_third_brings_the_chain_back() {
    let mut net = Testnet::of(4).start().await;
    net.validator(2).kill();
    net.stop_one(3).await;
    eventually("power is known to be missing", secs(10), async || {
        let health = net.running().next()?.health().await?;
        (health["consensus"]["power_online"].as_u64() < health["consensus"]["power_needed"].as_u64()).then_some(())
    })
    .await;
    let height = net.height().await.max(net.validator(0).height().await.unwrap());
    tokio::time::sleep(secs(2)).await;
    for index in 0..2 {
        let now = net.validator(index).height().await.unwrap();
        assert!(now <= height + 1, "decided without a quorum: {height}, then {now}");
    }
    let height = net.height().await;
    net.validator(2).start();
    let started = Instant::now();
    net.reach(height + 3).within(secs(15)).await;
    println!("three of four again: 3 blocks within {:?}", started.elapsed());
    net.is_honest().await;
}

#[tokio::test]
async fn mempool_survives_restart() {
    let mut net = Testnet::of(4).start().await;
    // Without a quorum no block takes the transactions away.
    for index in 1..4 {
        net.stop_one(index).await;
    }
    let mut hashes = Vec::new();
    for transfer in [Transfer::new(0, 0), Transfer::new(0, 1), Transfer::new(1, 0), Transfer::new(2, 5)] {
        hashes.push(net.validator(0).submit(&transfer).await.unwrap());
    }
    for is_killed in [true, false] {
        if is_killed {
            net.validator(0).kill()
        } else {
            net.stop_one(0).await
        }
        net.validator(0).start();
        let health = eventually("the pool is back", secs(20), async || {
            net.running().next()?.health().await.filter(|health| health["mempool"]["pending"] == 3)
        })
        .await;
        assert_eq!(health["mempool"]["queued"], 1, "{health}");
        for hash in &hashes {
            assert!(net.validator(0).is_pending(*hash).await, "{hash} is lost");
        }
    }
    (1..4).for_each(|index| net.validator(index).start());
    for hash in &hashes[..3] {
        net.validator(2).receipt(*hash, secs(20)).await;
    }
}

#[tokio::test]
async fn a_validator_that_was_down_for_100_heights_catches_up_by_certified_blocks() {
    let mut net = Testnet::of(4).paced("0s", "0s").start().await;
    net.validator(3).kill();
    let height = net.height().await + 100;
    net.reach(height).within(secs(60)).await;
    net.validator(3).start();
    let started = Instant::now();
    net.validator(3).reach(height, secs(20)).await;
    println!("100 heights behind: caught up within {:?}", started.elapsed());
    assert!(net.validator(3).metric_of("consensus_decisions_total", "origin=\"synced\"").await >= 90.0);
    let head = net.height().await;
    net.validator(3).signs_above(head, secs(10)).await;
    net.agree().await;
    net.is_honest().await;
}

#[tokio::test]
async fn a_network_of_one_goes_on_after_a_restart_far_above_genesis() {
    let mut net = Testnet::of(1).paced("0s", "0s").start().await;
    net.reach(130).within(secs(30)).await;
    net.stop_one(0).await;
    net.validator(0).start();
    let height = eventually("the first answer", secs(10), async || net.running().next()?.height().await).await;
    assert!(130 <= height);
    net.reach(height + 5).within(secs(10)).await;
}

#[tokio::test]
async fn every_key_signs_again_after_all_were_killed_far_above_genesis() {
    let mut net = Testnet::of(4).paced("0s", "0s").start().await;
    net.reach(120).within(secs(60)).await;
    for _ in 0..3 {
        net.kill_all();
        net.start_all();
        for index in 0..4 {
            net.validator(index).signs_above(120, secs(20)).await;
        }
    }
    net.is_honest().await;
}
