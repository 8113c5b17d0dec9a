//! What must be so when it is over: all ready, the same state, the same receipts, nothing forgotten.

use std::time::{Duration, Instant};

use primitives::{B256, keccak256};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    record::Record,
    target::{Node, Target},
    watching::{blocks, evidence},
};
use crate::{client::ClientError, exit::Failure};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Blocks or receipts in one question.
const PART: usize = 64;

/// How everybody was in the end.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// Those who were not ready in time, and why.
    pub unready: Vec<String>,
    /// The height at which all were compared.
    pub height: u64,
    /// State roots or hashes that differ there.
    pub states: Vec<String>,
    /// The state root that all have.
    pub state_root: Option<String>,
    /// Receipts that differ, or are missing.
    pub receipts: Vec<String>,
    /// Transactions whose receipts were compared, each on every validator.
    pub compared: usize,
    /// Nodes that could not be read to the end.
    pub unread: Vec<String>,
}

/// Waits until everybody is ready and has the same height, at most for `limit`; then compares what they have.
pub async fn close(target: &Target, record: &Record, limit: Duration) -> Closing {
    let mut closing = Closing { unready: ready(target, limit).await, ..Closing::default() };
    let mut heights = Vec::new();
    for node in &target.nodes {
        match node.client.height().await {
            Ok(height) => heights.push(height),
            Err(error) => closing.unread.push(format!("{}: {error}", node.name)),
        }
        match evidence(node).await {
            Some(pieces) => record.evidence(&node.name, &pieces),
            None => closing.unread.push(format!("{}: it does not say what evidence it has", node.name)),
        }
    }
    closing.height = heights.into_iter().min().unwrap_or_default();
    let seen = record.seen().agreement.heights().filter(|(height, _)| *height <= closing.height).collect::<Vec<_>>();
    let mut known: Option<(String, Vec<Value>)> = None;
    let mut roots: Vec<(String, Value, Value)> = Vec::new();
    for node in &target.nodes {
        match read(node, &seen, closing.height, record).await {
            Ok((root, hash, receipts)) => {
                closing.compared = receipts.iter().map(|block| block.as_array().map_or(0, Vec::len)).sum();
                closing.receipts.extend(missing(&node.name, &receipts));
                match &known {
                    Some((first, expected)) => closing.receipts.extend(differing(first, expected, &node.name, &receipts)),
                    None => known = Some((node.name.clone(), receipts)),
                }
                roots.push((node.name.clone(), root, hash));
            }
            Err(failure) => closing.unread.push(format!("{}: {}", node.name, failure.what)),
        }
    }
    closing.states = states(closing.height, &roots);
    closing.state_root = roots.first().filter(|_| closing.states.is_empty()).and_then(|(_, root, _)| root.as_str().map(str::to_owned));
    closing
}

/// Who is not ready in time, and why.
async fn ready(target: &Target, limit: Duration) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let mut unready = Vec::new();
        for node in &target.nodes {
            unready.extend(node.readiness().await.err());
        }
        if unready.is_empty() || limit < begun.elapsed() {
            return unready;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Root and hash of the block at `height`, and the receipts of all that were `seen` to have some; tells the record every block again.
async fn read(node: &Node, seen: &[(u64, bool)], height: u64, record: &Record) -> Result<(Value, Value, Vec<Value>), Failure> {
    for part in seen.chunks(PART) {
        let Some((first, _)) = part.first() else { continue };
        for block in blocks(&node.client, *first, part.len() as u64).await? {
            record.block(&node.name, block);
        }
    }
    let full: Vec<Value> = seen.iter().filter(|(_, has_some)| *has_some).map(|(height, _)| json!([format!("{height:#x}")])).collect();
    let mut receipts = Vec::new();
    for part in full.chunks(PART) {
        let answers = node.client.call_all("eth_getBlockReceipts", part.to_vec()).await?;
        receipts.extend(answers.into_iter().collect::<Result<Vec<_>, ClientError>>()?);
    }
    let mut block = node.client.call("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await?;
    Ok((block["stateRoot"].take(), block["hash"].take(), receipts))
}

fn missing(name: &str, receipts: &[Value]) -> Vec<String> {
    let is_missing = |block: &&Value| block.as_array().is_none_or(Vec::is_empty);
    let count = receipts.iter().filter(is_missing).count();
    if count == 0 { Vec::new() } else { vec![format!("{name} has no receipts for {count} blocks with transactions")] }
}

fn differing(first: &str, expected: &[Value], name: &str, found: &[Value]) -> Vec<String> {
    let digest = |block: &Value| -> B256 { keccak256(block.to_string()) };
    let pairs = expected.iter().zip(found).filter(|(expected, found)| expected != found);
    pairs
        .map(|(expected, found)| {
            let block = expected.get(0).map_or(Value::Null, |receipt| receipt["blockNumber"].clone());
            format!("the receipts of block {block} differ: {first} has {}, {name} {}", digest(expected), digest(found))
        })
        .collect()
}

fn states(height: u64, roots: &[(String, Value, Value)]) -> Vec<String> {
    let Some((first, root, hash)) = roots.first() else { return vec!["nobody shows its state".to_owned()] };
    let others = roots.iter().skip(1).filter(|(_, other, other_hash)| (other, other_hash) != (root, hash));
    others.map(|(name, other, other_hash)| format!("height {height}: {first} has state {root} in {hash}, {name} {other} in {other_hash}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_that_differ_or_are_missing_are_told_with_their_block() {
        let block = |status: &str| json!([{ "blockNumber": "0x7", "status": status }]);
        assert_eq!(differing("a", &[block("0x1")], "b", &[block("0x1")]), [] as [String; 0]);
        let told = differing("a", &[block("0x1")], "b", &[block("0x0")]);
        assert!(told.len() == 1 && told[0].contains("block \"0x7\""), "{told:?}");
        assert_eq!(missing("a", &[block("0x1")]), [] as [String; 0]);
        assert_eq!(missing("a", &[Value::Null, json!([])]), ["a has no receipts for 2 blocks with transactions"]);
    }

    #[test]
    fn one_state_that_differs_from_the_others_is_told() {
        let root = |name: &str, root: &str| (name.to_owned(), json!(root), json!("0xaa"));
        assert_eq!(states(5, &[root("a", "0x1"), root("b", "0x1")]), [] as [String; 0]);
        assert_eq!(states(5, &[root("a", "0x1"), root("b", "0x1"), root("c", "0x2")]).len(), 1);
        assert_eq!(states(5, &[]).len(), 1, "silence is no agreement");
    }
}
