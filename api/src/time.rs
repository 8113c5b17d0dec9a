//! Points in time as people read them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Seconds since 1970 in UTC; in JSON as RFC 3339: `2026-01-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub u64);

/// Milliseconds since 1970 in UTC; in JSON as RFC 3339: `2026-01-01T00:00:00.000Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

const SECONDS_PER_DAY: u64 = 86_400;
/// Last second of the year 9999, the last that RFC 3339 can write.
const MAX: u64 = 253_402_300_799;

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.min(MAX);
        let (year, month, day) = civil(seconds / SECONDS_PER_DAY);
        let second = seconds % SECONDS_PER_DAY;
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = UnixSeconds(self.0 / 1_000).to_string();
        write!(f, "{}.{:03}Z", seconds.trim_end_matches('Z'), self.0 % 1_000)
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for UnixSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| de::Error::custom(format!("'{text}' is not a time like 2026-01-01T00:00:00Z")))
    }
}

/// Year, month and day that begin `days` after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date: the inverse of [`civil`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let year_of_era = year % 400;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (year / 400 * 146_097 + day_of_era).checked_sub(719_468)
}

fn parse(text: &str) -> Option<UnixSeconds> {
    let field = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let date = days(field(0, 4)?, field(5, 7).filter(|month| (1..=12).contains(month))?, field(8, 10).filter(|day| (1..=31).contains(day))?)?;
    let parsed = UnixSeconds(date * SECONDS_PER_DAY + field(11, 13)? * 3600 + field(14, 16)? * 60 + field(17, 19)?);
    // What is read must be what would have been written, so nothing sloppy gets through.
    (parsed.to_string() == text).then_some(parsed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_and_read_back() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixSeconds(seconds).to_string(), text);
            assert_eq!(parse(text), Some(UnixSeconds(seconds)));
        }
    }

    #[test]
    fn milliseconds_stand_behind_the_seconds() {
        assert_eq!(UnixMillis(1_767_225_600_007).to_string(), "2026-01-01T00:00:00.007Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "2026-01-01", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01 00:00:00Z", "0000-01-01T00:00:00Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_absurd_time_is_written_too() {
        assert_eq!(UnixSeconds(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
