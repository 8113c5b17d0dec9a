//! How long a height may take.

use std::time::Duration;

use primitives::genesis::ConsensusParameters;

/// Rounds that may fail at all their timeouts before a height counts as stale: validators that are away cost a round each at their turn.
const FAILED_ROUNDS: u32 = 2;

/// Without a block for longer than this the height is stale: the pace of an idle chain, and rounds that fail at all their timeouts.
pub fn stale_after(parameters: &ConsensusParameters) -> Duration {
    let timeouts = &parameters.timeouts;
    let steps =
        [(timeouts.propose, timeouts.propose_delta), (timeouts.prevote, timeouts.prevote_delta), (timeouts.precommit, timeouts.precommit_delta)];
    let round = |round: u32| -> Duration { steps.iter().map(|(first, delta)| first.saturating_add(*delta * round).min(timeouts.cap)).sum() };
    parameters.empty_block_interval + (0..FAILED_ROUNDS).map(round).sum::<Duration>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_height_is_stale_after_the_pace_and_two_rounds_that_failed() {
        // 2 s idle; 3 + 1 + 1 s, then half a second more for each step.
        assert_eq!(stale_after(&ConsensusParameters::default()), Duration::from_millis(2_000 + 5_000 + 6_500));
        let mut patient = ConsensusParameters::default();
        patient.timeouts.propose = Duration::from_secs(120);
        assert_eq!(stale_after(&patient), Duration::from_millis(2_000 + 60_000 + 2_000 + 60_000 + 3_000));
    }
}
