//! Consensus at a glance, for anybody to look at while the actor is busy or away.

use std::sync::Arc;

use api::Signing;
use arc_swap::ArcSwap;
use consensus::host::{SigningState, Status};
use primitives::{Height, Round};

/// What was last seen of consensus.
#[derive(Clone, Debug)]
pub struct Seen {
    pub height: Height,
    pub round: Round,
    pub step: &'static str,
    pub is_validator: bool,
    pub signing: Signing,
    /// Code and reason when our key does not sign.
    pub why: String,
    pub last_signed: Option<(Height, Round, &'static str)>,
    pub power_online: u64,
    pub power_needed: u64,
}

/// The latest [`Seen`]. Clones show the same.
#[derive(Clone, Debug)]
pub struct ConsensusView(Arc<ArcSwap<Seen>>);

/// A view from before the actor's first start.
impl Default for ConsensusView {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Seen {
            height: Height::GENESIS,
            round: Round::ZERO,
            step: "none",
            is_validator: false,
            signing: Signing::SyncOnly,
            why: "consensus has not started".to_owned(),
            last_signed: None,
            power_online: 0,
            power_needed: 0,
        })))
    }
}

impl ConsensusView {
    pub fn seen(&self) -> Arc<Seen> {
        self.0.load_full()
    }

    pub(super) fn show(&self, status: Status) {
        let code = status.signing.code.map(|code| format!("{code}: ")).unwrap_or_default();
        self.0.store(Arc::new(Seen {
            height: status.height,
            round: status.round,
            step: status.step,
            is_validator: status.validator,
            signing: translate(status.signing.state),
            why: code + &status.signing.text,
            last_signed: status.last_signed.map(|signed| (signed.height, signed.round, signed.step)),
            power_online: status.power_online,
            power_needed: status.power_needed,
        }));
    }
}

fn translate(state: SigningState) -> Signing {
    match state {
        SigningState::Enabled => Signing::Enabled,
        SigningState::SyncOnly => Signing::SyncOnly,
        SigningState::Observing => Signing::Observing,
        SigningState::Refused => Signing::Refused,
        SigningState::Halted => Signing::Halted,
        SigningState::None => Signing::None,
    }
}
