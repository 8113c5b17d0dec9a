//! Durations as Go writes them: `300ms`, `1.5s`, `1m30s`.

use std::time::Duration;

const UNITS: [(&str, f64); 7] = [("ns", 1e-9), ("us", 1e-6), ("\u{b5}s", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0)];

/// The duration that `text` says; none when it says none, or a negative one.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() || text.is_empty() {
        let number = rest.find(|digit: char| !digit.is_ascii_digit() && digit != '.')?;
        let unit = rest[number..].find(|digit: char| digit.is_ascii_digit() || digit == '.').map_or(rest.len(), |length| number + length);
        let (_, scale) = UNITS.into_iter().find(|(name, _)| *name == &rest[number..unit])?;
        seconds += rest[..number].parse::<f64>().ok()? * scale;
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, ms) in
            [("5s", 5_000), ("300ms", 300), ("1.5s", 1_500), ("1m30s", 90_000), ("1h", 3_600_000), (".5s", 500), ("2000us", 2), ("0", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_none() {
        let long = format!("{}s", "9".repeat(400));
        for text in ["", "5", "s", "-5s", "5 s", "5sec", "1.2.3s", "NaNs", "5\u{e9}", "5s3", &long] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
