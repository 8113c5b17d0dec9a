//! Messages that may not leave yet.

use std::fmt;

use primitives::{Address, ConsensusMessage, Height, Round};

/// Where the signatures in a message come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Our key signed it: nothing of it may leave before the journal is durable and the guard has agreed.
    Ours,
    /// Others signed it, and their signatures were verified; we only pass it on.
    Verified,
}

/// Something signed that has not been released. Its content is private to this crate, where the signer's release alone opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Unreleased<T> {
    content: T,
    origin: Origin,
}

impl<T> Unreleased<T> {
    /// Wraps what our own key has just signed.
    pub(crate) fn ours(content: T) -> Self {
        Self { content, origin: Origin::Ours }
    }

    /// Wraps what others signed and we verified.
    pub(crate) fn verified(content: T) -> Self {
        Self { content, origin: Origin::Verified }
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The content, for the guard's eyes.
    pub(crate) fn content(&self) -> &T {
        &self.content
    }

    /// The content, to leave. Only the signer's release calls this.
    pub(crate) fn open(self) -> T {
        self.content
    }
}

impl Unreleased<ConsensusMessage> {
    /// Wraps what the core publishes: ours as soon as one signature in it is ours, otherwise verified by the core.
    pub(crate) fn published(message: ConsensusMessage, us: Option<Address>) -> Self {
        if us.is_some_and(|us| is_signed_by(&message, us)) { Self::ours(message) } else { Self::verified(message) }
    }

    /// The height it is about.
    pub fn height(&self) -> Height {
        self.content.height()
    }

    /// The round it is about.
    pub fn round(&self) -> Round {
        self.content.round()
    }

    /// The protocol's name for it.
    pub fn name(&self) -> &'static str {
        self.content.name()
    }
}

fn is_signed_by(message: &ConsensusMessage, address: Address) -> bool {
    match message {
        ConsensusMessage::Proposal(signed) => signed.message.proposer == address,
        ConsensusMessage::Vote(signed) => signed.message.validator == address,
        ConsensusMessage::Polka(certificate) => certificate.signatures.iter().any(|signed| signed.validator == address),
        ConsensusMessage::Round(certificate) => certificate.votes.iter().any(|vote| vote.validator == address),
    }
}

impl<T> fmt::Debug for Unreleased<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unreleased({:?})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_unreleased_is_never_printed() {
        assert_eq!(format!("{:?}", Unreleased::ours("signature")), "Unreleased(Ours)");
    }
}
