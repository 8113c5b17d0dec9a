//! Bytes inside messages: hex for people, raw for machines.
//!
//! Unlike the general implementations, these never reserve memory for a length that a peer merely claims.

use std::fmt;

use primitives::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    if deserializer.is_human_readable() { deserializer.deserialize_str(Octets) } else { deserializer.deserialize_bytes(Octets) }
}

struct Octets;

// No `visit_seq`: a list of numbers is refused.
impl de::Visitor<'_> for Octets {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or hex beginning 0x")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        alloy_primitives::hex::decode(text).map(Bytes::from).map_err(E::custom)
    }
}

/// The same for a list of byte strings.
pub(crate) mod list {
    use super::*;

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Item(#[serde(with = "super")] Bytes);

    pub(crate) fn serialize<S: Serializer>(items: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        items.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        let items = Vec::<Item>::deserialize(deserializer)?;
        Ok(items.into_iter().map(|Item(bytes)| bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(transparent)]
    struct Wrapped(#[serde(with = "super")] Bytes);

    /// A list is where a general implementation reserves what is claimed, before the first item is read.
    #[test]
    fn a_list_of_numbers_is_refused_whatever_length_it_claims() {
        let three_numbers = [0x93, 1, 2, 3];
        let claims_four_billion = [0xdd, 0xff, 0xff, 0xff, 0xff, 1];
        for list in [&three_numbers[..], &claims_four_billion] {
            let error = rmp_serde::from_slice::<Wrapped>(list).map(|Wrapped(bytes)| bytes).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains("invalid type: sequence")), "{error:?}");
        }
    }

    #[test]
    fn bytes_that_are_shorter_than_they_claim_are_refused() {
        let bytes_of_four_billion = [0xc6, 0xff, 0xff, 0xff, 0xff, 1];
        assert!(rmp_serde::from_slice::<Wrapped>(&bytes_of_four_billion).is_err());
    }

    #[test]
    fn hex_is_read_with_and_without_its_prefix() {
        for text in ["\"0x0102\"", "\"0102\""] {
            assert!(serde_json::from_str::<Wrapped>(text).is_ok_and(|Wrapped(bytes)| bytes[..] == [1, 2]));
        }
        assert!(serde_json::from_str::<Wrapped>("\"0x012\"").is_err());
        assert!(serde_json::from_str::<Wrapped>("[1, 2]").is_err());
    }
}
