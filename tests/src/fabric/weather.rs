//! What one direction between two validators is like. No I/O: the dice are handed in.

use std::time::Duration;

use rand::Rng;

/// The shortest time after which TCP sends a segment again that nobody acknowledged.
const RETRANSMISSION_AT_LEAST: Duration = Duration::from_millis(200);
/// Segments lost one after the other that still only double the wait.
const MAX_DOUBLINGS: u32 = 6;
/// What one segment of TCP carries.
pub(super) const SEGMENT_BYTES: usize = 1_448;

/// One direction between two validators.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// From one end to the other.
    pub delay: Duration,
    /// On top of it, at most.
    pub jitter: Duration,
    /// The part of the packets that are lost, from 0 to 1.
    pub loss: f64,
    /// None: as fast as the machine is.
    pub bytes_per_second: Option<u64>,
    /// Nothing arrives, and nobody is told.
    pub is_blocked: bool,
}

impl Weather {
    /// Nothing arrives.
    pub const BLOCKED: Self = Self { delay: Duration::ZERO, jitter: Duration::ZERO, loss: 0.0, bytes_per_second: None, is_blocked: true };

    /// Half the world away, over lines that lose one packet in a hundred.
    pub const WAN: Self = Self { delay: Duration::from_millis(50), jitter: Duration::ZERO, loss: 0.01, bytes_per_second: None, is_blocked: false };

    /// How long one packet takes; none when it is lost.
    pub fn packet(&self, random: &mut impl Rng) -> Option<Duration> {
        let arrives = !self.is_blocked && (self.loss <= 0.0 || self.loss < random.random::<f64>());
        arrives.then(|| self.delay + self.jitter.mul_f64(random.random()))
    }

    /// How long `bytes` of a stream take, where losses are times until TCP has sent again.
    pub fn stretch(&self, bytes: usize, random: &mut impl Rng) -> Duration {
        let segments = bytes.div_ceil(SEGMENT_BYTES);
        let losses = (0..segments).map(|_| self.losses(random)).max().unwrap_or_default();
        let again = (RETRANSMISSION_AT_LEAST + 2 * self.delay) * ((1 << losses) - 1);
        self.delay + self.jitter.mul_f64(random.random()) + again
    }

    /// How long the line is busy with `bytes`.
    pub fn busy(&self, bytes: usize) -> Duration {
        self.bytes_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64))
    }

    /// How often in a row one segment is lost.
    fn losses(&self, random: &mut impl Rng) -> u32 {
        (0..MAX_DOUBLINGS).take_while(|_| random.random::<f64>() < self.loss).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn random() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn fair_weather_costs_nothing_and_loses_nothing() {
        let (fair, mut random) = (Weather::default(), random());
        assert!((0..1_000).all(|_| fair.packet(&mut random) == Some(Duration::ZERO)));
        assert_eq!((fair.stretch(1 << 20, &mut random), fair.busy(1 << 20)), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn what_is_blocked_lets_nothing_through() {
        let mut random = random();
        assert!((0..1_000).all(|_| Weather::BLOCKED.packet(&mut random).is_none()));
    }

    #[test]
    fn one_packet_in_a_hundred_is_lost_and_costs_a_stream_a_retransmission() {
        let mut random = random();
        let lost = (0..100_000).filter(|_| Weather::WAN.packet(&mut random).is_none()).count();
        assert!((800..1_200).contains(&lost), "{lost}");
        let late = (0..100_000).filter(|_| Weather::WAN.stretch(100, &mut random) != Weather::WAN.delay).count();
        assert!((800..1_200).contains(&late), "{late}");
        let always = Weather { loss: 1.0, ..Weather::WAN };
        assert_eq!(always.stretch(1, &mut random), Duration::from_millis(50 + 300 * 63));
    }

    #[test]
    fn a_narrow_line_is_busy_with_what_it_carries() {
        let narrow = Weather { bytes_per_second: Some(1_000), ..Weather::default() };
        assert_eq!(narrow.busy(500), Duration::from_millis(500));
    }
}
