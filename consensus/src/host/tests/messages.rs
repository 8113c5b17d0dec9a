//! Rules of one host: what it hears and what it says.

use primitives::{Address, B256, ConsensusMessage, Height, Round, Signed, Standing, VoteKind, genesis::ConsensusParameters};

use super::{
    super::{testing::*, *},
    support::*,
};
use crate::{
    core::{Timer, Wait},
    entry::Step,
};

#[test]
fn entries_and_messages_leave_in_one_batch_and_only_one_is_under_way() {
    let mut host = alone(ConsensusParameters::default());
    let round = foreign_round(1);
    let timer = Timer { height: Height(1), round: Round(0), wait: Wait::Step(Step::Propose) };
    let actions = host.handle(Event::Elapsed(TimerId::Core(timer)), Now::default());
    assert!(round <= 1 && released(&actions) == ["prevote"]);
    let more = hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    assert!(released(&more).is_empty());
    let after = host.handle(Event::Released { ticket: 1 }, Now::default());
    assert!(after.is_empty(), "nothing follows from another's vote yet: {after:?}");
    assert_eq!(host.status().last_signed.unwrap().step, "prevote");
}

#[test]
fn early_messages_are_verified_before_they_are_kept_and_far_ones_say_that_we_are_behind() {
    let mut host = alone(ConsensusParameters::default());
    let mut forged = vote(2, VoteKind::Prevote, 2, 0, None);
    forged.signature = vote(3, VoteKind::Prevote, 2, 0, None).signature;
    hear(&mut host, ConsensusMessage::Vote(forged));
    assert!(!host.future.has(Height(2)));
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 2, 0, None)));
    assert!(host.future.has(Height(2)));
    let far = ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 9, 0, None));
    assert_eq!(hear(&mut host, far.clone()), [Action::Sync { height: Height(9) }]);
    assert!(hear(&mut host, far).is_empty(), "hints are rare");
}

#[test]
fn only_who_passes_a_bad_signature_on_is_accused() {
    let mut host = alone(ConsensusParameters::default());
    let forged = |height| {
        let signature = vote(3, VoteKind::Prevote, height, 0, None).signature;
        ConsensusMessage::Vote(Signed { signature, ..vote(2, VoteKind::Prevote, height, 0, None) })
    };
    let good = |height| ConsensusMessage::Vote(vote(2, VoteKind::Prevote, height, 0, None));
    let is_accused = |host: &mut Host, message| hear(host, message).iter().any(|action| matches!(action, Action::Misconduct { .. }));
    // Of this height, of the next, and of one that is far away.
    for height in [1, 2, 9] {
        assert!(is_accused(&mut host, forged(height)), "height {height}");
        assert!((0..3).all(|_| !is_accused(&mut host, good(height))), "the same vote thrice at height {height}");
    }
    assert!(!is_accused(&mut host, forged(0)), "what is over is not looked at");
}

#[test]
fn a_standing_holds_what_we_have_of_the_asker() {
    let mut host = alone(ConsensusParameters::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 2, 0, None)));
    let actions = host.handle(Event::StandingAsked { question: 7, by: key(2).address() }, Now::default());
    let votes = vec![vote(2, VoteKind::Prevote, 1, 0, None), vote(2, VoteKind::Prevote, 2, 0, None)];
    assert_eq!(actions, [Action::Answer { question: 7, standing: Standing { tip: None, votes, proposals: vec![] } }]);
    assert!(host.handle(Event::StandingAsked { question: 8, by: Address::ZERO }, Now::default()).is_empty());
}

#[test]
fn a_peer_that_reconnects_gets_everything_of_the_height_through_the_signer() {
    let mut host = alone(ConsensusParameters::default());
    let timer = Timer { height: Height(1), round: Round(0), wait: Wait::Step(Step::Propose) };
    host.handle(Event::Elapsed(TimerId::Core(timer)), Now::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    host.handle(Event::PeerUp { node: node_id(3), validator: None }, Now::default());
    host.handle(Event::Released { ticket: 1 }, Now::default());
    let actions = host.handle(Event::Released { ticket: 2 }, Now::default());
    let [Action::Release(batch)] = &actions[..] else { panic!("{actions:?}") };
    assert!(batch.to == Recipient::Peer(node_id(3)) && batch.messages.len() == 2);
    assert!(host.handle(Event::RoundAsked { by: node_id(3) }, Now::default()).is_empty(), "help is rare");
}

#[test]
fn a_proposer_that_goes_down_amid_its_turn_is_not_waited_for() {
    let mut host = alone(ConsensusParameters::default());
    let round = foreign_round(1);
    let proposer = set(4).proposer(Height(1), Round(round)).address;
    let node = NodeId(proposer);
    host.handle(Event::PeerUp { node, validator: Some(proposer) }, Now::default());
    let actions = host.handle(Event::PeerDown { node }, Now::default());
    let wait = |action: &Action| match action {
        Action::Schedule { timer: TimerId::Core(Timer { wait: Wait::Step(Step::Propose), .. }), after } => Some(*after),
        _ => None,
    };
    assert!(actions.iter().find_map(wait).is_some_and(|after| after < ConsensusParameters::default().timeouts.propose), "{actions:?}");
    // Whoever comes and goes, the wait ends no later.
    for node in [node, node_id(9)] {
        host.handle(Event::PeerUp { node, validator: Some(proposer) }, Now::default());
        let later = Now { monotonic: Duration::from_millis(100), unix_ms: 100 };
        assert_eq!(host.handle(Event::PeerDown { node }, later).iter().find_map(wait), None);
    }
}

#[test]
fn contradictions_of_others_are_kept_once() {
    let mut host = alone(ConsensusParameters::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, Some(B256::repeat_byte(1)))));
    let proof = certificate(1, 5, &[2, 3, 4]);
    let actions = host.handle(Event::Synced(proof), Now::default());
    assert!(actions.iter().any(|action| matches!(action, Action::Evidence(pieces) if pieces.len() == 1)));
    assert_eq!(host.evidence().count(), 1);
}
