//! The one place where our types become the core's and the core's become ours.

use core_consensus::{Input as CoreInput, LivenessMsg, MisbehaviorEvidence, ProposedValue, SignedConsensusMsg};
use core_types as theirs;
use core_types::{NilOrVal, Round as CoreRound, TimeoutKind, Validity, ValueOrigin, VoteType};
use primitives::{
    B256, Certificate, CommitSignature, ConsensusMessage, Evidence, Height, PolkaCertificate, Proposal, Round, RoundCertificate,
    RoundCertificateKind, RoundVote, Signed, Vote, VoteKind,
};

use super::{
    context::{CoreAddress, CoreContext, CoreHeight, CoreProposal, CoreSignature, CoreValue, CoreVote},
    input::{Timer, Wait},
};
use crate::entry::{Entry, JudgedEntry, Step, TimeoutEntry};

type SignedVote = theirs::SignedVote<CoreContext>;
type SignedProposal = theirs::SignedProposal<CoreContext>;

/// None is the round before the first.
pub(super) fn round(round: CoreRound) -> Option<Round> {
    round.as_u32().map(Round)
}

pub(super) fn core_round(round: Option<Round>) -> CoreRound {
    round.map_or(CoreRound::Nil, |round| CoreRound::new(round.0))
}

fn kind(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

fn core_kind(kind: VoteKind) -> VoteType {
    match kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    }
}

fn value(value: &NilOrVal<B256>) -> Option<B256> {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(hash) => Some(*hash),
    }
}

fn core_value(value: Option<B256>) -> NilOrVal<B256> {
    value.map_or(NilOrVal::Nil, NilOrVal::Val)
}

pub(super) fn vote(vote: &CoreVote) -> Vote {
    Vote {
        kind: kind(vote.kind),
        height: vote.height.0,
        round: round(vote.round).unwrap_or_default(),
        value: value(&vote.value),
        validator: vote.validator.0,
    }
}

pub(super) fn proposal(proposal: &CoreProposal) -> Proposal {
    Proposal {
        height: proposal.height.0,
        round: round(proposal.round).unwrap_or_default(),
        value: proposal.value.0,
        pol_round: round(proposal.pol_round),
        proposer: proposal.proposer.0,
    }
}

pub(super) fn signed_vote(signed: &SignedVote) -> Signed<Vote> {
    Signed { message: vote(&signed.message), signature: signed.signature.0 }
}

pub(super) fn signed_proposal(signed: &SignedProposal) -> Signed<Proposal> {
    Signed { message: proposal(&signed.message), signature: signed.signature.0 }
}

pub(super) fn core_signed_vote(signed: &Signed<Vote>) -> SignedVote {
    let Vote { kind, height, round, value, validator } = &signed.message;
    let vote = CoreVote {
        kind: core_kind(*kind),
        height: CoreHeight(*height),
        round: core_round(Some(*round)),
        value: core_value(*value),
        validator: CoreAddress(*validator),
    };
    SignedVote::new(vote, CoreSignature(signed.signature))
}

pub(super) fn core_signed_proposal(signed: &Signed<Proposal>) -> SignedProposal {
    let Proposal { height, round, value, pol_round, proposer } = &signed.message;
    let proposal = CoreProposal {
        height: CoreHeight(*height),
        round: core_round(Some(*round)),
        value: CoreValue(*value),
        pol_round: core_round(*pol_round),
        proposer: CoreAddress(*proposer),
    };
    SignedProposal::new(proposal, CoreSignature(signed.signature))
}

/// A decided height's certificate, in canonical order.
pub(super) fn certificate(certificate: &theirs::CommitCertificate<CoreContext>) -> Certificate {
    let signatures =
        certificate.commit_signatures.iter().map(|signed| CommitSignature { validator: signed.address.0, signature: signed.signature.0 }).collect();
    let round = round(certificate.round).unwrap_or_default();
    Certificate { height: certificate.height.0, round, value: certificate.value_id, signatures }.canonical()
}

