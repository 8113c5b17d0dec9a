//! Whether an answer is by the book, which is `docs/json-rpc.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, value::RawValue};

use super::{Expected, request::Told};

const DOCUMENT: &str = include_str!("../../../docs/json-rpc.md");
/// What a JSON-RPC answer may come with: well, silence, unreadable, too slow to arrive, too large, not JSON, too many.
const STATUSES: [u16; 6] = [200, 204, 400, 408, 413, 503];

/// To a method that is not there for this client.
const NOT_FOUND: i64 = -32_601;

/// An answer over HTTP; over a WebSocket the status is made up.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// One answer, its parts unread: the result of a trace is as deep as the calls were.
type Response = BTreeMap<String, Box<RawValue>>;

enum Answered {
    One(Response),
    Many(Vec<Response>),
}

impl Answered {
    fn read(body: &[u8]) -> Result<Self, String> {
        let is_many = body.trim_ascii_start().first() == Some(&b'[');
        let read = if is_many { serde_json::from_slice(body).map(Self::Many) } else { serde_json::from_slice(body).map(Self::One) };
        read.map_err(|error| format!("no JSON-RPC: {error}"))
    }
}

/// The codes that the documentation promises.
pub struct Book {
    codes: BTreeSet<i64>,
}

impl Book {
    pub fn open() -> Self {
        let table = DOCUMENT.split("\n## Errors").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
        let first_column = table.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
        let codes = first_column.flat_map(|cell| cell.split(',')).filter_map(|code| code.trim().parse().ok());
        Self { codes: codes.collect() }
    }

    /// The codes in `reply`, 0 for a result; or what is wrong with it.
    pub fn check(&self, expected: &Expected, reply: &Reply) -> Result<Vec<i64>, String> {
        if !STATUSES.contains(&reply.status) {
            return Err(format!("HTTP {}", reply.status));
        }
        if reply.body.is_empty() {
            let is_right = reply.status == 204 && matches!(expected, Expected::Silence | Expected::Anything);
            return if is_right { Ok(Vec::new()) } else { Err(format!("HTTP {} and no answer", reply.status)) };
        }
        match (expected, Answered::read(&reply.body)?) {
            (Expected::Silence, _) => Err("a notification is answered".to_owned()),
            (Expected::Answer(told), Answered::One(answer)) => self.response(&answer, Some(told)).map(|code| vec![code]),
            (Expected::Answer(_), Answered::Many(_)) => Err("one call is answered by many".to_owned()),
            (Expected::Answers(told), Answered::Many(answers)) if told.len() == answers.len() => {
                answers.iter().zip(told).map(|(answer, told)| self.response(answer, Some(told))).collect()
            }
            (Expected::Answers(told), Answered::Many(answers)) => Err(format!("{} answers to {} calls", answers.len(), told.len())),
            (Expected::Anything, Answered::Many(answers)) => answers.iter().map(|answer| self.response(answer, None)).collect(),
            // A batch as a whole may be too much or unreadable; that is an error, which has no id.
            (Expected::Answers(_), Answered::One(answer)) => self.response(&answer, Some(&Told::Nonsense)).map(|code| vec![code]),
            (Expected::Anything, Answered::One(answer)) => self.response(&answer, None).map(|code| vec![code]),
        }
    }

    fn response(&self, answer: &Response, told: Option<&Told>) -> Result<i64, String> {
        let part = |name: &str| answer.get(name).map(|raw| serde_json::from_str::<Value>(raw.get()).unwrap_or_default());
        let said = || answer.iter().map(|(name, raw)| format!("{name:?}:{:.300}", raw.get())).collect::<Vec<_>>().join(",");
        if part("jsonrpc") != Some("2.0".into()) {
            return Err(format!("no JSON-RPC 2.0: {}", said()));
        }
        if answer.contains_key("result") == answer.contains_key("error") {
            return Err(format!("not exactly one of result and error: {}", said()));
        }
        let code = match part("error") {
            None => 0,
            Some(error) => self.error(&error).map_err(|wrong| format!("{wrong}: {}", said()))?,
        };
        match told {
            Some(Told::Id(id)) if part("id").as_ref() != Some(id) => Err(format!("the id is not {id}: {}", said())),
            // A whole body that is too large or unreadable has no id to come back.
            Some(Told::Nonsense) if code == 0 => Err(format!("a result where an error belongs: {}", said())),
            Some(Told::Withheld(id)) if part("id").as_ref() != Some(id) => Err(format!("the id is not {id}: {}", said())),
            Some(Told::Withheld(_)) if code != NOT_FOUND => Err(format!("a method that is withheld is not answered with {NOT_FOUND}: {}", said())),
            _ => Ok(code),
        }
    }

