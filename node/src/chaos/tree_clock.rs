//! When what a tree tells has happened.

use std::time::{Duration, Instant};

/// Tells when an event happened by the tree's own stamp, so that it hardly matters how late it is read.
#[derive(Clone, Debug, Default)]
pub struct TreeClock(Option<Instant>);

impl TreeClock {
    /// When something happened that bears the stamp `at_ms` and is read now. The promptest reader knows best when the tree's clock began.
    pub fn at(&mut self, now: Instant, at_ms: u64) -> Instant {
        let since = Duration::from_millis(at_ms);
        let begun = now.checked_sub(since).unwrap_or(now);
        let begun = self.0.map_or(begun, |known| known.min(begun));
        self.0 = Some(begun);
        begun + since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_late_happened_when_its_stamp_says() {
        let (mut clock, start) = (TreeClock::default(), Instant::now());
        let ms = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(clock.at(ms(100), 100), ms(100));
        assert_eq!(clock.at(ms(500), 200), ms(200), "read 300 ms late");
    }
}
