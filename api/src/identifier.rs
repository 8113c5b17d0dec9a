//! Names of filters and subscriptions: random, so that nobody guesses those of another.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a filter or a subscription; in JSON `0x`-hex of 32 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identifier(u128);

impl Identifier {
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#034x}", self.0)
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
        number.map(Self).ok_or_else(|| de::Error::custom("want a 0x-string of at most 32 digits"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_identifier_is_read_as_it_was_written() {
        let text = serde_json::to_string(&Identifier(7)).unwrap();
        assert_eq!(text, "\"0x00000000000000000000000000000007\"");
        assert_eq!(serde_json::from_str::<Identifier>(&text).unwrap(), Identifier(7));
        assert_eq!(serde_json::from_str::<Identifier>("\"0x7\"").unwrap(), Identifier(7));
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for text in ["\"\"", "\"0x\"", "\"7\"", "\"0x+7\"", "\"0xg\"", "7", "null", "\"0x123456789012345678901234567890123\""] {
            assert!(serde_json::from_str::<Identifier>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_two_are_alike() {
        assert_ne!(Identifier::random(), Identifier::random());
    }
}
