//! The same for the pages: every path of the node's own OpenAPI document, with anything where a parameter belongs.

use anyhow::{Context, Result};
use node::client::Client;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::Value;

use super::{Chain, Reply, hostile};

/// What a page may be answered with. A 500 is a mistake of the node.
const STATUSES: [u16; 12] = [200, 202, 400, 404, 405, 408, 409, 413, 414, 415, 422, 503];
/// Not on a public listener.
const OPERATOR_PAGES: [&str; 3] = ["/v1/actors", "/v1/events", "/v1/peers"];
/// An answer that has no end.
const ENDLESS: &str = "/v1/events";
const QUERIES: [&str; 8] =
    ["", "?from=0&count=5", "?count=101", "?from=-1", "?from=0x1&count=", "?count=18446744073709551616", "?from=%ff&from=1", "?&&==&"];
/// Characters of what stands in a path.
const MAX_PIECE_CHARS: usize = 3_000;

/// The paths there are.
#[derive(Clone, Debug)]
pub struct Paths(Vec<String>);

impl Paths {
    pub async fn ask(client: &Client) -> Result<Self> {
        let document = client.get_json("/v1/openapi.json").await?;
        let paths = document["paths"].as_object().context("the document has paths")?;
        Ok(Self(paths.keys().filter(|path| *path != ENDLESS).cloned().collect()))
    }

    /// A path with something valid, or anything, in the place of its parameter.
    pub fn random(&self, chain: &Chain, random: &mut StdRng) -> String {
        let path = self.0.choose(random).map_or("/", String::as_str);
        let query = QUERIES.choose(random).copied().unwrap_or_default();
        let pieces: Vec<_> = path.split('/').map(|piece| if piece.starts_with('{') { piece_of(chain, random) } else { piece.to_owned() }).collect();
        pieces.join("/") + query
    }
}

/// Whether `path`, with whatever query, is a page for the operator alone.
pub fn is_operators(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    OPERATOR_PAGES.iter().any(|page| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// What is wrong with the answer to a page; its status if nothing is.
pub fn check(reply: &Reply) -> Result<u16, String> {
    let Reply { status, body } = reply;
    if !STATUSES.contains(status) {
        return Err(format!("HTTP {status}: {:.300}", String::from_utf8_lossy(body)));
    }
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    // Probes answer in words.
    let is_error = (400..500).contains(status) && *status != 414;
    let has_reason = answer.is_some_and(|answer| answer["error"]["code"].is_string() && answer["error"]["message"].is_string());
    if is_error && !has_reason { Err(format!("HTTP {status} without a reason: {:.300}", String::from_utf8_lossy(body))) } else { Ok(*status) }
}

fn piece_of(chain: &Chain, random: &mut StdRng) -> String {
    let plain = |value: Value| value.as_str().unwrap_or_default().to_owned();
    match random.random_range(0..6) {
        0 => plain(chain.block_hash(random)),
        1 => plain(chain.transaction_hash(random)),
        2 => plain(chain.address(random)),
        3 => random.random_range(0..chain.height + 3).to_string(),
        _ => escaped(&hostile::text(random)),
    }
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02x}") };
    text.bytes().take(MAX_PIECE_CHARS / 3).map(byte).collect()
}
