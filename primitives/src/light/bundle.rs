//! The light-client proof of one block.

use serde::{Deserialize, Serialize};

use super::forms::{as_certificate, as_header, as_metadata};
use crate::{Certificate, Header, Metadata, ValidatorSet};

/// A header, its metadata and one certificate, with the validator sets that the metadata names by hash.
///
/// As JSON: header and metadata as RLP in hex, the others as JSON. A header is also read as the block that
/// `eth_getBlockByNumber` answers, and a certificate as RLP in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    #[serde(with = "as_header")]
    pub header: Header,
    #[serde(with = "as_metadata")]
    pub metadata: Metadata,
    /// For this very header.
    #[serde(with = "as_certificate")]
    pub certificate: Certificate,
    /// The set of this height; the trusted one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validators: Option<ValidatorSet>,
    /// The set of the next height, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_validators: Option<ValidatorSet>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::testing, *};

    #[test]
    fn a_bundle_is_read_back_as_it_was_written() {
        for bundle in testing::chain(&[&[1, 2, 3, 4], &[1, 2, 3, 4], &[5, 6, 7]]) {
            let text = serde_json::to_string(&bundle).unwrap();
            assert_eq!(serde_json::from_str::<Bundle>(&text).unwrap(), bundle);
        }
    }

    #[test]
    fn a_validator_set_that_is_none_is_refused_by_name() {
        let mut value = serde_json::to_value(testing::chain(&[&[1, 2, 3, 4]]).remove(0)).unwrap();
        value["validators"][0]["power"] = 0.into();
        assert!(serde_json::from_value::<Bundle>(value).unwrap_err().to_string().contains("has no power"));
    }
}
