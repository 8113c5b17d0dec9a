//! Stories of several nodes: when a key signs, and what stops it.

use primitives::{B256, ConsensusMessage, Height, Survival, VoteKind};

use super::{
    super::{testing::*, *},
    support::*,
};
use crate::signer::OnMissing;

#[test]
fn nothing_leaves_before_the_gate() {
    let mut world = World::of(4);
    world.start(0);
    world.start(1);
    world.pass(20_000);
    assert!(world.nodes.iter().all(|node| node.said.is_empty()));
    assert_eq!(signing(&world, 0).0, SigningState::SyncOnly);
    world.start(2);
    world.until(10_000, |world| world.all_at(3));
}

#[test]
fn a_disk_from_an_old_copy_signs_nothing_at_the_height_others_remember() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(4));
    let disk = copy(&world.nodes[0].disk);
    world.until(10_000, |world| world.all_at(6));
    world.crash(1, Survival::SyncedOnly);
    world.crash(3, Survival::SyncedOnly);
    // Two of four are left: they vote, and decide nothing.
    world.pass(30_000);
    world.crash(0, Survival::SyncedOnly);
    world.nodes[0].disk = disk;
    [0, 1, 3].into_iter().for_each(|node| world.start(node));
    world.until(30_000, |world| signing(world, 0).1 == Some("E-SIGN-REGRESSED"));
    let height = world.height(0);
    world.until(200_000, |world| world.all_at(height + 5));
    assert_eq!(signing(&world, 0).0, SigningState::Enabled, "above that height it signs again");
    assert!(world.agrees());
}

#[test]
fn a_second_process_with_our_key_stops_us() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    let height = world.host(0).status().height.0;
    let message = ConsensusMessage::Vote(vote(1, VoteKind::Prevote, height + 1, 7, Some(B256::repeat_byte(9))));
    world.tell(0, Event::Message { from: node_id(1), message });
    assert_eq!(signing(&world, 0), (SigningState::Halted, Some("E-DOPPELGANGER")));
    let before = world.nodes[0].said.iter().filter(|message| message.name() != "polka" && message.name() != "round").count();
    world.until(60_000, |world| world.all_at(height + 5));
    let after = world.nodes[0].said.iter().filter(|message| message.name() != "polka" && message.name() != "round").count();
    assert_eq!(before, after);
    world.restart_consensus(0);
    world.until(60_000, |world| world.all_at(height + 8));
    assert_eq!(signing(&world, 0).0, SigningState::Halted, "a new incarnation remembers");
}

#[test]
fn a_forged_signature_stops_nobody() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    let mut forged = vote(1, VoteKind::Prevote, world.host(0).status().height.0, 7, None);
    forged.signature = vote(2, VoteKind::Prevote, 1, 1, None).signature;
    world.tell(0, Event::Message { from: node_id(1), message: ConsensusMessage::Vote(forged) });
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}

#[test]
fn execution_refusing_a_certified_block_stops_our_key() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(2));
    let height = world.host(0).status().height;
    while !world.nodes[0].wanted.iter().any(|action| matches!(action, Action::Commit { certificate, .. } if certificate.height == height)) {
        world.step();
    }
    world.tell(0, Event::Uncommitted { height, why: Uncommitted::Rejected { rule: "gas".into() } });
    assert_eq!(signing(&world, 0), (SigningState::Halted, Some("E-EXEC-REJECT")));
}

#[test]
fn two_certificates_of_one_height_stop_our_key() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(2));
    let tip = world.height(0);
    let mut other = certificate(tip, 9, &[2, 3, 4]);
    world.tell(0, Event::Synced(certificate(tip, 9, &[2, 3])));
    assert_eq!(signing(&world, 0).0, SigningState::Enabled, "one that proves nothing changes nothing");
    other.height = Height(tip);
    world.tell(0, Event::Synced(other));
    assert_eq!(signing(&world, 0), (SigningState::Halted, Some("E-CONFLICTING-CERTIFICATES")));
}

#[test]
fn nobody_is_answered_before_the_journal_was_read() {
    let mut world = World::of(4);
    world.start(0);
    let by = key(2).address();
    world.tell(0, Event::StandingAsked { question: 1, by });
    let answered = |action: &Action| matches!(action, Action::Answer { question: 1, .. });
    assert_eq!(wanted(&world, 0, answered), 0);
    world.pass(1);
    assert_eq!(wanted(&world, 0, answered), 1);
}

#[test]
fn a_key_without_a_record_observes_and_then_signs() {
    let mut world = World::started(4);
    world.policy = OnMissing::Observe;
    world.until(10_000, |world| world.all_at(5));
    world.crash(0, Survival::SyncedOnly);
    world.nodes[0].disk = primitives::LossyDisk::new();
    world.until(30_000, |world| world.height(1) >= 10);
    world.start(0);
    world.until(30_000, |world| signing(world, 0).0 == SigningState::Observing);
    world.until(60_000, |world| signing(world, 0).0 == SigningState::Enabled);
    let height = world.height(0);
    world.until(60_000, |world| world.all_at(height + 10));
    assert!(world.agrees());
}

#[test]
fn a_key_without_a_record_signs_again_while_the_chain_goes_on_without_it() {
    let mut world = World::started(4);
    world.policy = OnMissing::Recover;
    world.until(10_000, |world| world.all_at(5));
    world.crash(0, Survival::SyncedOnly);
    world.nodes[0].disk = primitives::LossyDisk::new();
    world.start(0);
    let height = world.height(1);
    world.until(100_000, |world| world.all_at(height + 15));
    assert!(world.agrees());
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}

#[test]
fn a_chain_that_stands_for_want_of_lost_records_recovers() {
    let mut world = World::started(4);
    world.policy = OnMissing::Recover;
    world.until(10_000, |world| world.all_at(5));
    for node in [0, 1] {
        world.crash(node, Survival::SyncedOnly);
        world.nodes[node].disk = primitives::LossyDisk::new();
    }
    world.start(0);
    world.start(1);
    let height = world.height(2);
    world.until(300_000, |world| world.all_at(height + 5));
    assert!(world.agrees());
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}
