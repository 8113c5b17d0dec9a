//! Numbers as Ethereum writes them.

use alloy_primitives::U64;
use serde::{Deserialize, Deserializer, de};

/// `0x`-hex without leading zeros.
pub(super) fn quantity(number: u64) -> U64 {
    U64::from(number)
}

/// A count that clients send as hex or, as geth allows for a few methods, as a decimal number.
#[derive(Clone, Copy, Debug)]
pub(super) struct HexOrDecimal(pub u64);

impl<'de> Deserialize<'de> for HexOrDecimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(String),
        }
        match Either::deserialize(deserializer).map_err(|_| de::Error::custom("want a number or a 0x-string"))? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => parse(&text).map(Self).ok_or_else(|| de::Error::custom("want a number or a 0x-string")),
        }
    }
}

/// A number that must be `0x`-hex.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hex(pub u64);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.strip_prefix("0x").and_then(|_| parse(&text));
        number.map(Self).ok_or_else(|| de::Error::custom("want a 0x-string of at most 16 digits"))
    }
}

fn parse(text: &str) -> Option<u64> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |hex| (hex, 16));
    // `from_str_radix` would take a sign.
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_count_is_hex_or_decimal() {
        for (text, number) in [("4", 4), ("\"0x10\"", 16), ("\"10\"", 10)] {
            assert_eq!(serde_json::from_str::<HexOrDecimal>(text).unwrap().0, number);
        }
        for text in ["-1", "1.5", "\"\"", "\"0x\"", "\"+1\"", "\"0x+1\"", "true", "[]", "\"0x10000000000000000\""] {
            assert!(serde_json::from_str::<HexOrDecimal>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_index_is_hex() {
        assert_eq!(serde_json::from_str::<Hex>("\"0xff\"").unwrap().0, 255);
        for text in ["1", "\"1\"", "\"0x\"", "\"-0x1\""] {
            assert!(serde_json::from_str::<Hex>(text).is_err(), "{text}");
        }
    }
}
