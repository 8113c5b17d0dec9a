//! Somebody who asks as fast as answers come, and counts them by what they say.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::fuzz::{Book, Expected, HttpLine, Told};

/// A call has 30 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(35);
/// Characters of a message that tell refusals apart.
const MAX_NAME_CHARS: usize = 70;
const MAX_WRONG: usize = 5;

/// What became of everything that was asked.
#[derive(Default)]
pub struct Outcomes {
    pub by_name: BTreeMap<String, u64>,
    /// Answers that must not be, the first few.
    pub wrong: Vec<String>,
}

impl Outcomes {
    pub fn add(&mut self, other: Self) {
        other.by_name.into_iter().for_each(|(name, count)| *self.by_name.entry(name).or_default() += count);
        self.wrong.extend(other.wrong);
        self.wrong.truncate(MAX_WRONG);
    }
}

/// One connection.
pub struct Attacker {
    line: HttpLine,
    book: Book,
    pub outcomes: Outcomes,
}

impl Attacker {
    pub fn of(port: u16) -> Self {
        Self { line: HttpLine::to(port), book: Book::open(), outcomes: Outcomes::default() }
    }

    /// One call.
    pub async fn ask(&mut self, method: &str, params: &Value) {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.send(method, &call, Expected::Answer(Told::Id(json!(1)))).await;
    }

    /// Transactions in one batch.
    pub async fn submit(&mut self, raw: &[String]) {
        let call = |(id, raw): (usize, &String)| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_sendRawTransaction", "params": [raw] });
        let calls: Vec<_> = raw.iter().enumerate().map(call).collect();
        let expected = Expected::Answers((0..raw.len()).map(|id| Told::Id(json!(id))).collect());
        self.send("transaction", &Value::Array(calls), expected).await;
    }

    async fn send(&mut self, what: &str, body: &Value, expected: Expected) {
        match self.exchange(body, &expected).await {
            Ok(answers) => {
                for answer in answers {
                    *self.outcomes.by_name.entry(format!("{what}: {answer}")).or_default() += 1;
                }
            }
            Err(wrong) => self.outcomes.add(Outcomes { wrong: vec![format!("{what}: {wrong}")], ..Outcomes::default() }),
        }
    }

    /// The name of each answer.
    async fn exchange(&mut self, body: &Value, expected: &Expected) -> Result<Vec<String>, String> {
        let reply = timeout(ANSWER_LIMIT, self.line.post("/", body.to_string().as_bytes())).await;
        let reply = reply.map_err(|_| format!("no answer within {ANSWER_LIMIT:?}"))?.map_err(|error| format!("{error:#}"))?;
        let codes = self.book.check(expected, &reply)?;
        // Only errors are read: a result may be as deep and as long as it likes.
        if codes.iter().all(|code| *code == 0) {
            return Ok(vec!["answered".to_owned(); codes.len()]);
        }
        match serde_json::from_slice(&reply.body) {
            Ok(Value::Array(answers)) => Ok(answers.iter().map(name).collect()),
            Ok(answer) => Ok(vec![name(&answer)]),
            Err(error) => Err(format!("no JSON: {error}")),
        }
    }
}

/// The code, and what the message says before it comes to values.
fn name(answer: &Value) -> String {
    let Some(error) = answer.get("error") else { return "answered".to_owned() };
    let message = error["message"].as_str().unwrap_or_default();
    let words: String = message.split([':', ';']).next().unwrap_or_default().chars().take(MAX_NAME_CHARS).collect();
    let words: Vec<_> = words.split(' ').map(|word| if word.starts_with(|first: char| first.is_ascii_digit()) { "#" } else { word }).collect();
    format!("{} {}", error["code"], words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_with_other_values_have_one_name() {
        let name = |message: &str| name(&json!({ "error": { "code": -32_000, "message": message } }));
        assert_eq!(name("nonce too high: next nonce 5, tx nonce 4102"), "-32000 nonce too high");
        assert_eq!(name("128 calls run or wait already"), "-32000 # calls run or wait already");
    }
}
