//! Rules of one host: bodies of blocks, on disk before a vote for them.

use std::time::Duration;

use primitives::{B256, ConsensusMessage, Height, Round, genesis::ConsensusParameters};

use super::{
    super::{testing::*, *},
    support::*,
};
use crate::{Entry, entry::BodyEntry, signer::Action as Permission};

#[test]
fn a_decided_block_that_is_nowhere_is_left_to_others() {
    let mut host = alone(ConsensusParameters::default());
    let synced = certificate(1, 9, &[2, 3, 4]);
    host.handle(Event::Synced(synced.clone()), Now::default());
    let (height, value) = (synced.height, synced.value);
    assert!(host.handle(Event::BodyMissing { height, value: B256::ZERO }, Now::default()).is_empty(), "another block");
    let actions = host.handle(Event::BodyMissing { height, value }, Now::default());
    assert!(actions.contains(&Action::Sync { height: Height(2) }));
    assert_eq!(host.remembered().handed_over, None);
    assert!(host.handle(Event::Elapsed(TimerId::Stall), Now::default()).contains(&Action::Sync { height: Height(2) }), "again and again");
    let again = host.handle(Event::Synced(synced), Now::default());
    assert!(again.iter().any(|action| matches!(action, Action::Commit { .. })));
}

#[test]
fn a_body_alone_is_given_back_and_asks_nobody_for_the_round() {
    let mut host = alone(ConsensusParameters::default());
    host.handle(Event::Synced(certificate(1, 9, &[2, 3, 4])), Now::default());
    host.handle(Event::Committed { height: Height(1), validators: set(4), block_time_ms: 0 }, Now::default());
    host.handle(Event::Elapsed(TimerId::Pace), Now { monotonic: Duration::from_secs(60), unix_ms: 60_000 });
    let body = BodyEntry { height: Height(2), round: Round(0), value: B256::repeat_byte(5), body: vec![1].into() };
    let actions = open(&mut host, vec![Entry::Body(body.clone())], true);
    assert!(actions.contains(&Action::Restore(body)) && !actions.contains(&Action::AskRound), "{actions:?}");
}

#[test]
fn a_block_is_voted_for_only_when_its_body_is_durable() {
    let mut host = alone(ConsensusParameters::default());
    let value = B256::repeat_byte(5);
    let signed = proposal(1, 0, value, &set(4));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: signed.message.proposer, value };
    hear(&mut host, ConsensusMessage::Proposal(signed));
    host.handle(Event::Released { ticket: 1 }, Now::default());
    assert!(released(&host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default())).is_empty());
    let durable = host.handle(Event::BodyDurable { height: Height(1), round: Round(0), value, body: Some(vec![1; 10].into()) }, Now::default());
    let [Action::Release(batch)] = &durable.iter().filter(|action| matches!(action, Action::Release(_))).cloned().collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert!(batch.entries.iter().any(|entry| entry.name() == "body"), "a small body rides in the same group");
    assert_eq!(released(&durable), ["prevote"]);
}

/// A block of height 1 and round 0 with its proposal, not ours.
fn foreign(byte: u8) -> (ConsensusMessage, ProposedBlock, Event) {
    let value = B256::repeat_byte(byte);
    let signed = proposal(1, 0, value, &set(4));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: signed.message.proposer, value };
    (ConsensusMessage::Proposal(signed), block, small(0, byte))
}

fn small(round: u32, byte: u8) -> Event {
    Event::BodyDurable { height: Height(1), round: Round(round), value: B256::repeat_byte(byte), body: Some(vec![byte].into()) }
}

fn entries(actions: &[Action]) -> Vec<&'static str> {
    let batches = actions.iter().filter_map(|action| if let Action::Release(batch) = action { Some(batch) } else { None });
    batches.flat_map(|batch| &batch.entries).map(Entry::name).collect()
}

#[test]
fn a_body_that_came_before_the_core_is_journalled_before_it_is_voted_for() {
    let (message, block, body) = foreign(5);
    let mut host = life(ConsensusParameters::default(), judged(Permission::Begin));
    host.handle(body, Now::default());
    host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    hear(&mut host, message);
    let actions = open(&mut host, vec![], true);
    assert_eq!(released(&actions), ["prevote"]);
    assert!(entries(&actions).contains(&"body"), "{actions:?}");
}

#[test]
fn a_body_that_a_silent_core_heard_of_is_journalled_when_it_begins_to_vote() {
    let (message, block, body) = foreign(5);
    let mut host = life(ConsensusParameters::default(), judged(Permission::Recover { from: Height(11) }));
    open(&mut host, vec![], false);
    hear(&mut host, message);
    assert!(entries(&host.handle(body, Now::default())).is_empty());
    host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    host.handle(Event::Elapsed(TimerId::Stall), Now::default());
    let actions = open(&mut host, vec![], true);
    let actions = [actions, propose_timeout(&mut host, 1)].concat();
    assert!(entries(&actions).contains(&"body"), "{actions:?}");
}

#[test]
fn a_body_that_the_journal_holds_is_not_written_again() {
    let (message, block, body) = foreign(5);
    let mut host = life(ConsensusParameters::default(), judged(Permission::Begin));
    host.handle(body.clone(), Now::default());
    hear(&mut host, message);
    let Event::BodyDurable { height, round, value, body: Some(bytes) } = body.clone() else { panic!() };
    let stored = Entry::Body(BodyEntry { height, round, value, body: bytes });
    open(&mut host, vec![stored], true);
    host.handle(body, Now::default());
    let actions = host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    assert_eq!(released(&actions), ["prevote"]);
    assert!(!entries(&actions).contains(&"body"), "{actions:?}");
}

#[test]
fn a_body_that_nobody_proposed_takes_no_room_in_the_journal() {
    let (message, block, body) = foreign(5);
    let mut host = alone(ConsensusParameters::default());
    (10..100).for_each(|byte| drop(host.handle(small(u32::from(byte) % 5, byte), Now::default())));
    host.handle(small(5, 100), Now::default());
    host.handle(body, Now::default());
    host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    let actions = hear(&mut host, message);
    assert_eq!(released(&actions), ["prevote"]);
    assert_eq!(entries(&actions).iter().filter(|name| **name == "body").count(), 1);
}
