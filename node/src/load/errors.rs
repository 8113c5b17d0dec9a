//! Kinds of errors: few enough to be counted and read.

use std::collections::BTreeMap;

use crate::client::ClientError;

/// Kinds that are told apart; further ones are counted together.
const MAX_KINDS: usize = 32;
const MAX_CLASS_CHARS: usize = 60;
const OTHERS: &str = "others";
/// JSON-RPC: the node has too many calls.
const LIMIT_EXCEEDED: i64 = -32_005;
/// How nodes say that it is their trouble, not that of the transaction.
const PASSING: [&str; 9] = ["full", "restarting", "crashed", "deadline", "unavailable", "stopped", "time limit", "not answer", "timeout"];
/// How nodes say that they have the transaction already.
const KNOWN: [&str; 3] = ["already known", "already imported", "nonce too low"];

/// How often each kind occurred.
#[derive(Clone, Debug, Default)]
pub struct Errors(BTreeMap<String, u64>);

impl Errors {
    pub fn count(&mut self, error: &ClientError) {
        let kind = kind(error);
        let is_room = self.0.len() < MAX_KINDS || self.0.contains_key(&kind);
        *self.0.entry(if is_room { kind } else { OTHERS.to_owned() }).or_default() += 1;
    }

    /// The kinds in order of name.
    pub fn kinds(&self) -> &BTreeMap<String, u64> {
        &self.0
    }
}

/// The kind of `error`: the same for all errors that differ in values only.
fn kind(error: &ClientError) -> String {
    match error {
        ClientError::Unreachable { reason, .. } => format!("connection: {}", class(reason)),
        ClientError::Deadline { .. } => "timeout".to_owned(),
        ClientError::Status { status, .. } => format!("HTTP {}", status.as_u16()),
        ClientError::Unexpected { .. } => "not JSON-RPC".to_owned(),
        ClientError::Refused { code, message, .. } => format!("JSON-RPC {code}: {}", class(message)),
    }
}

/// A message without its values: what stands before the first colon or bracket, with every word that has a digit left out.
fn class(message: &str) -> String {
    let head = message.split([':', '(']).next().unwrap_or_default();
    let is_value = |word: &str| word.contains(|character: char| character.is_ascii_digit());
    let words: Vec<_> = head.split_whitespace().map(|word| if is_value(word) { "#" } else { word }).collect();
    words.join(" ").chars().take(MAX_CLASS_CHARS).collect()
}

/// Whether the same transaction may be taken a little later.
pub fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::Deadline { .. } | ClientError::Unexpected { .. } => true,
        ClientError::Status { status, .. } => status.is_server_error() || status.as_u16() == 429,
        ClientError::Refused { code, message, .. } => *code == LIMIT_EXCEEDED || contains(message, &PASSING),
    }
}

/// Whether the node says that it has the transaction, or has executed it.
pub fn is_known(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { message, .. } if contains(message, &KNOWN))
}

fn contains(message: &str, words: &[&str]) -> bool {
    let message = message.to_lowercase();
    words.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i64, message: &str) -> ClientError {
        ClientError::Refused { method: "eth_sendRawTransaction".into(), code, message: message.into() }
    }

    fn status(code: u16) -> ClientError {
        let status = http::StatusCode::from_u16(code).unwrap_or_default();
        ClientError::Status { authority: String::new(), what: String::new(), status }
    }

    #[test]
    fn errors_that_differ_in_values_only_are_of_one_kind() {
        let mut errors = Errors::default();
        for nonce in 0..3 {
            errors.count(&refused(-32_000, &format!("nonce too low: next nonce {nonce}, tx nonce 1")));
            errors.count(&refused(-32_003, &format!("account 0x{nonce}f has 5 too few")));
        }
        errors.count(&refused(-32_005, "nonce too low"));
        errors.count(&status(503));
        errors.count(&ClientError::Deadline { authority: "a".into() });
        errors.count(&ClientError::Unreachable { authority: "a".into(), reason: "Connection refused (os error 111)".into() });
        let kinds: Vec<_> = errors.kinds().iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
        let expected = [
            ("HTTP 503", 1),
            ("JSON-RPC -32000: nonce too low", 3),
            ("JSON-RPC -32003: account # has # too few", 3),
            ("JSON-RPC -32005: nonce too low", 1),
            ("connection: Connection refused", 1),
            ("timeout", 1),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn a_node_with_a_thousand_excuses_costs_no_more_than_one_with_a_few() {
        let mut errors = Errors::default();
        let letters = |number: u32| (0..4).map(|place| char::from(b'a' + (number >> (place * 4) & 15) as u8)).collect::<String>();
        (0..1_000).for_each(|number| errors.count(&refused(-1, &letters(number))));
        assert_eq!((errors.kinds().len(), errors.kinds()[OTHERS]), (MAX_KINDS + 1, 1_000 - MAX_KINDS as u64));
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        for error in [refused(-32_005, "too many calls"), refused(-32_000, "txpool is full"), status(503), status(429)] {
            assert!(is_passing(&error), "{error}");
        }
        for error in [refused(-32_000, "nonce too low: next nonce 5"), refused(-32_003, "insufficient funds"), status(404)] {
            assert!(!is_passing(&error), "{error}");
        }
    }

    #[test]
    fn nodes_say_in_several_ways_that_they_have_a_transaction() {
        for message in ["already known", "transaction already imported", "nonce too low: next nonce 3, tx nonce 2"] {
            assert!(is_known(&refused(-32_000, message)), "{message}");
        }
        assert!(!is_known(&refused(-32_000, "txpool is full")) && !is_known(&status(503)));
    }
}
