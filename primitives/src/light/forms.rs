//! The forms in which headers, metadata and certificates are handed around: canonical RLP in hex, or the JSON of an API.

use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Decodable, Encodable};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{Certificate, Header, Metadata, certificate::Encoded};

/// A value in none of the forms that it may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} cannot be read: {reason}")]
pub struct Malformed {
    pub what: &'static str,
    pub reason: String,
}

impl Malformed {
    fn new(what: &'static str) -> impl Fn(String) -> Self {
        move |reason| Self { what, reason }
    }
}

/// A header: its RLP in hex, or the block as `eth_getBlockByNumber` answers it.
pub fn header(value: &Value) -> Result<Header, Malformed> {
    let malformed = Malformed::new("header");
    match value {
        Value::String(text) => rlp(text).map_err(malformed),
        _ => fields(value).map_err(malformed),
    }
}

/// A certificate: its RLP in hex, or JSON.
fn certificate(value: &Value) -> Result<Certificate, Malformed> {
    let malformed = Malformed::new("certificate");
    match value {
        Value::String(text) => rlp::<Encoded>(text).and_then(|encoded| encoded.try_into().map_err(|error: alloy_rlp::Error| error.to_string())),
        _ => Certificate::deserialize(value).map_err(|error| error.to_string()),
    }
    .map_err(malformed)
}

fn metadata(text: &str) -> Result<Metadata, Malformed> {
    let malformed = Malformed::new("metadata");
    let bytes = hex(text).map_err(&malformed)?;
    Metadata::decode(&bytes).map_err(|error| malformed(error.to_string()))
}

/// A block's hash follows from its fields; one that is said beside them must be that.
fn fields(value: &Value) -> Result<Header, String> {
    let header = Header::deserialize(value).map_err(|error| error.to_string())?;
    let hash = header.hash_slow();
    match value.get("hash").map(B256::deserialize) {
        Some(Ok(said)) if said != hash => Err(format!("its fields have the hash {hash}, but it says {said}")),
        Some(Err(error)) => Err(format!("hash: {error}")),
        _ => Ok(header),
    }
}

fn hex(text: &str) -> Result<Bytes, String> {
    text.trim().parse().map_err(|error| format!("no hex: {error}"))
}

fn rlp<T: Decodable + Encodable>(text: &str) -> Result<T, String> {
    let bytes = hex(text)?;
    let mut rest = &bytes[..];
    let value = T::decode(&mut rest).map_err(|error| format!("no RLP of one: {error}"))?;
    if alloy_rlp::encode(&value) == bytes { Ok(value) } else { Err("not the canonical RLP".to_owned()) }
}

/// Serde's `with` for a header; written as RLP in hex.
pub(super) mod as_header {
    use super::*;

    pub fn serialize<S: Serializer>(header: &Header, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::from(alloy_rlp::encode(header)).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        header(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Serde's `with` for metadata: RLP in hex.
pub(super) mod as_metadata {
    use super::*;

    pub fn serialize<S: Serializer>(metadata: &Metadata, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::from(metadata.encode()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
        metadata(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Serde's `with` for a certificate; written as JSON.
pub(super) mod as_certificate {
    use super::*;

    pub fn serialize<S: Serializer>(certificate: &Certificate, serializer: S) -> Result<S::Ok, S::Error> {
        certificate.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Certificate, D::Error> {
        certificate(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::testing, *};

    #[test]
    fn a_header_is_read_from_rlp_and_from_the_json_of_a_block() {
        let expected = testing::chain(&[&[1, 2, 3, 4]]).remove(0).header;
        let encoded = Bytes::from(alloy_rlp::encode(&expected));
        assert_eq!(header(&serde_json::json!(encoded)), Ok(expected.clone()));
        let mut block = serde_json::to_value(&expected).unwrap();
        assert_eq!(header(&block), Ok(expected.clone()));
        block["transactions"] = serde_json::json!([]);
        block["hash"] = serde_json::json!(expected.hash_slow());
        assert_eq!(header(&block), Ok(expected.clone()));
        block["gasUsed"] = serde_json::json!("0x1");
        assert!(header(&block).unwrap_err().reason.contains(&format!("but it says {}", expected.hash_slow())));
    }

    #[test]
    fn a_certificate_is_read_from_rlp_and_json() {
        let expected = testing::chain(&[&[1, 2, 3, 4]]).remove(0).certificate;
        let encoded = Bytes::from(alloy_rlp::encode(Encoded::from(&expected)));
        assert_eq!(certificate(&serde_json::json!(encoded)), Ok(expected.clone()));
        assert_eq!(certificate(&serde_json::to_value(&expected).unwrap()), Ok(expected));
    }

    #[test]
    fn what_is_no_canonical_rlp_is_refused_with_its_name() {
        let encoded = alloy_rlp::encode(&testing::chain(&[&[1]]).remove(0).header);
        for text in ["".to_owned(), "0xzz".to_owned(), "0xc0".to_owned(), Bytes::from([&encoded[..], &[0]].concat()).to_string()] {
            assert_eq!(header(&Value::String(text.clone())).unwrap_err().what, "header", "{text}");
        }
        assert_eq!(certificate(&Value::Null).unwrap_err().what, "certificate");
        assert_eq!(metadata("0xc0").unwrap_err().what, "metadata");
    }
}