pub(super) fn polka(polka: &theirs::PolkaCertificate<CoreContext>) -> PolkaCertificate {
    let signatures =
        polka.polka_signatures.iter().map(|signed| CommitSignature { validator: signed.address.0, signature: signed.signature.0 }).collect();
    PolkaCertificate { height: polka.height.0, round: round(polka.round).unwrap_or_default(), value: polka.value_id, signatures }
}

fn core_polka(polka: &PolkaCertificate) -> theirs::PolkaCertificate<CoreContext> {
    theirs::PolkaCertificate {
        height: CoreHeight(polka.height),
        round: core_round(Some(polka.round)),
        value_id: polka.value,
        polka_signatures: polka
            .signatures
            .iter()
            .map(|signed| theirs::PolkaSignature::new(CoreAddress(signed.validator), CoreSignature(signed.signature)))
            .collect(),
    }
}

pub(super) fn round_certificate(certificate: &theirs::RoundCertificate<CoreContext>) -> RoundCertificate {
    let votes = certificate
        .round_signatures
        .iter()
        .map(|signed| RoundVote {
            kind: kind(signed.vote_type),
            value: value(&signed.value_id),
            validator: signed.address.0,
            signature: signed.signature.0,
        })
        .collect();
    let kind = match certificate.cert_type {
        theirs::RoundCertificateType::Precommit => RoundCertificateKind::Precommit,
        theirs::RoundCertificateType::Skip => RoundCertificateKind::Skip,
    };
    RoundCertificate { height: certificate.height.0, round: round(certificate.round).unwrap_or_default(), kind, votes }
}

fn core_round_certificate(certificate: &RoundCertificate) -> theirs::RoundCertificate<CoreContext> {
    theirs::RoundCertificate {
        height: CoreHeight(certificate.height),
        round: core_round(Some(certificate.round)),
        cert_type: match certificate.kind {
            RoundCertificateKind::Precommit => theirs::RoundCertificateType::Precommit,
            RoundCertificateKind::Skip => theirs::RoundCertificateType::Skip,
        },
        round_signatures: certificate
            .votes
            .iter()
            .map(|vote| {
                let signature = CoreSignature(vote.signature);
                theirs::RoundSignature::new(core_kind(vote.kind), core_value(vote.value), CoreAddress(vote.validator), signature)
            })
            .collect(),
    }
}

pub(super) fn published(message: SignedConsensusMsg<CoreContext>) -> ConsensusMessage {
    match message {
        SignedConsensusMsg::Vote(vote) => ConsensusMessage::Vote(signed_vote(&vote)),
        SignedConsensusMsg::Proposal(proposal) => ConsensusMessage::Proposal(signed_proposal(&proposal)),
    }
}

pub(super) fn liveness(message: LivenessMsg<CoreContext>) -> ConsensusMessage {
    match message {
        LivenessMsg::Vote(vote) => ConsensusMessage::Vote(signed_vote(&vote)),
        LivenessMsg::PolkaCertificate(certificate) => ConsensusMessage::Polka(polka(&certificate)),
        LivenessMsg::SkipRoundCertificate(certificate) => ConsensusMessage::Round(round_certificate(&certificate)),
    }
}

pub(super) fn core_message(message: &ConsensusMessage) -> CoreInput<CoreContext> {
    match message {
        ConsensusMessage::Proposal(signed) => CoreInput::Proposal(core_signed_proposal(signed)),
        ConsensusMessage::Vote(signed) => CoreInput::Vote(core_signed_vote(signed)),
        ConsensusMessage::Polka(certificate) => CoreInput::PolkaCertificate(core_polka(certificate)),
        ConsensusMessage::Round(certificate) => CoreInput::RoundCertificate(core_round_certificate(certificate)),
    }
}

