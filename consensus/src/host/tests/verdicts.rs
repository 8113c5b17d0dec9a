//! Rules of one host: what follows from a verdict.

use primitives::{B256, ConsensusMessage, Height, Round, VoteKind, genesis::ConsensusParameters};

use super::{
    super::{testing::*, *},
    support::*,
};

#[test]
fn a_certified_block_that_is_invalid_here_stops_our_key() {
    let mut host = alone(ConsensusParameters::default());
    let value = B256::repeat_byte(5);
    let signed = proposal(1, 0, value, &set(4));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: signed.message.proposer, value };
    hear(&mut host, ConsensusMessage::Proposal(signed));
    host.handle(Event::BodyDurable { height: Height(1), round: Round(0), value, body: None }, Now::default());
    host.handle(Event::Judged { block, verdict: Verdict::Invalid { rule: "state root".into() } }, Now::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Precommit, 1, 0, Some(value))));
    hear(&mut host, ConsensusMessage::Vote(vote(3, VoteKind::Precommit, 1, 0, Some(value))));
    assert_eq!(host.status().signing.state, SigningState::Enabled);
    let actions = hear(&mut host, ConsensusMessage::Vote(vote(4, VoteKind::Precommit, 1, 0, Some(value))));
    assert_eq!(host.status().signing.code, Some("E-EXEC-REJECT"));
    assert!(actions.iter().any(|action| matches!(action, Action::SigningChanged(_))));
}

#[test]
fn without_a_verdict_the_timeout_gives_the_nil_vote() {
    let mut host = alone(ConsensusParameters::default());
    let value = B256::repeat_byte(5);
    let proposed = proposal(1, 0, value, &set(4)).message;
    hear(&mut host, ConsensusMessage::Proposal(proposal(1, 0, value, &set(4))));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: proposed.proposer, value };
    host.handle(Event::BodyDurable { height: Height(1), round: Round(0), value, body: None }, Now::default());
    host.handle(Event::Released { ticket: 1 }, Now::default());
    assert!(released(&host.handle(Event::Judged { block, verdict: Verdict::None }, Now::default())).is_empty());
    let valid = host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    assert_eq!(released(&valid), ["prevote"], "a verdict may come later");
}
