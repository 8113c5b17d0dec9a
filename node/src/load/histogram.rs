//! Durations in constant memory, however many: 128 steps to each doubling, so that a percentile is at most 1 % too high.

use std::time::Duration;

/// Steps to each doubling.
const STEPS: u64 = 128;
/// Longer ones count as this, twelve days.
const LONGEST_US: u64 = (1 << 40) - 1;

/// How many durations fell into each step.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: Duration,
}

impl Histogram {
    pub fn add(&mut self, duration: Duration) {
        let step = step(u64::try_from(duration.as_micros()).unwrap_or(LONGEST_US).min(LONGEST_US));
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.total += 1;
        self.max = self.max.max(duration);
    }

    pub fn max(&self) -> Duration {
        self.max
    }

    /// What `per_mille` of all durations do not exceed; zero when there are none.
    pub fn percentile(&self, per_mille: u64) -> Duration {
        let wanted = (self.total * per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            wanted <= seen
        });
        reached.map_or(Duration::ZERO, |step| Duration::from_micros(upper(step)).min(self.max))
    }
}

/// The step of a duration. The first `STEPS` are of one microsecond; from there on each doubling has `STEPS`.
fn step(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let shift = us.ilog2() - STEPS.ilog2();
    (u64::from(shift) * STEPS + (us >> shift)) as usize
}

/// The longest duration of a step.
fn upper(step: usize) -> u64 {
    let step = step as u64;
    if step < STEPS {
        return step;
    }
    let shift = step / STEPS - 1;
    ((step % STEPS + STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_step_and_at_most_1_percent_below_its_end() {
        let (mut us, mut last) = (0, 0);
        while us < LONGEST_US {
            let step = step(us);
            assert!(last <= step && us <= upper(step) && upper(step) - us <= us / 100, "{us}: step {step} ends at {}", upper(step));
            assert!(step == 0 || upper(step - 1) < us, "{us} belongs to an earlier step");
            last = step;
            us += us / 3 + 1;
        }
    }

    #[test]
    fn percentiles_are_those_of_the_samples_and_the_maximum_is_exact() {
        let mut histogram = Histogram::default();
        (1..=1_000).rev().for_each(|ms| histogram.add(Duration::from_millis(ms)));
        for (per_mille, expected) in [(500, 500.0), (950, 950.0), (990, 990.0)] {
            let found = histogram.percentile(per_mille).as_secs_f64() * 1_000.0;
            assert!((expected..expected * 1.01).contains(&found), "{per_mille}: {found}");
        }
        assert_eq!((histogram.percentile(1_000), histogram.max()), (Duration::from_secs(1), Duration::from_secs(1)));
    }

    #[test]
    fn no_samples_and_one_sample_have_percentiles_too() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(500), histogram.max()), (Duration::ZERO, Duration::ZERO));
        histogram.add(Duration::from_micros(12_345));
        assert_eq!((histogram.percentile(1), histogram.percentile(990)), (Duration::from_micros(12_345), Duration::from_micros(12_345)));
    }
}
