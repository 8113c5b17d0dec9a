//! Answers the core's questions during a step and gathers the rest.

use core_consensus::{ConsensusMsg, Effect as CoreEffect, Resumable, Resume};
use core_types::{BoxError, CertificateError as CoreCertificateError, CommitCertificate, SignedMessage};
use primitives::{Certificate, CertificateError, ConsensusMessage, Height, Signable};

use super::{
    context::{CoreContext, CoreSignature, CoreValidatorSet},
    convert,
    crypto::Crypto,
    effect::Effect,
    instance::Fatal,
};
use crate::Unreleased;

/// Carries one step of the core.
pub(super) struct Carrier<'a> {
    height: Height,
    crypto: &'a mut Crypto,
    /// What is left to do, in order.
    pub effects: Vec<Effect>,
}

type Answer = Result<Resume<CoreContext>, Fatal>;

impl<'a> Carrier<'a> {
    pub fn new(height: Height, crypto: &'a mut Crypto) -> Self {
        Self { height, crypto, effects: Vec::new() }
    }

    /// Answers or gathers one effect. An error ends the core.
    pub fn carry(&mut self, effect: CoreEffect<CoreContext>) -> Answer {
        match effect {
            CoreEffect::SignVote(vote, resume) => {
                let signed = self.crypto.sign_vote(convert::vote(&vote)).ok_or_else(|| keyless("vote"))?;
                Ok(resume.resume_with(SignedMessage::new(vote, CoreSignature(signed.signature))))
            }
            CoreEffect::SignProposal(proposal, resume) => {
                let signed = self.crypto.sign_proposal(convert::proposal(&proposal)).ok_or_else(|| keyless("proposal"))?;
                Ok(resume.resume_with(SignedMessage::new(proposal, CoreSignature(signed.signature))))
            }
            CoreEffect::VerifySignature(signed, key, resume) => {
                let digest = match &signed.message {
                    ConsensusMsg::Vote(vote) => convert::vote(vote).digest(self.crypto.domain()),
                    ConsensusMsg::Proposal(proposal) => convert::proposal(proposal).digest(self.crypto.domain()),
                };
                Ok(resume.resume_with(self.crypto.holds(self.height, digest, &signed.signature.0, &key)))
            }
            CoreEffect::VerifyCommitCertificate(certificate, set, _, resume) => Ok(resume.resume_with(self.verify_commit(&certificate, &set))),
            CoreEffect::VerifyExtendedCommitCertificate(certificate, set, _, _, resume) => {
                Ok(resume.resume_with(self.verify_commit(&certificate.trim_vote_extensions(), &set)))
            }
            CoreEffect::VerifyPolkaCertificate(certificate, set, _, resume) => {
                let verdict = self.crypto.verify_polka(&convert::polka(&certificate), set.set());
                Ok(resume.resume_with(verdict.map_err(refusal)))
            }
            CoreEffect::VerifyRoundCertificate(certificate, set, _, resume) => {
                let verdict = self.crypto.verify_round(&convert::round_certificate(&certificate), set.set());
                Ok(resume.resume_with(verdict.map_err(refusal)))
            }
            effect => self.gather(effect),
        }
    }

    fn gather(&mut self, effect: CoreEffect<CoreContext>) -> Answer {
        match effect {
            CoreEffect::WalAppend(height, input, _) => {
                let entry = convert::entry(height.0, &input).ok_or_else(|| Fatal::Failed(format!("no journal entry for {input:?}")))?;
                self.push(Effect::Append(entry))
            }
            CoreEffect::PublishConsensusMsg(message, _) => self.publish(convert::published(message)),
            CoreEffect::PublishLivenessMsg(message, _) => self.publish(convert::liveness(message)),
            CoreEffect::RepublishVote(vote, _) => self.publish(ConsensusMessage::Vote(convert::signed_vote(&vote))),
            CoreEffect::RepublishRoundCertificate(certificate, _) => self.publish(ConsensusMessage::Round(convert::round_certificate(&certificate))),
            CoreEffect::ScheduleTimeout(timeout, _) => self.push_some(convert::timer(self.height, timeout).map(Effect::Schedule)),
            CoreEffect::CancelTimeout(timeout, _) => self.push_some(convert::timer(self.height, timeout).map(Effect::Cancel)),
            CoreEffect::CancelAllTimeouts(_) => self.push(Effect::CancelAll),
            CoreEffect::StartRound(height, round, proposer, _, _) => {
                let round = convert::round(round).unwrap_or_default();
                self.push(Effect::StartRound { height: height.0, round, proposer: proposer.0 })
            }
            CoreEffect::GetValue(height, round, _, _) => {
                self.push(Effect::GetValue { height: height.0, round: convert::round(round).unwrap_or_default() })
            }
            CoreEffect::RestreamProposal(height, round, pol_round, proposer, value, _) => self.push(Effect::Restream {
                height: height.0,
                round: convert::round(round).unwrap_or_default(),
                pol_round: convert::round(pol_round),
                proposer: proposer.0,
                value,
            }),
            CoreEffect::Decide(certificate, _, _) => self.push(Effect::Decide(convert::certificate(&certificate))),
            CoreEffect::Finalize(_, _, evidence, _) => {
                let evidence = convert::evidence(&evidence);
                self.push_some((!evidence.is_empty()).then_some(Effect::Evidence(evidence)))
            }
            effect => Err(Fatal::Failed(format!("unexpected effect {effect:?}"))),
        }
    }

    fn push(&mut self, effect: Effect) -> Answer {
        self.effects.push(effect);
        Ok(Resume::Continue)
    }

    fn push_some(&mut self, effect: Option<Effect>) -> Answer {
        self.effects.extend(effect);
        Ok(Resume::Continue)
    }

    fn publish(&mut self, message: ConsensusMessage) -> Answer {
        let message = Unreleased::published(message, self.crypto.address());
        self.push(Effect::Publish(message))
    }

    /// The core lists signatures in the order of arrival; what proves the decision is their canonical order.
    fn verify_commit(
        &mut self,
        certificate: &CommitCertificate<CoreContext>,
        set: &CoreValidatorSet,
    ) -> Result<(), CoreCertificateError<CoreContext>> {
        let certificate: Certificate = convert::certificate(certificate);
        self.crypto.verify_certificate(&certificate, set.set()).map_err(refusal)
    }
}

fn keyless(what: &str) -> Fatal {
    Fatal::Failed(format!("asked to sign a {what} without a key"))
}

fn refusal(error: CertificateError) -> CoreCertificateError<CoreContext> {
    CoreCertificateError::VerificationError(Some(BoxError(Box::new(error))))
}
