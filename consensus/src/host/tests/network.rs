//! Stories of several nodes: they decide, through losses, partitions and absences.

use std::time::Duration;

use primitives::{Height, Survival, genesis::ConsensusParameters};

use super::{
    super::{testing::*, *},
    support::*,
};

#[test]
fn four_hosts_decide_a_hundred_heights() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(100));
    assert!(world.agrees());
    assert_eq!(signing(&world, 0), (SigningState::Enabled, None));
    let status = world.host(0).status();
    assert!(status.power_online == 4 && status.power_needed == 3 && status.last_signed.is_some());
}

#[test]
fn one_validator_passes_the_gate_by_itself_and_decides() {
    let mut world = World::started(1);
    world.until(1_000, |world| world.all_at(20));
}

#[test]
fn a_dead_proposer_costs_milliseconds() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(10));
    world.crash(2, Survival::SyncedOnly);
    let (height, start) = (world.height(0), world.now_ms);
    world.until(20_000, |world| world.all_at(height + 40));
    // A quarter of the heights waits for the floor of the propose timeout; one may wait for it longer, when the session just broke.
    let elapsed = world.now_ms - start;
    assert!(elapsed < 10 * 200 + 3_500, "{elapsed} ms");
}

#[test]
fn a_seventh_of_all_messages_lost_does_not_stall() {
    let mut world = World::started(4);
    world.loses_one_of = 7;
    world.until(200_000, |world| world.all_at(60));
    assert!(world.agrees());
    let highest = (1..=60).filter_map(|height| rounds(&world, height).last().copied()).max().unwrap();
    assert!(highest < 10, "round {highest}");
}

#[test]
fn a_partition_heals_by_what_is_sent_again() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    world.cut.extend([(0, 2), (0, 3), (1, 2), (1, 3)]);
    world.pass(30_000);
    let height = world.height(0);
    world.cut.clear();
    for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        for (to, from) in [(a, b), (b, a)] {
            world.post(to, 0, Event::PeerUp { node: node_id(from), validator: Some(key(from as u8 + 1).address()) });
        }
    }
    world.until(90_000, |world| world.all_at(height + 5));
    assert!(world.agrees());
}

#[test]
fn a_node_that_was_away_fetches_blocks_and_joins() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(5));
    world.crash(3, Survival::SyncedOnly);
    world.until(60_000, |world| world.height(0) >= 40);
    world.start(3);
    let height = world.height(0);
    let precommits = |world: &World| world.nodes[3].said.iter().filter(|said| said.name() == "precommit" && said.height().0 > height).count();
    world.until(60_000, |world| precommits(world) > 5);
    assert!(world.height(0) < height + 20, "the others neither wait for it nor outrun it");
    assert!(world.agrees());
    assert_eq!(signing(&world, 3).0, SigningState::Enabled);
}

#[test]
fn a_validator_that_fell_behind_signs_again_though_the_others_keep_their_pace() {
    let mut world = World::of(4);
    let interval = Duration::from_millis(100);
    world.parameters = ConsensusParameters { block_interval: interval, empty_block_interval: interval, ..Default::default() };
    (0..4).for_each(|node| world.start(node));
    world.until(10_000, |world| world.all_at(5));
    world.crash(3, Survival::SyncedOnly);
    world.until(60_000, |world| world.height(0) >= 40);
    // It comes back in the middle of the others' pause.
    world.pass(50);
    world.start(3);
    let height = world.height(0) + 5;
    world.until(60_000, |world| world.height(0) > height + 20);
    let precommits = world.nodes[3].said.iter().filter(|said| said.name() == "precommit" && said.height().0 > height).count();
    assert!(precommits > 15, "{precommits} of twenty heights");
    assert!(world.agrees());
}

#[test]
fn a_follower_decides_without_saying_a_word() {
    let mut world = World::of(4);
    world.add(None);
    (0..5).for_each(|node| world.start(node));
    world.until(20_000, |world| world.all_at(20));
    assert!(world.nodes[4].said.is_empty() && world.agrees());
    assert_eq!(signing(&world, 4).0, SigningState::None);
}

#[test]
fn an_idle_height_is_withheld_until_a_transaction_waits() {
    let seconds = Duration::from_secs;
    let parameters = ConsensusParameters { block_interval: seconds(1), empty_block_interval: seconds(60), ..Default::default() };
    let mut world = World::of(4);
    world.parameters = parameters;
    (0..4).for_each(|node| world.start(node));
    world.until(10_000, |world| world.all_at(1));
    world.pass(10_000);
    assert!(world.all_at(1) && !world.all_at(2));
    (0..4).for_each(|node| world.tell(node, Event::TransactionsWaiting(true)));
    world.until(1_000, |world| world.all_at(2));
    let start = world.now_ms;
    world.until(10_000, |world| world.all_at(7));
    let elapsed = world.now_ms - start;
    assert!((4_000..6_000).contains(&elapsed), "one block a second: {elapsed}");
}

#[test]
fn a_height_that_had_begun_is_not_withheld_again() {
    let mut world = World::of(4);
    world.parameters.block_interval = Duration::from_secs(1);
    world.parameters.empty_block_interval = Duration::from_secs(3_600);
    (0..4).for_each(|node| world.start(node));
    world.until(10_000, |world| world.all_at(1));
    (0..4).for_each(|node| world.tell(node, Event::TransactionsWaiting(true)));
    world.until(10_000, |world| world.nodes.iter().all(|node| node.said.iter().any(|message| message.height() == Height(2))));
    (0..4).for_each(|node| world.restart_consensus(node));
    world.until(20_000, |world| world.all_at(2));
}
