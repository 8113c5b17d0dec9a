//! What health and `why` show.

use primitives::{ConsensusMessage, Height, Round};
use serde::Serialize;

use super::{Host, Phase, Signing};
use crate::core::Core;

/// Consensus at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The height at hand.
    pub height: Height,
    pub round: Round,
    /// `propose`, `prevote`, `precommit` or what else is going on.
    pub step: &'static str,
    pub validator: bool,
    pub signing: Signing,
    pub last_signed: Option<LastSigned>,
    /// Power of the validators with a session, and ours, each once.
    pub power_online: u64,
    /// More than 2/3 of all.
    pub power_needed: u64,
    /// Something is decided or signed, and waits for room on the disk.
    pub parked: bool,
}

/// The newest message of ours that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastSigned {
    pub height: Height,
    pub round: Round,
    /// `proposal`, `prevote` or `precommit`.
    pub step: &'static str,
}

impl LastSigned {
    /// None for certificates, which merely repeat votes.
    pub(super) fn of(message: &ConsensusMessage) -> Option<Self> {
        let is_said = matches!(message, ConsensusMessage::Vote(_) | ConsensusMessage::Proposal(_));
        is_said.then(|| Self { height: message.height(), round: message.round(), step: message.name() })
    }
}

impl Host {
    pub fn status(&self) -> Status {
        Status {
            height: self.height,
            round: self.core.as_ref().map(Core::round).unwrap_or_default(),
            step: self.step(),
            validator: self.is_validator(),
            signing: self.signing.clone(),
            last_signed: self.last_signed.clone(),
            power_online: self.proposers.power_online(&self.set, self.crypto.address()),
            power_needed: self.set.quorum(),
            parked: self.outbox.is_parked() || self.committing.as_ref().is_some_and(|committing| committing.is_parked),
        }
    }

    fn step(&self) -> &'static str {
        match self.phase {
            _ if self.committing.is_some() => "commit",
            Phase::Running => self.core.as_ref().map_or("new_height", Core::step_name),
            Phase::Gate | Phase::Judging => "gate",
            Phase::Paced | Phase::Opening => "new_height",
            Phase::Following => "follow",
            Phase::Ended => "restart",
        }
    }
}
