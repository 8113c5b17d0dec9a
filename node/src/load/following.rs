//! Reads every new block, to learn when a transaction became final.
//!
//! A block counts from when one of the nodes, asked in turn, serves it: on a chain with instant finality that is final, on
//! others it is included.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use primitives::{B256, U256};
use serde_json::{Value, json};

use super::{chain::Chain, fees::Fees, tally::Tally};

/// How often a block that is not there yet is asked for: latencies are exact to this.
const POLL_EVERY: Duration = Duration::from_millis(10);
/// Blocks asked for at once by one who is behind.
const MAX_STRIDE: u64 = 32;

/// What matters of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBlock {
    pub number: u64,
    pub hash: B256,
    pub parent: B256,
    pub base_fee: u64,
    pub gas_used: u64,
    pub gas_limit: u64,
    pub transactions: Vec<B256>,
}

/// Follows `chain` from block `next` on, for ever.
pub async fn follow(chain: Chain, tally: Arc<Tally>, fees: Arc<Fees>, mut next: u64) {
    let mut stride = 1;
    for turn in 0.. {
        let blocks = read(&chain, turn, next, stride).await;
        let at = Instant::now();
        for block in &blocks {
            fees.follow(block.base_fee);
            tally.include(block, at);
        }
        next += blocks.len() as u64;
        // One that got all it asked for may be behind, and asks for more.
        if (blocks.len() as u64) < stride {
            stride = 1;
            tokio::time::sleep(POLL_EVERY).await;
        } else {
            stride = (2 * stride).min(MAX_STRIDE);
        }
    }
}

/// Up to `count` blocks from `first` on, without a gap. A node that does not answer has none; the next turn is another's.
async fn read(chain: &Chain, turn: usize, first: u64, count: u64) -> Vec<SeenBlock> {
    const METHOD: &str = "eth_getBlockByNumber";
    let client = chain.client(turn);
    let question = |number: u64| json!([format!("{number:#x}"), false]);
    let answers = match count {
        1 => vec![client.call(METHOD, question(first)).await],
        _ => client.call_all(METHOD, (first..first + count).map(question).collect()).await.unwrap_or_default(),
    };
    let wanted = answers.into_iter().zip(first..);
    wanted.map_while(|(answer, number)| answer.ok().and_then(|block| parse(&block)).filter(|block| block.number == number)).collect()
}

/// None for `null`, and for what is no block.
fn parse(block: &Value) -> Option<SeenBlock> {
    let number = |key: &str| u64::try_from(block[key].as_str()?.parse::<U256>().ok()?).ok();
    let hash = |value: &Value| value.as_str()?.parse::<B256>().ok();
    Some(SeenBlock {
        number: number("number")?,
        hash: hash(&block["hash"])?,
        parent: hash(&block["parentHash"])?,
        base_fee: number("baseFeePerGas").unwrap_or_default(),
        gas_used: number("gasUsed").unwrap_or_default(),
        gas_limit: number("gasLimit").unwrap_or_default(),
        transactions: block["transactions"].as_array()?.iter().filter_map(hash).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_block_is_read_and_null_is_none() {
        let (one, two) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let mut block = json!({ "number": "0x5", "hash": one, "parentHash": two, "baseFeePerGas": "0x7", "gasUsed": "0x5208", "gasLimit": "0x1c9c380", "transactions": [two] });
        let expected = SeenBlock { number: 5, hash: one, parent: two, base_fee: 7, gas_used: 21_000, gas_limit: 30_000_000, transactions: vec![two] };
        assert_eq!(parse(&block), Some(expected));
        block["transactions"] = json!(null);
        assert_eq!((parse(&block), parse(&json!(null))), (None, None));
    }
}
