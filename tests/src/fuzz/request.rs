//! A body to send, and what has to come back.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{Chain, Interface, bent, hostile, interface::Method, valid};

/// Entries of a batch; a few are larger than any may be.
const BATCH: std::ops::Range<usize> = 0..12;
const TOO_LARGE_BATCH: usize = 1_001;
const TOO_LARGE_BATCH_EVERY: u32 = 400;
/// Bytes that are changed in a body.
const BROKEN_BYTES: std::ops::Range<usize> = 1..6;

/// What an answer has to say about the call it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Id(Value),
    /// The same, of a method that this listener keeps to the operator.
    Withheld(Value),
    /// It was no call, so it is an error.
    Nonsense,
}

/// What has to come back.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    Answer(Told),
    Answers(Vec<Told>),
    Silence,
    /// Whatever the bytes mean now, what comes back has the right form.
    Anything,
}

/// A body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, or what else it is.
    pub what: String,
    pub body: Vec<u8>,
    pub expected: Expected,
}

impl Request {
    /// The next one that `random` has.
    pub fn random(interface: &Interface, chain: &Chain, random: &mut StdRng) -> Self {
        match random.random_range(0..100) {
            0..74 => Self::call(interface, chain, random),
            74..79 => Self::notification(interface, chain, random),
            79..86 => Self::batch(interface, chain, random),
            86..92 => Self::strange_envelope(interface, chain, random),
            _ => Self::broken(interface, chain, random),
        }
    }

    /// The body as text; none when it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    fn call(interface: &Interface, chain: &Chain, random: &mut StdRng) -> Self {
        let (method, params) = drawn(interface, chain, random);
        let id = id(random);
        let body = envelope(&json!(method).to_string(), params.as_deref(), Some(&id.to_string()));
        Self { what: method.to_owned(), body: body.into(), expected: Expected::Answer(interface.told(method, id)) }
    }

    fn notification(interface: &Interface, chain: &Chain, random: &mut StdRng) -> Self {
        let (method, params) = drawn(interface, chain, random);
        let body = envelope(&json!(method).to_string(), params.as_deref(), None);
        let is_whole = serde_json::from_str::<&serde_json::value::RawValue>(&body).is_ok();
        let expected = if is_whole { Expected::Silence } else { Expected::Anything };
        Self { what: format!("notification {method}"), body: body.into(), expected }
    }

    fn batch(interface: &Interface, chain: &Chain, random: &mut StdRng) -> Self {
        if random.random_range(0..TOO_LARGE_BATCH_EVERY) == 0 {
            let call = envelope("\"eth_chainId\"", None, Some("1"));
            let body = format!("[{}]", vec![call; TOO_LARGE_BATCH].join(","));
            return Self { what: "batch that is too large".to_owned(), body: body.into(), expected: Expected::Anything };
        }
        let count = random.random_range(BATCH);
        let entries: Vec<_> = (0..count).map(|_| entry(interface, chain, random)).collect();
        let told: Vec<_> = entries.iter().filter_map(|(_, told)| told.clone()).collect();
        let body = format!("[{}]", entries.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(","));
        let expected = match (count, told.is_empty()) {
            (0, _) => Expected::Answer(Told::Nonsense),
            (_, true) => Expected::Silence,
            (_, false) => Expected::Answers(told),
        };
        Self { what: "batch".to_owned(), body: body.into(), expected }
    }

    /// Something else where version, method or id belong.
    fn strange_envelope(interface: &Interface, chain: &Chain, random: &mut StdRng) -> Self {
        let (method, params) = drawn(interface, chain, random);
        let params = params.unwrap_or_else(|| "[]".to_owned());
        let (strange, method) = (hostile::text(random), json!(method));
        let body = match random.random_range(0..7) {
            0 => format!(r#"{{"jsonrpc":{strange},"id":1,"method":{method},"params":{params}}}"#),
            1 => format!(r#"{{"jsonrpc":"2.0","id":{strange},"method":{method},"params":{params}}}"#),
            2 => format!(r#"{{"jsonrpc":"2.0","id":1,"method":{strange},"params":{params}}}"#),
            3 => format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method},"params":{params},"params":{strange}}}"#),
            4 => format!(r#"{{"jsonrpc":"2.0","id":1,"id":2,"method":{method},"params":{params}}}"#),
            5 => format!(r#"{{"id":1,"method":{method},"params":{params},"more":{strange}}}"#),
            _ => strange,
        };
        Self { what: "strange envelope".to_owned(), body: body.into(), expected: Expected::Anything }
    }

    /// A call some of whose bytes are others, are gone or come twice.
    fn broken(interface: &Interface, chain: &Chain, random: &mut StdRng) -> Self {
        let mut body = Self::call(interface, chain, random).body;
        for _ in 0..random.random_range(BROKEN_BYTES) {
            let at = random.random_range(0..body.len().max(1));
            match random.random_range(0..4) {
                0 if at < body.len() => drop(body.remove(at)),
                1 => body.insert(at.min(body.len()), random.random()),
                2 => body.truncate(at.max(1)),
                _ if at < body.len() => body[at] = *b"\"\\{}[],:0x\0\xff".choose(random).unwrap_or(&0),
                _ => {}
            }
        }
        Self { what: "broken bytes".to_owned(), body, expected: Expected::Anything }
    }
}

/// A method, and its parameters, bent or not.
fn drawn(interface: &Interface, chain: &Chain, random: &mut StdRng) -> (&'static str, Option<String>) {
    let nothing = Method { name: "eth_nothing", parameters: Vec::new(), is_withheld: false };
    let method = if random.random_bool(0.01) { &nothing } else { interface.methods.choose(random).unwrap_or(&nothing) };
    let count = random.random_range(0..=method.parameters.len());
    // All of them more often than not.
    let count = if random.random_bool(0.7) { method.parameters.len() } else { count };
    let known = method.parameters.iter().take(count).filter_map(|name| valid::value(method.name, name, chain, random));
    let values: Vec<Value> = known.collect();
    (method.name, bent::params(method, values, random))
}

/// An entry of a batch, and what its answer has to say; none to a notification.
fn entry(interface: &Interface, chain: &Chain, random: &mut StdRng) -> (String, Option<Told>) {
    if random.random_bool(0.1) {
        let nonsense = ["7", "null", "\"eth_chainId\"", "[]", "{}", "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"eth_chainId\"}"];
        return (nonsense.choose(random).copied().unwrap_or_default().to_owned(), Some(Told::Nonsense));
    }
    let (method, params) = drawn(interface, chain, random);
    // What breaks the text of one breaks the whole batch.
    let params = params.filter(|text| serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok());
    if random.random_bool(0.1) {
        return (envelope(&json!(method).to_string(), params.as_deref(), None), None);
    }
    let id = id(random);
    (envelope(&json!(method).to_string(), params.as_deref(), Some(&id.to_string())), Some(interface.told(method, id)))
}

fn envelope(method: &str, params: Option<&str>, id: Option<&str>) -> String {
    let params = params.map_or(String::new(), |params| format!(",\"params\":{params}"));
    let id = id.map_or(String::new(), |id| format!(",\"id\":{id}"));
    format!("{{\"jsonrpc\":\"2.0\",\"method\":{method}{params}{id}}}")
}

fn id(random: &mut StdRng) -> Value {
    match random.random_range(0..6) {
        0 => json!("x".repeat(random.random_range(0..50))),
        1 => json!(u64::MAX),
        2 => json!("\u{1f98e}\"\\\u{0}"),
        _ => json!(random.random_range(0..1_000_000u64)),
    }
}
