//! How much work a stranger must do to come in: what is configured, and more while too many come. No I/O.

use std::time::Duration;

/// Connections within a second that are no reason for concern.
pub(super) const MAX_CALM_ATTEMPTS: u32 = 64;
/// What is demanded when pressure begins: a thousandth of a second.
const FIRST_BITS: u8 = 12;
/// What pressure makes of it at most; what is configured may be more.
const MAX_PRESSED_BITS: u8 = 18;
/// One step up or down: four times the work.
const STEP_BITS: u8 = 2;
const RISE_EVERY: Duration = Duration::from_millis(250);
const FALL_EVERY: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(1);

/// Times are of any clock that only goes forward.
#[derive(Debug)]
pub(super) struct Toll {
    /// As configured.
    calm_bits: u8,
    bits: u8,
    /// When the window began, and who came in it.
    window: Duration,
    attempts: u32,
    /// When `bits` last changed, or when pressure was last felt.
    moved: Duration,
}

impl Toll {
    pub fn new(calm_bits: u8) -> Self {
        Self { calm_bits, bits: calm_bits, window: Duration::ZERO, attempts: 0, moved: Duration::ZERO }
    }

    /// One more comes while `under_way` of at most `max` others shake hands. Returns what is demanded now, in bits.
    pub fn came(&mut self, now: Duration, under_way: usize, max: usize) -> u8 {
        if WINDOW <= now.saturating_sub(self.window) {
            (self.window, self.attempts) = (now, 0);
        }
        self.attempts = self.attempts.saturating_add(1);
        let is_pressed = max < 2 * under_way || MAX_CALM_ATTEMPTS < self.attempts;
        if is_pressed {
            self.rise(now)
        } else {
            self.fall(now)
        }
        self.bits
    }

    fn rise(&mut self, now: Duration) {
        let is_first = self.bits == self.calm_bits;
        if is_first || self.moved + RISE_EVERY <= now {
            self.bits = (self.bits + STEP_BITS).max(FIRST_BITS).min(MAX_PRESSED_BITS.max(self.calm_bits));
            self.moved = now;
        }
    }

    fn fall(&mut self, now: Duration) {
        while self.calm_bits < self.bits && self.moved + FALL_EVERY <= now {
            let lower = self.bits - STEP_BITS;
            self.bits = if lower < FIRST_BITS { self.calm_bits } else { lower.max(self.calm_bits) };
            self.moved += FALL_EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn without_pressure_it_is_what_is_configured() {
        for bits in [0, 5, 20] {
            let mut toll = Toll::new(bits);
            assert!((0..1_000).all(|number| toll.came(ms(20 * number), 128, 256) == bits));
        }
    }

    #[test]
    fn more_than_half_of_the_handshakes_raise_it_step_by_step_to_its_bound() {
        let mut toll = Toll::new(0);
        let seen: Vec<_> = (0..6).map(|number| toll.came(ms(1_000 + 250 * number), 129, 256)).collect();
        assert_eq!(seen, [12, 14, 16, 18, 18, 18]);
        let mut toll = Toll::new(20);
        assert_eq!(toll.came(ms(1_000), 256, 256), 20);
    }

    #[test]
    fn a_rush_raises_it_and_calm_lets_it_fall() {
        let mut toll = Toll::new(3);
        let rush: Vec<_> = (0..=u64::from(MAX_CALM_ATTEMPTS)).map(|number| toll.came(ms(1_000 + number), 1, 256)).collect();
        assert_eq!((rush[0], rush[rush.len() - 1]), (3, 12));
        assert_eq!(toll.came(ms(1_400), 1, 256), 14);
        assert_eq!(toll.came(ms(6_399), 1, 256), 14);
        assert_eq!(toll.came(ms(6_400), 1, 256), 12);
        assert_eq!(toll.came(ms(60_000), 1, 256), 3);
    }
}
