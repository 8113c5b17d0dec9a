//! How long each step of the protocol waits: linear in the round, capped.

use std::time::Duration;

use primitives::genesis::Timeouts;

use crate::{
    core::{Timer, Wait},
    entry::Step,
};

/// The wait of `timer` by the genesis.
pub(super) fn wait(timeouts: &Timeouts, timer: &Timer) -> Duration {
    let (base, delta) = match timer.wait {
        Wait::Step(Step::Propose) => (timeouts.propose, timeouts.propose_delta),
        Wait::Step(Step::Prevote) => (timeouts.prevote, timeouts.prevote_delta),
        Wait::Step(Step::Precommit) => (timeouts.precommit, timeouts.precommit_delta),
        Wait::Rebroadcast => (timeouts.rebroadcast, Duration::ZERO),
    };
    base.saturating_add(delta.saturating_mul(timer.round.0)).min(timeouts.cap)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{Height, Round};

    #[test]
    fn waits_grow_with_the_round_up_to_the_cap() {
        let timeouts = Timeouts::default();
        let propose = |round| wait(&timeouts, &Timer { height: Height(1), round: Round(round), wait: Wait::Step(Step::Propose) });
        assert_eq!(propose(0), Duration::from_millis(3_000));
        assert_eq!(propose(2), Duration::from_millis(4_000));
        assert_eq!(propose(u32::MAX), Duration::from_secs(60));
        let rebroadcast = |round| wait(&timeouts, &Timer { height: Height(1), round: Round(round), wait: Wait::Rebroadcast });
        assert_eq!(rebroadcast(9), rebroadcast(0));
    }
}
