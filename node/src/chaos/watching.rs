//! Looks at one node all along: its blocks, its health, what it holds of double signatures.

use std::time::{Duration, Instant};

use primitives::{B256, U256};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{interval, timeout},
};

use super::{
    agreement::Block,
    record::Record,
    target::{Node, PROBE_LIMIT, Target},
    truth::{Answer, Probe},
};
use crate::client::{Client, ClientError};

/// Gaps between blocks are seen exactly to this.
const FOLLOW_EVERY: Duration = Duration::from_millis(50);
const PROBE_EVERY: Duration = Duration::from_millis(250);
const EVIDENCE_EVERY: Duration = Duration::from_secs(1);
/// Blocks in one question.
const MAX_BLOCKS: u64 = 64;

/// Watches every node from block `next` on, for as long as the set lives.
pub fn watch(target: &Target, record: &Record, next: u64) -> JoinSet<()> {
    let mut watchers = JoinSet::new();
    for (index, node) in target.nodes.iter().enumerate() {
        watchers.spawn(follow(index, node.clone(), record.clone(), next));
        watchers.spawn(probe(node.clone(), record.clone()));
        watchers.spawn(gather(node.clone(), record.clone()));
    }
    watchers
}

/// Reads each new block.
async fn follow(index: usize, node: Node, record: Record, mut next: u64) {
    let mut ticks = interval(FOLLOW_EVERY);
    let mut known = 0;
    loop {
        ticks.tick().await;
        let Ok(Ok(height)) = timeout(PROBE_LIMIT, node.client.height()).await else { continue };
        if height != known {
            known = height;
            record.tip(index, &node.name, height);
        }
        while next <= height {
            let Ok(blocks) = blocks(&node.client, next, (height - next + 1).min(MAX_BLOCKS)).await else { break };
            if blocks.is_empty() {
                break;
            }
            next += blocks.len() as u64;
            blocks.into_iter().for_each(|block| record.block(&node.name, block));
        }
    }
}

/// Up to `count` blocks from `first` on, without a gap.
pub async fn blocks(client: &Client, first: u64, count: u64) -> Result<Vec<Block>, ClientError> {
    let questions = (first..first + count).map(|height| json!([format!("{height:#x}"), false])).collect();
    let answers = client.call_all("eth_getBlockByNumber", questions).await?;
    let found = answers.into_iter().zip(first..).map_while(|(answer, height)| parse(&answer.ok()?).filter(|block| block.height == height));
    Ok(found.collect())
}

fn parse(block: &Value) -> Option<Block> {
    let hash = |value: &Value| value.as_str()?.parse::<B256>().ok();
    Some(Block {
        height: u64::try_from(block["number"].as_str()?.parse::<U256>().ok()?).ok()?,
        hash: hash(&block["hash"])?,
        parent: hash(&block["parentHash"])?,
        transactions: block["transactions"].as_array()?.iter().filter_map(hash).collect(),
    })
}

/// Holds what the node says of itself against how it is.
async fn probe(node: Node, record: Record) {
    let mut ticks = interval(PROBE_EVERY);
    let mut still: Option<(u64, Instant)> = None;
    loop {
        ticks.tick().await;
        let Some(before) = node.tree().await else {
            // Its next life counts from its own beginning.
            still = None;
            continue;
        };
        let height = height(&node).await;
        if still.map(|(known, _)| known) != height {
            still = height.map(|height| (height, Instant::now()));
        }
        let stood = still.map(|(_, since)| since.elapsed());
        let (ready, alive) = tokio::join!(answer(&node.client, "/readyz?verbose"), answer(&node.client, "/livez"));
        let has_moved = self::height(&node).await != height;
        let Some(after) = node.tree().await else { continue };
        record.probe(&node.name, &Probe { before, after, ready, alive, still: stood.filter(|_| !has_moved) });
    }
}

async fn height(node: &Node) -> Option<u64> {
    timeout(PROBE_LIMIT, node.client.height()).await.ok()?.ok()
}

async fn answer(client: &Client, page: &str) -> Option<Answer> {
    let (status, body) = timeout(PROBE_LIMIT, client.get(page)).await.ok()?.ok()?;
    Some(Answer { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
}

async fn gather(node: Node, record: Record) {
    let mut ticks = interval(EVIDENCE_EVERY);
    loop {
        ticks.tick().await;
        if let Some(pieces) = evidence(&node).await {
            record.evidence(&node.name, &pieces);
        }
    }
}

/// What the node holds of double signatures, each piece in words; none when it does not say.
pub async fn evidence(node: &Node) -> Option<Vec<String>> {
    let page = timeout(PROBE_LIMIT, node.client.get_json("/v1/evidence")).await.ok()?.ok()?;
    Some(page["evidence"].as_array()?.iter().map(Value::to_string).collect())
}
