//! Parameters of a call: a list, each of its own type, refused by name.

use jsonrpsee::types::ErrorObjectOwned;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::INVALID_PARAMS;

/// Bytes of a parser's complaint that are passed on; it may quote what the client sent.
const MAX_REASON_BYTES: usize = 200;

/// Parameters as they came, not yet counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Params<'a>(pub Option<&'a str>);

/// Parameters of a method that knows their names.
pub(crate) struct Named<'a> {
    names: &'static [&'static str],
    values: Vec<&'a RawValue>,
}

impl<'a> Params<'a> {
    /// As many as `names`, or fewer.
    pub fn named(self, names: &'static [&'static str]) -> Result<Named<'a>, ErrorObjectOwned> {
        let values: Vec<&RawValue> = match self.0 {
            None | Some("null") => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|_| invalid(format!("params must be a list of {}", listed(names))))?,
        };
        if names.len() < values.len() {
            return Err(invalid(format!("too many arguments, want at most {}", names.len())));
        }
        Ok(Named { names, values })
    }

    /// None at all.
    pub fn none(self) -> Result<(), ErrorObjectOwned> {
        self.named(&[]).map(drop)
    }
}

impl Named<'_> {
    /// The parameter at `index`, which must be there.
    pub fn required<T: DeserializeOwned>(&self, index: usize) -> Result<T, ErrorObjectOwned> {
        self.optional(index)?.ok_or_else(|| invalid(format!("missing value for required argument {index} ({})", self.names[index])))
    }

    /// The parameter at `index`, which must be there and begin with `0x`; the types of bytes themselves would do without.
    pub fn hex<T: DeserializeOwned>(&self, index: usize) -> Result<T, ErrorObjectOwned> {
        let text = self.values.get(index).map_or("", |value| value.get());
        match text.starts_with('"') && !text.starts_with("\"0x") {
            true => Err(self.refuse(index, "hex string without 0x prefix")),
            false => self.required(index),
        }
    }

    /// The parameter at `index`; none when it is `null` or left out.
    pub fn optional<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, ErrorObjectOwned> {
        let Some(value) = self.values.get(index) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|error| self.refuse(index, error))
    }

    /// Why the parameter at `index` cannot be taken.
    pub fn refuse(&self, index: usize, reason: impl ToString) -> ErrorObjectOwned {
        let reason = reason.to_string();
        // The parser's position counts within the argument, which the client cannot see.
        let reason = reason.split(" at line ").next().unwrap_or_default();
        invalid(format!("invalid argument {index} ({}): {}", self.names[index], cut(reason)))
    }
}

/// An error that blames the parameters.
pub(crate) fn invalid(message: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_PARAMS, message.into(), None::<()>)
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_REASON_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alloy_primitives::Address;

    const NAMES: &[&str] = &["address", "flag"];

    fn message<T>(result: Result<T, ErrorObjectOwned>) -> String {
        let error = result.err().unwrap();
        assert_eq!(error.code(), INVALID_PARAMS);
        error.message().to_owned()
    }

    #[test]
    fn what_is_left_out_or_null_is_missing() {
        for text in [None, Some("null"), Some("[]"), Some("[null]"), Some("[null, true]")] {
            let params = Params(text).named(NAMES).unwrap();
            assert_eq!(message(params.required::<Address>(0)), "missing value for required argument 0 (address)");
        }
        assert_eq!(Params(Some("[null, true]")).named(NAMES).unwrap().optional::<bool>(1).unwrap(), Some(true));
    }

    #[test]
    fn a_wrong_type_is_refused_by_name() {
        let params = Params(Some("[1, \"yes\"]")).named(NAMES).unwrap();
        assert!(message(params.required::<Address>(0)).starts_with("invalid argument 0 (address): invalid type"));
        assert!(message(params.optional::<bool>(1)).starts_with("invalid argument 1 (flag): invalid type"));
    }

    #[test]
    fn bytes_without_their_prefix_are_refused() {
        let text = format!("[\"{}\", \"0x{}\"]", "00".repeat(20), "00".repeat(20));
        let params = Params(Some(&text)).named(NAMES).unwrap();
        assert_eq!(message(params.hex::<Address>(0)), "invalid argument 0 (address): hex string without 0x prefix");
        assert_eq!(params.hex::<Address>(1).unwrap(), Address::ZERO);
        assert!(message(Params(None).named(NAMES).unwrap().hex::<Address>(0)).starts_with("missing value"));
    }

    #[test]
    fn more_than_the_method_knows_is_refused() {
        assert_eq!(message(Params(Some("[1,2,3]")).named(NAMES)), "too many arguments, want at most 2");
        assert_eq!(message(Params(Some("[1]")).none()), "too many arguments, want at most 0");
    }

    #[test]
    fn an_object_is_no_list() {
        assert_eq!(message(Params(Some("{\"address\":1}")).named(NAMES)), "params must be a list of address, flag");
    }

    #[test]
    fn a_deep_value_is_refused_without_descending() {
        let deep = format!("[{}1{}]", "[".repeat(100_000), "]".repeat(100_000));
        let params = Params(Some(&deep)).named(NAMES).unwrap();
        assert!(message(params.required::<serde_json::Value>(0)).contains("recursion limit"));
    }

    #[test]
    fn a_long_complaint_is_cut() {
        let long = format!("[\"{}\"]", "\u{e9}".repeat(10_000));
        let params = Params(Some(&long)).named(NAMES).unwrap();
        assert!(message(params.required::<bool>(0)).len() < 300);
    }
}
