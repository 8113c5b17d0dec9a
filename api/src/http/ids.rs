//! Ids of calls: whoever gives one wants an answer, and the library takes a call with an id that it cannot echo for a notification.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What a client hears whose id is none.
pub(super) const ADVICE: &str = "invalid request: an id is a string, a whole number from 0 to 18446744073709551615, or null; nothing was carried out";

/// One call, as far as its id goes.
#[derive(Deserialize)]
struct Call {
    #[serde(default = "absent", deserialize_with = "can_be_echoed")]
    id: bool,
}

/// Whether each call in `body`, one or a batch, has an id that can be echoed, or none. What is no call is the library's to refuse.
pub(super) fn are_good(body: &[u8]) -> bool {
    match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice::<Call>(body).map_or(true, |call| call.id),
        Some(b'[') => serde_json::from_slice::<Vec<Call>>(body).map_or(true, |calls| calls.iter().all(|call| call.id)),
        _ => true,
    }
}

fn absent() -> bool {
    true
}

fn can_be_echoed<'de, D: Deserializer<'de>>(id: D) -> Result<bool, D::Error> {
    let id = <&RawValue>::deserialize(id)?.get();
    Ok(id == "null" || id.starts_with('"') || id.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_string_a_whole_number_or_null() {
        for good in [r#"{}"#, r#"{"id":1}"#, r#"{"id":"x"}"#, r#"{"id":null}"#, r#"[{"id":18446744073709551615},{}]"#, "[]", "7", "{", ""] {
            assert!(are_good(good.as_bytes()), "{good}");
        }
        for bad in [r#"{"id":-1}"#, r#"{"id":1.5}"#, r#"{"id":1e3}"#, r#" {"id":true}"#, r#"{"id":[1]}"#, r#"{"id":{}}"#, r#"[{"id":2},{"id":-1}]"#] {
            assert!(!are_good(bad.as_bytes()), "{bad}");
        }
        assert!(!are_good(br#"{"id":99999999999999999999}"#));
    }
}
