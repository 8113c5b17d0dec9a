//! Rules of one host: what an incarnation remembers of those before it.

use std::time::Duration;

use primitives::{ConsensusMessage, Height, Round, VoteKind, genesis::ConsensusParameters};

use super::{
    super::{testing::*, *},
    support::*,
};
use crate::signer::Action as Permission;

#[test]
fn a_signer_that_was_restarted_alone_does_not_bring_a_silenced_key_back() {
    for (action, signs) in [
        (Permission::Refuse, false),
        (Permission::Abstain { through: Height(1) }, false),
        (Permission::Observe { from: Height(2) }, false),
        (Permission::Abstain { through: Height(0) }, true),
        (Permission::Observe { from: Height(1) }, true),
    ] {
        let mut host = life(ConsensusParameters::default(), judged(action));
        open(&mut host, vec![], true);
        let said = released(&propose_timeout(&mut host, 0));
        assert_eq!(said, if signs { vec!["prevote"] } else { vec![] }, "{action:?}");
    }
}

#[test]
fn rounds_in_which_a_key_stays_mute_outlive_an_incarnation() {
    let mut host = life(ConsensusParameters::default(), judged(Permission::Recover { from: Height(11) }));
    open(&mut host, vec![], false);
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 3, None)));
    let actions = host.handle(Event::Elapsed(TimerId::Stall), Now::default());
    assert!(actions.contains(&Action::InitialiseSigning { above: Height(0) }));
    let mut next = life(ConsensusParameters::default(), host.remembered());
    open(&mut next, vec![], true);
    assert_eq!(next.status().round, Round(4));
    assert_eq!(released(&propose_timeout(&mut next, 4)), ["prevote"]);
}

#[test]
fn two_lives_share_no_ticket() {
    let config = Config { parameters: ConsensusParameters::default(), propose_floor: Duration::from_millis(150) };
    let remembered = judged(Permission::Begin);
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 7 << 32, remembered };
    let mut host = Host::new(config, start);
    host.begin(Now::default());
    open(&mut host, vec![], true);
    let actions = propose_timeout(&mut host, 0);
    assert!(actions.iter().any(|action| matches!(action, Action::Release(batch) if batch.ticket == 7 << 32)));
    host.handle(Event::Released { ticket: 1 }, Now::default());
    assert_eq!(host.status().last_signed, None, "an answer to another life");
    host.handle(Event::Released { ticket: 7 << 32 }, Now::default());
    assert!(host.status().last_signed.is_some());
}

#[test]
fn a_block_that_an_earlier_incarnation_handed_to_storage_is_not_forgotten() {
    let mut host = alone(ConsensusParameters::default());
    let synced = certificate(1, 9, &[2, 3, 4]);
    host.handle(Event::Synced(synced.clone()), Now::default());
    let config = Config { parameters: ConsensusParameters::default(), propose_floor: Duration::from_millis(150) };
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 1, remembered: host.remembered() };
    let mut next = Host::new(config, start);
    let actions = next.begin(Now::default());
    assert!(actions.iter().any(|action| matches!(action, Action::Commit { certificate, .. } if *certificate == synced)));
    next.handle(Event::Committed { height: Height(1), validators: set(4), block_time_ms: 0 }, Now::default());
    assert_eq!(next.status().height, Height(2));
}

#[test]
fn a_validator_that_comes_while_we_wait_for_answers_is_asked_at_once() {
    let config = Config { parameters: ConsensusParameters::default(), propose_floor: Duration::from_millis(150) };
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 1, remembered: Remembered::default() };
    let mut host = Host::new(config, start);
    host.begin(Now::default());
    let actions = host.handle(Event::PeerUp { node: node_id(2), validator: Some(key(2).address()) }, Now::default());
    let is_soon = |action: &Action| matches!(action, Action::Schedule { timer: TimerId::Gate, after } if *after < Duration::from_millis(100));
    assert!(actions.iter().any(is_soon));
}

#[test]
fn a_block_that_an_earlier_life_decided_and_only_its_journal_holds_is_read_there() {
    let handed_over = Some(certificate(1, 9, &[2, 3, 4]));
    let value = handed_over.as_ref().unwrap().value;
    let mut host = life(ConsensusParameters::default(), Remembered { handed_over, ..judged(crate::signer::Action::Begin) });
    let actions = host.handle(Event::BodyMissing { height: Height(1), value }, Now::default());
    assert!(actions.contains(&Action::OpenJournal { height: Height(1) }) && actions.contains(&Action::Sync { height: Height(2) }), "{actions:?}");
}
