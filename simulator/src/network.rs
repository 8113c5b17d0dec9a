//! Links that lose, double, delay, reorder, and part.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

/// How links behave for a while.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Share of messages that are lost.
    pub loss: f64,
    /// Share of messages that come twice.
    pub duplication: f64,
    /// The usual delay, in microseconds.
    pub delay_us: (u64, u64),
    /// Share of messages that take up to a hundred times as long, and are overtaken.
    pub stragglers: f64,
}

impl Weather {
    pub const FAIR: Self = Self { loss: 0.0, duplication: 0.0, delay_us: (200, 2_000), stragglers: 0.0 };
    pub const ROUGH: Self = Self { loss: 0.05, duplication: 0.05, delay_us: (200, 20_000), stragglers: 0.05 };
    pub const LOSSY: Self = Self { loss: 0.15, duplication: 0.1, delay_us: (200, 20_000), stragglers: 0.05 };
}

/// Who hears whom, and when.
pub struct Network {
    pub weather: Weather,
    /// The side each node is on; only nodes of one side hear each other.
    sides: Vec<u8>,
}

impl Network {
    pub fn new(nodes: usize, weather: Weather) -> Self {
        Self { weather, sides: vec![0; nodes] }
    }

    /// Splits the nodes at random.
    pub fn part(&mut self, rng: &mut StdRng) {
        for side in &mut self.sides {
            *side = rng.random_range(0..2);
        }
    }

    pub fn heal(&mut self) {
        self.sides.fill(0);
    }

    pub fn are_linked(&self, a: usize, b: usize) -> bool {
        self.sides[a] == self.sides[b]
    }

    /// After how long each copy of a message arrives; none when it is lost.
    pub fn deliveries(&self, from: usize, to: usize, rng: &mut StdRng) -> Vec<Duration> {
        let Weather { loss, duplication, delay_us: (least, most), stragglers } = self.weather;
        if !self.are_linked(from, to) || rng.random_bool(loss) {
            return Vec::new();
        }
        let copies = if rng.random_bool(duplication) { 2 } else { 1 };
        let mut delay = || {
            let usual = rng.random_range(least..=most);
            Duration::from_micros(if rng.random_bool(stragglers) { usual * rng.random_range(1..=100) } else { usual })
        };
        (0..copies).map(|_| delay()).collect()
    }
}
