//! What a client writes into an address, parsed once.

use std::fmt;

use alloy_primitives::{Address, B256, hex};
use axum::{
    extract::{FromRequestParts, Path, Query},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use primitives::Height;
use serde::de::DeserializeOwned;

use super::Refusal;
use crate::BlockRef;

/// Characters of what a client sent that are repeated to it.
const MAX_REPEATED_CHARS: usize = 80;
/// The last height that JSON can write as a number everywhere, 2^53 - 1.
pub(super) const MAX_HEIGHT: u64 = (1 << 53) - 1;

/// The parameters of a page, refused in our own words.
pub(crate) struct Asked<T>(pub T);

/// The part of a path that names something.
pub(crate) struct Segment(pub String);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Query(asked) = Query::from_request_parts(parts, state).await.map_err(|error| Refusal::malformed(cut(&error)).into_response())?;
        Ok(Self(asked))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Path(text) = Path::from_request_parts(parts, state).await.map_err(|error| Refusal::malformed(cut(&error)).into_response())?;
        Ok(Self(text))
    }
}

/// `latest`, a number or a hash.
pub(super) fn block(text: &str) -> Result<BlockRef, Refusal> {
    if text == "latest" {
        return Ok(BlockRef::Latest);
    }
    if text.starts_with("0x") {
        return hash(text).map(BlockRef::Hash);
    }
    number(text).map(|number| BlockRef::Height(Height(number))).ok_or_else(|| refuse("block", text, "latest, a decimal number or a hash"))
}

pub(super) fn height(text: &str) -> Result<Height, Refusal> {
    number(text).map(Height).ok_or_else(|| refuse("height", text, "a decimal number"))
}

pub(super) fn hash(text: &str) -> Result<B256, Refusal> {
    bytes(text).map(B256::new).ok_or_else(|| refuse("hash", text, "0x and 64 hexadecimal digits"))
}

pub(super) fn address(text: &str) -> Result<Address, Refusal> {
    bytes(text).map(Address::new).ok_or_else(|| refuse("address", text, "0x and 40 hexadecimal digits"))
}

/// Digits only. A number that is too large for any block is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex::decode_to_array(text.strip_prefix("0x").filter(|digits| !digits.starts_with("0x"))?).ok()
}

fn refuse(what: &str, text: &str, wanted: &str) -> Refusal {
    Refusal::malformed(format!("'{}' is no {what}; write {wanted}", cut(&text)))
}

/// Whether a query has `word`, with whatever value or none.
pub(crate) fn asks_for(query: Option<&str>, word: &str) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some(word)))
}

/// The beginning of a text that may be a client's.
pub(crate) fn cut(text: &impl fmt::Display) -> String {
    text.to_string().chars().take(MAX_REPEATED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HASH: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

    #[test]
    fn a_block_is_latest_a_number_or_a_hash() {
        for (text, expected) in [
            ("latest", BlockRef::Latest),
            ("0", BlockRef::Height(Height(0))),
            ("007", BlockRef::Height(Height(7))),
            ("99999999999999999999999999", BlockRef::Height(Height(u64::MAX))),
            (HASH, BlockRef::Hash(B256::repeat_byte(0x11))),
        ] {
            assert_eq!(block(text), Ok(expected));
        }
        for text in ["", "+1", "-1", "1.0", "0x", "0x1", "0x0x11", "Latest", "ff", &HASH[..65], "\u{0661}"] {
            let refusal = block(text).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (400, "malformed"), "{text}");
        }
    }

    #[test]
    fn an_address_has_twenty_bytes_in_any_case() {
        assert_eq!(address("0xAbABababababababababababababababababaBAb").unwrap(), Address::repeat_byte(0xab));
        for text in ["", "0x", "0xab", HASH, "abababababababababababababababababababab"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn little_of_what_was_sent_is_repeated() {
        assert!(height(&"\u{e9}".repeat(10_000)).unwrap_err().message.len() < 300);
    }
}
