//! What is asked of the nodes before and after the load.

use std::time::{Duration, Instant};

use primitives::{Address, B256, U256};
use serde_json::{Value, json};

use crate::{
    client::Client,
    exit::{ExitCode, Failure},
};

/// Questions in one batch: as many as any node answers.
const QUESTIONS: usize = 100;
/// How long the nodes may take until they all have a block.
const LEVEL_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The nodes of one network.
#[derive(Clone, Debug)]
pub struct Chain {
    pub id: u64,
    clients: Vec<Client>,
}

impl Chain {
    /// The chain of the nodes at `urls`: they all answer, and are of one network.
    pub async fn reach(urls: &[String]) -> Result<Self, Failure> {
        let clients = urls.iter().map(|url| Client::new(url)).collect::<Result<Vec<_>, _>>()?;
        let mut found = Vec::new();
        for client in &clients {
            let id = number(&client.call("eth_chainId", json!([])).await?, "eth_chainId")?;
            let genesis = block(client, "0x0").await?["hash"].clone();
            found.push((id, genesis));
        }
        let Some((id, _)) = found.first().cloned() else {
            return Err(Failure::new(ExitCode::Usage, "there is no node to send to").remedy("name one with --rpc http://host:port"));
        };
        if found.iter().any(|network| *network != found[0]) {
            let mut failure = Failure::new(ExitCode::Usage, "the nodes are not of one network");
            for (client, (id, genesis)) in clients.iter().zip(&found) {
                failure = failure.at(format!("{}: chain id {id}, genesis {}", client.authority(), genesis.as_str().unwrap_or("?")));
            }
            return Err(failure.remedy("name nodes of one network with --rpc"));
        }
        Ok(Self { id, clients })
    }

    /// Refuses another chain than `wanted`.
    pub fn expect(&self, wanted: u64) -> Result<(), Failure> {
        if self.id == wanted {
            return Ok(());
        }
        let failure = Failure::new(ExitCode::Usage, format!("this is chain {}, not {wanted}", self.id)).at(self.clients[0].authority());
        Err(failure.remedy("name a node of the right network with --rpc, or another --chain-id"))
    }

    /// Node number `index`, counted round.
    pub fn client(&self, index: usize) -> &Client {
        &self.clients[index % self.clients.len()]
    }

    pub fn nodes(&self) -> usize {
        self.clients.len()
    }

    /// Base fee of the latest block, in wei per gas.
    pub async fn base_fee(&self) -> Result<u128, Failure> {
        let block = block(self.client(0), "latest").await?;
        if block["baseFeePerGas"].is_null() {
            let failure = Failure::runtime("the chain has no base fee, so that EIP-1559 transactions are not taken").at(self.clients[0].authority());
            return Err(failure.remedy("name a node of a chain with London or later"));
        }
        Ok(number(&block["baseFeePerGas"], "baseFeePerGas")?.into())
    }

    pub async fn balances(&self, addresses: &[Address]) -> Result<Vec<U256>, Failure> {
        let answers = self.ask(0, "eth_getBalance", addresses.iter().map(|address| json!([address, "latest"])).collect()).await?;
        answers.iter().map(|answer| quantity(answer, "eth_getBalance")).collect()
    }

    /// The next nonce of each account at `block` (latest or pending), as its own node has it: that of its number, counted round.
    pub async fn nonces(&self, addresses: &[Address], block: &str) -> Result<Vec<u64>, Failure> {
        let mut nonces = vec![0; addresses.len()];
        for node in 0..self.nodes() {
            let mine: Vec<_> = addresses.iter().copied().skip(node).step_by(self.nodes()).collect();
            let places = nonces.iter_mut().skip(node).step_by(self.nodes());
            places.zip(self.nonces_at(node, &mine, block).await?).for_each(|(place, nonce)| *place = nonce);
        }
        Ok(nonces)
    }

    /// The same as one node has them all.
    pub async fn nonces_at(&self, node: usize, addresses: &[Address], block: &str) -> Result<Vec<u64>, Failure> {
        let answers = self.ask(node, "eth_getTransactionCount", addresses.iter().map(|address| json!([address, block])).collect()).await?;
        answers.iter().map(|answer| number(answer, "eth_getTransactionCount")).collect()
    }

