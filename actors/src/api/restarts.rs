//! How many restarts there were within the last hour.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;

const WINDOW: Duration = Duration::from_secs(3_600);
/// Totals are remembered at most this often.
const GRAIN: Duration = Duration::from_secs(60);

/// Remembers totals. Clones remember the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Restarts(Arc<Mutex<VecDeque<(Duration, u64)>>>);

impl Restarts {
    /// `total` restarts have happened until `now`: how many of them within the window.
    pub fn within_an_hour(&self, total: u64, now: Duration) -> u64 {
        let mut totals = self.0.lock();
        if totals.back().is_none_or(|(at, _)| *at + GRAIN <= now) {
            totals.push_back((now, total));
        }
        while totals.get(1).is_some_and(|(at, _)| *at + WINDOW <= now) {
            totals.pop_front();
        }
        let is_older = |(at, _): &(Duration, u64)| *at + WINDOW <= now;
        let before = totals.front().filter(|total| is_older(total)).map_or(0, |(_, total)| *total);
        total.saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_hour_counts() {
        let restarts = Restarts::default();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(restarts.within_an_hour(2, minutes(0)), 2);
        assert_eq!(restarts.within_an_hour(5, minutes(30)), 5);
        assert_eq!(restarts.within_an_hour(5, minutes(61)), 3);
        assert_eq!(restarts.within_an_hour(5, minutes(95)), 0);
    }
}
