//! Reads every new block, to learn when a transaction became final.
//!
//! A block counts from when the first node announces it; where none does, from when one of the nodes, asked in turn, serves it.
//! On a chain with instant finality that is final, on others it is included.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use primitives::{B256, U256};
use serde_json::{Value, json};

use super::{chain::Chain, fees::Fees, heads::Heads, tally::Tally};

/// Before a block that was announced and is not served is asked for again, of the next node.
const RETRY_AFTER: Duration = Duration::from_millis(10);
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
    let mut heads = Heads::of(chain.client(0).authority()).await;
    // When each block that is still to be read was announced.
    let mut announced = BTreeMap::new();
    let (mut node, mut stride) = (0, 1);
    loop {
        if announced.is_empty() && stride == 1 {
            announced.extend(heads.next().await.map(|head| (head.number, head.at)));
        }
        announced.extend(std::iter::from_fn(|| heads.ready()).map(|head| (head.number, head.at)));
        let known = announced.last_key_value().map_or(0, |(number, _)| (number + 1).saturating_sub(next));
        let wanted = known.clamp(stride, MAX_STRIDE);
        let blocks = read(&chain, node, next, wanted).await;
        let now = Instant::now();
        for block in &blocks {
            fees.follow(block.base_fee);
            // Who joins late hears only of later blocks: an earlier one was there at the latest then.
            let at = announced.range(block.number..).next().map_or(now, |(_, at)| *at);
            tally.include(block, at);
        }
        next += blocks.len() as u64;
        announced = announced.split_off(&next);
        // One that got all it asked for may be behind, and asks for more.
        let is_behind = blocks.len() as u64 == wanted && known < wanted;
        stride = if is_behind { (2 * stride).min(MAX_STRIDE) } else { 1 };
        if blocks.is_empty() {
            node += 1;
            if 0 < known {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

/// Up to `count` blocks from `first` on, without a gap. A node that does not answer has none; the next time another is asked.
async fn read(chain: &Chain, node: usize, first: u64, count: u64) -> Vec<SeenBlock> {
    const METHOD: &str = "eth_getBlockByNumber";
    let client = chain.client(node);
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