    /// What a call would use, with a tenth more.
    pub async fn gas(&self, call: Value) -> Result<u64, Failure> {
        let gas = number(&self.client(0).call("eth_estimateGas", json!([call])).await?, "eth_estimateGas")?;
        Ok(gas + gas / 10)
    }

    /// Waits until every node has what the first has now, and block `least`; answers that height.
    pub async fn level(&self, least: u64) -> Result<u64, Failure> {
        let (height, began) = (self.client(0).height().await?.max(least), Instant::now());
        for client in &self.clients {
            loop {
                let reached = client.height().await?;
                if height <= reached {
                    break;
                }
                if LEVEL_LIMIT < began.elapsed() {
                    let failure = Failure::runtime(format!("a node is {} blocks behind", height - reached)).at(client.authority());
                    return Err(failure.remedy("wait until it has caught up, or leave it out of --rpc"));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(height)
    }

    /// How many of `transactions` failed when they were executed.
    pub async fn failed(&self, transactions: &[B256]) -> Result<usize, Failure> {
        let receipts = self.ask(0, "eth_getTransactionReceipt", transactions.iter().map(|hash| json!([hash])).collect()).await?;
        Ok(receipts.iter().filter(|receipt| receipt["status"] != "0x1").count())
    }

    /// The answers of one node to many questions, all of which must be answered.
    pub async fn ask(&self, node: usize, method: &str, questions: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let mut answers = Vec::with_capacity(questions.len());
        for questions in questions.chunks(QUESTIONS) {
            for answer in self.client(node).call_all(method, questions.to_vec()).await? {
                answers.push(answer?);
            }
        }
        Ok(answers)
    }
}

async fn block(client: &Client, which: &str) -> Result<Value, Failure> {
    Ok(client.call("eth_getBlockByNumber", json!([which, false])).await?)
}

/// A JSON-RPC quantity.
pub fn quantity(answer: &Value, what: &str) -> Result<U256, Failure> {
    let quantity = answer.as_str().filter(|text| text.starts_with("0x")).and_then(|text| text.parse().ok());
    let failure = || Failure::runtime(format!("{what} is no quantity: {answer}"));
    quantity.ok_or_else(|| failure().remedy("check that --rpc names an Ethereum JSON-RPC port"))
}

fn number(answer: &Value, what: &str) -> Result<u64, Failure> {
    let failure = || Failure::runtime(format!("{what} is too large: {answer}"));
    u64::try_from(quantity(answer, what)?).map_err(|_| failure().remedy("check that --rpc names an Ethereum JSON-RPC port"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::client::tests::node;

    async fn network(id: u64, genesis: &'static str) -> (String, tokio::task::JoinHandle<()>) {
        node(move |request| match request.contains("eth_chainId") {
            true => json!({ "result": format!("{id:#x}") }).to_string(),
            false => json!({ "result": { "hash": genesis } }).to_string(),
        })
        .await
    }

    #[tokio::test]
    async fn nodes_of_two_networks_are_a_usage_error_that_names_both() {
        let (one, _one) = network(7, "0xaa").await;
        let (same, _same) = network(7, "0xaa").await;
        for (id, genesis) in [(8, "0xaa"), (7, "0xbb")] {
            let (other, _other) = network(id, genesis).await;
            let refused = Chain::reach(&[one.clone(), other]).await.unwrap_err();
            assert_eq!((refused.code, refused.at.len()), (ExitCode::Usage, 2), "{refused}");
        }
        let chain = Chain::reach(&[one, same]).await.unwrap();
        assert_eq!((chain.id, chain.nodes()), (7, 2));
        assert_eq!(chain.expect(7), Ok(()));
        assert!(chain.expect(1).unwrap_err().what.contains("chain 7, not 1"));
    }

    #[test]
    fn a_quantity_is_hex_and_nothing_else() {
        assert_eq!(quantity(&json!("0x1f"), "x"), Ok(U256::from(31)));
        for wrong in [json!("31"), json!(31), json!(null), json!("0xzz")] {
            assert!(quantity(&wrong, "x").is_err(), "{wrong}");
        }
        assert!(number(&json!(format!("{:#x}", U256::MAX)), "x").is_err());
    }
}