    fn error(&self, error: &Value) -> Result<i64, String> {
        let code = error["code"].as_i64().ok_or("no code")?;
        if !self.codes.contains(&code) {
            return Err(format!("code {code} is not documented"));
        }
        match error["message"].as_str() {
            Some(message) if !message.is_empty() => Ok(code),
            _ => Err("no message".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(expected: Expected, status: u16, body: &str) -> Result<Vec<i64>, String> {
        Book::open().check(&expected, &Reply { status, body: body.into() })
    }

    #[test]
    fn the_documented_codes_are_found_and_an_internal_error_is_not_among_them() {
        let codes = Book::open().codes;
        for code in [3, 4, 6, -32_700, -32_600, -32_601, -32_602, -32_000, -32_002, -32_005, -32_007, -32_008, -32_010] {
            assert!(codes.contains(&code), "{code} is not in {codes:?}");
        }
        assert!(!codes.contains(&-32_603));
    }

    #[test]
    fn an_answer_has_the_id_that_was_sent_and_one_of_result_and_error() {
        let seven = || Expected::Answer(Told::Id(json!(7)));
        assert_eq!(check(seven(), 200, r#"{"jsonrpc":"2.0","id":7,"result":null}"#), Ok(vec![0]));
        assert_eq!(check(seven(), 200, r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"x"}}"#), Ok(vec![-32_602]));
        for wrong in [
            r#"{"jsonrpc":"2.0","id":8,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
            r#"{"id":7,"result":1}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":""}}"#,
            "",
            "Internal Server Error",
        ] {
            assert!(check(seven(), 200, wrong).is_err(), "{wrong}");
        }
        assert!(check(seven(), 500, r#"{"jsonrpc":"2.0","id":7,"result":null}"#).is_err());
    }

    #[test]
    fn a_notification_is_silent_and_a_batch_has_an_answer_for_each_call() {
        assert_eq!(check(Expected::Silence, 204, ""), Ok(Vec::new()));
        assert!(check(Expected::Silence, 200, r#"{"jsonrpc":"2.0","id":null,"result":1}"#).is_err());
        let two = || Expected::Answers(vec![Told::Id(json!(1)), Told::Nonsense]);
        let good = r#"[{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"x"}}]"#;
        assert_eq!(check(two(), 200, good), Ok(vec![0, -32_600]));
        assert!(check(two(), 200, r#"[{"jsonrpc":"2.0","id":1,"result":1}]"#).is_err());
    }

    #[test]
    fn a_batch_as_a_whole_is_answered_with_an_error_and_never_with_one_result() {
        let three = || Expected::Answers(vec![Told::Id(json!(1)), Told::Id(json!(2)), Told::Id(json!(3))]);
        assert_eq!(check(three(), 200, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32010,"message":"x"}}"#), Ok(vec![-32_010]));
        assert!(check(three(), 200, r#"{"jsonrpc":"2.0","id":1,"result":1}"#).is_err());
    }

    #[test]
    fn a_method_that_is_withheld_is_as_if_it_did_not_exist() {
        let seven = || Expected::Answer(Told::Withheld(json!(7)));
        assert_eq!(check(seven(), 200, r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"x"}}"#), Ok(vec![-32_601]));
        for wrong in [r#"{"jsonrpc":"2.0","id":7,"result":1}"#, r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"x"}}"#] {
            assert!(check(seven(), 200, wrong).is_err(), "{wrong}");
        }
    }
}
