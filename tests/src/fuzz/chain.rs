//! What a chain has to ask for.

use anyhow::{Context, Result};
use node::client::Client;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// Blocks whose hashes and transactions are used, from the first one on.
const BLOCKS: u64 = 200;
/// Logs, stores and answers: its second word goes to the slot named by the first.
pub const LOGGER: &str = "0x6000358060005260206000a16020356000355500";
/// Jumps to its own beginning until the gas is spent.
pub const LOOPER: &str = "0x5b600056";
/// Calls itself until the gas or the depth is spent.
pub const RECURSOR: &str = "0x5b60006000600060006000305af1600056";
/// Returns as many bytes as its first word says.
pub const RETURNER: &str = "0x6000356000f3";
/// Reverts with as many bytes as its first word says.
pub const REVERTER: &str = "0x6000356000fd";
/// The contracts that a genesis has for these tests, each at an address of its place in this list.
pub const CONTRACTS: [&str; 5] = [LOGGER, LOOPER, RECURSOR, RETURNER, REVERTER];

/// Things that exist, as JSON-RPC writes them.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    pub chain_id: u64,
    pub height: u64,
    pub blocks: Vec<String>,
    pub transactions: Vec<String>,
    /// Signed, some of them known already.
    pub raw: Vec<String>,
    pub addresses: Vec<String>,
    pub filters: Vec<String>,
}

/// The address of the contract at `place` in [`CONTRACTS`].
pub fn contract(place: usize) -> primitives::Address {
    let mut address = [0xc0; 20];
    address[19] = place as u8;
    address.into()
}

/// The address of the contract with `code`, one of [`CONTRACTS`].
pub fn contract_of(code: &str) -> primitives::Address {
    contract(CONTRACTS.iter().position(|other| *other == code).unwrap_or_default())
}

impl Chain {
    /// Reads the first blocks.
    pub async fn read(client: &Client, chain_id: u64, raw: Vec<String>, accounts: Vec<String>) -> Result<Self> {
        let height = client.height().await?;
        let mut chain = Self { chain_id, height, raw, addresses: accounts, ..Self::default() };
        chain.addresses.extend((0..CONTRACTS.len()).map(|place| contract(place).to_string().to_lowercase()));
        for height in 0..=height.min(BLOCKS) {
            let block = client.call("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await?;
            chain.blocks.push(block["hash"].as_str().context("a block has a hash")?.to_owned());
            chain.transactions.extend(block["transactions"].as_array().into_iter().flatten().filter_map(|hash| Some(hash.as_str()?.to_owned())));
        }
        for method in ["eth_newBlockFilter", "eth_newPendingTransactionFilter"] {
            chain.filters.push(client.call(method, json!([])).await?.as_str().context("a filter has an id")?.to_owned());
        }
        Ok(chain)
    }

    pub fn block_hash(&self, random: &mut StdRng) -> Value {
        one(&self.blocks, random)
    }

    pub fn transaction_hash(&self, random: &mut StdRng) -> Value {
        one(&self.transactions, random)
    }

    pub fn address(&self, random: &mut StdRng) -> Value {
        one(&self.addresses, random)
    }

    pub fn raw_transaction(&self, random: &mut StdRng) -> Value {
        one(&self.raw, random)
    }

    pub fn filter(&self, random: &mut StdRng) -> Value {
        one(&self.filters, random)
    }

    /// A height that exists, or one a little above.
    pub fn number(&self, random: &mut StdRng) -> Value {
        json!(format!("{:#x}", random.random_range(0..self.height + 3)))
    }
}

fn one(from: &[String], random: &mut StdRng) -> Value {
    from.choose(random).map_or(Value::Null, |text| json!(text))
}
