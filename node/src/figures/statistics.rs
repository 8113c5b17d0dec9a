//! Figures from samples.

use std::time::{Duration, Instant};

/// The value below which `per_mille` of the samples are; zero without samples.
pub fn quantile(samples: &[Duration], per_mille: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * per_mille).div_ceil(1_000).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

/// The time between each two moments.
pub fn intervals(moments: &[Instant]) -> Vec<Duration> {
    moments.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect()
}

/// The longest time without any of `moments` (in order), from `from` until `until`.
pub fn longest_gap(moments: &[Instant], from: Instant, until: Instant) -> Duration {
    let inside = moments.iter().copied().filter(|at| (from..=until).contains(at));
    let bounded: Vec<_> = std::iter::once(from).chain(inside).chain([until]).collect();
    intervals(&bounded).into_iter().max().unwrap_or_default()
}

/// Milliseconds with a fraction.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_samples() {
        let samples: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        for (per_mille, expected) in [(500, 50), (990, 99), (1_000, 100), (0, 1)] {
            assert_eq!(quantile(&samples, per_mille), Duration::from_millis(expected));
        }
        assert_eq!(quantile(&[], 500), Duration::ZERO);
    }

    #[test]
    fn silence_at_either_end_is_a_gap_too() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(longest_gap(&[at(10), at(20)], at(0), at(100)), Duration::from_millis(80));
        assert_eq!(longest_gap(&[at(60), at(70)], at(0), at(100)), Duration::from_millis(60));
        assert_eq!(longest_gap(&[], at(0), at(100)), Duration::from_millis(100));
    }
}
