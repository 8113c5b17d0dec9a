//! What comes out of the core, in the order in which it is to be carried out.

use primitives::{Address, B256, Certificate, ConsensusMessage, Evidence, Height, Round};

use super::input::Timer;
use crate::{Entry, Unreleased};

/// One thing the core wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Remember this before any message after it leaves.
    Append(Entry),
    /// Send this to everybody once it is released.
    Publish(Unreleased<ConsensusMessage>),
    Schedule(Timer),
    Cancel(Timer),
    CancelAll,
    /// A round began.
    StartRound {
        height: Height,
        round: Round,
        proposer: Address,
    },
    /// We propose in this round and hold no block yet.
    GetValue {
        height: Height,
        round: Round,
    },
    /// Send the body of a block that is proposed again, after the proposal that was published for it.
    Restream {
        height: Height,
        round: Round,
        pol_round: Option<Round>,
        proposer: Address,
        value: B256,
    },
    /// The height is decided; nothing more is fed to this core.
    Decide(Certificate),
    /// What the core saw of validators who contradicted themselves at this height.
    Evidence(Vec<Evidence>),
}