/// None for what the core schedules but we never ask of it.
pub(super) fn timer(height: Height, timeout: theirs::Timeout) -> Option<Timer> {
    let wait = match timeout.kind {
        TimeoutKind::Propose => Wait::Step(Step::Propose),
        TimeoutKind::Prevote => Wait::Step(Step::Prevote),
        TimeoutKind::Precommit => Wait::Step(Step::Precommit),
        TimeoutKind::Rebroadcast => Wait::Rebroadcast,
        TimeoutKind::FinalizeHeight(_) => return None,
    };
    Some(Timer { height, round: round(timeout.round)?, wait })
}

pub(super) fn core_timeout(timer: &Timer) -> theirs::Timeout {
    let kind = match timer.wait {
        Wait::Step(Step::Propose) => TimeoutKind::Propose,
        Wait::Step(Step::Prevote) => TimeoutKind::Prevote,
        Wait::Step(Step::Precommit) => TimeoutKind::Precommit,
        Wait::Rebroadcast => TimeoutKind::Rebroadcast,
    };
    theirs::Timeout::new(core_round(Some(timer.round)), kind)
}

pub(super) fn core_judged(judged: &JudgedEntry) -> CoreInput<CoreContext> {
    let proposed = ProposedValue {
        height: CoreHeight(judged.height),
        round: core_round(Some(judged.round)),
        valid_round: core_round(judged.pol_round),
        proposer: CoreAddress(judged.proposer),
        value: CoreValue(judged.value),
        validity: Validity::from_bool(judged.is_valid),
    };
    CoreInput::ProposedValue(proposed, ValueOrigin::Consensus)
}

/// None for what has no place in a journal; the core asks for no such thing.
pub(super) fn entry(height: Height, input: &CoreInput<CoreContext>) -> Option<Entry> {
    Some(match input {
        CoreInput::Vote(vote) => Entry::Vote(signed_vote(vote)),
        CoreInput::Proposal(proposal) => Entry::Proposal(signed_proposal(proposal)),
        CoreInput::PolkaCertificate(certificate) => Entry::Polka(polka(certificate)),
        CoreInput::TimeoutElapsed(timeout) => {
            let Timer { height, round, wait } = timer(height, *timeout)?;
            let Wait::Step(step) = wait else { return None };
            Entry::Timeout(TimeoutEntry { height, round, step })
        }
        CoreInput::ProposedValue(proposed, _) => Entry::Judged(JudgedEntry {
            height: proposed.height.0,
            round: round(proposed.round).unwrap_or_default(),
            pol_round: round(proposed.valid_round),
            proposer: proposed.proposer.0,
            value: proposed.value.0,
            is_valid: proposed.validity.is_valid(),
        }),
        _ => return None,
    })
}

/// What to feed for a remembered entry; none for bodies, which the core never sees.
pub(super) fn core_entry(entry: &Entry) -> Option<CoreInput<CoreContext>> {
    Some(match entry {
        Entry::Vote(signed) => CoreInput::Vote(core_signed_vote(signed)),
        Entry::Proposal(signed) => CoreInput::Proposal(core_signed_proposal(signed)),
        Entry::Polka(certificate) => CoreInput::PolkaCertificate(core_polka(certificate)),
        Entry::Timeout(TimeoutEntry { height, round, step }) => {
            CoreInput::TimeoutElapsed(core_timeout(&Timer { height: *height, round: *round, wait: Wait::Step(*step) }))
        }
        Entry::Judged(judged) => core_judged(judged),
        Entry::Body(_) => return None,
    })
}

pub(super) fn evidence(evidence: &MisbehaviorEvidence<CoreContext>) -> Vec<Evidence> {
    let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs);
    let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs);
    votes
        .map(|(first, second)| Evidence::Votes(signed_vote(first), signed_vote(second)))
        .chain(proposals.map(|(first, second)| Evidence::Proposals(signed_proposal(first), signed_proposal(second))))
        .collect()
}
