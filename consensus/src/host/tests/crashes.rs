//! Stories of several nodes: crashes and restarts at any moment.

use primitives::{B256, Survival};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    super::{testing::*, *},
    support::*,
};
use crate::core::Fatal;

#[test]
fn a_crash_at_any_moment_leads_to_no_second_signature() {
    for (survival, seed) in [(Survival::SyncedOnly, 0), (Survival::Everything, 1), (Survival::Torn { bytes: 100 }, 2)] {
        let mut world = World::started(4);
        for crash in 0..40usize {
            (0..7 + (crash * 13 + seed) % 90).for_each(|_| world.step());
            let node = crash % 4;
            world.crash(node, survival);
            (0..crash % 11).for_each(|_| world.step());
            world.start(node);
        }
        let height = world.height(0);
        world.until(120_000, |world| world.all_at(height + 10));
        assert!(world.agrees());
        assert_eq!(signing(&world, 0), (SigningState::Enabled, None));
    }
}

/// The world asserts at each release that this life has been fed its journal, and at each message that it contradicts none.
#[test]
fn a_thousand_random_crash_points_lead_to_no_vote_before_replay_and_no_second_signature() {
    const CRASHES: u64 = 1_000;
    let mut random = StdRng::seed_from_u64(27);
    let mut world = World::started(4);
    for _ in 0..CRASHES {
        (0..random.random_range(0..60)).for_each(|_| world.step());
        let node = random.random_range(0..4);
        // Mostly the actor alone, amid a round: its journal and the promise are in the hands of a signer that lives on.
        let survival = match random.random_range(0..10) {
            0 => Survival::SyncedOnly,
            1 => Survival::Everything,
            2 => Survival::Torn { bytes: random.random_range(0..12_000) },
            _ => {
                world.restart_consensus(node);
                continue;
            }
        };
        world.crash(node, survival);
        (0..random.random_range(0..10)).for_each(|_| world.step());
        world.start(node);
    }
    let height = world.height(0);
    world.until(120_000, |world| world.all_at(height + 10));
    assert!(world.agrees());
    assert_eq!(signing(&world, 0), (SigningState::Enabled, None));
}

#[test]
fn everybody_crashing_at_once_goes_on_with_the_same_votes() {
    let mut world = World::started(4);
    for crash in 0..30 {
        (0..40 + crash * 3).for_each(|_| world.step());
        (0..4).for_each(|node| world.crash(node, Survival::SyncedOnly));
        (0..4).for_each(|node| world.start(node));
    }
    let height = world.height(0);
    world.until(120_000, |world| world.all_at(height + 10));
    assert!(world.agrees());
}

#[test]
fn a_restarted_consensus_goes_on_without_the_gate_and_asks_for_the_round() {
    let mut world = World::started(4);
    for restart in 0..60 {
        (0..5 + restart * 7 % 50).for_each(|_| world.step());
        world.restart_consensus(restart % 4);
    }
    let height = world.height(0);
    world.until(60_000, |world| world.all_at(height + 10));
    assert!(world.agrees());
    assert_eq!(wanted(&world, 0, |action| matches!(action, Action::JudgeSigning { .. })), 1);
    assert!(wanted(&world, 0, |action| *action == Action::AskRound) > 1);
}

#[test]
fn three_failures_on_one_input_leave_the_height_to_others() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    let name = B256::repeat_byte(1);
    world.cut.extend([(0, 1), (0, 2), (0, 3)]);
    world.pass(100);
    for failure in 1..=3 {
        world.nodes[0].host.as_mut().unwrap().core_failed(Fatal::Panicked("test".into()), name);
        if failure < 3 {
            world.restart_consensus(0);
            while world.host(0).phase != Phase::Running {
                world.step();
            }
        }
    }
    let height = world.host(0).status().height.0;
    world.tell(0, Event::Retry);
    assert_eq!(signing(&world, 0), (SigningState::SyncOnly, Some("E-CONSENSUS-CRASH-LOOP")));
    world.cut.clear();
    world.until(60_000, |world| world.all_at(height + 5));
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}
