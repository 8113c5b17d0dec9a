//! Somebody who only wants a transfer made and the height told.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::Result;
use node::client::{Client, ClientError};
use primitives::Address;
use serde_json::json;

use super::{
    attacker::Outcomes,
    attacks::Target,
    wallet::{FEE_CAP, GWEI, Order, Wallet},
};

/// Between two transfers, and between two questions.
const SEND_EVERY: Duration = Duration::from_millis(500);
const ASK_EVERY: Duration = Duration::from_millis(25);
/// How long it waits for a receipt.
pub const WAIT: Duration = Duration::from_secs(9);
/// Three times what the floods pay, of which most is burnt anyway, and less than the hoarders do.
pub const TIP: u128 = 3 * GWEI;

/// An honest user of the validator that is attacked.
pub struct Bystander {
    wallet: Wallet,
    target: Target,
    client: Client,
    nonce: u64,
}

/// What it saw during one attack.
#[derive(Default)]
pub struct Experience {
    /// From each submission to its receipt.
    pub finalities: Vec<Duration>,
    /// How long each question for the height took.
    pub heights: Vec<Duration>,
    /// Transfers without a receipt in time.
    pub late: u64,
    pub refused: Vec<String>,
}

impl Bystander {
    pub fn new(wallet: Wallet, target: Target, client: Client) -> Self {
        Self { wallet, target, client, nonce: 0 }
    }

    /// Does what it always does until `attack` is over.
    pub async fn lives_through(&mut self, attack: impl Future<Output = Result<Outcomes>>) -> Result<(Outcomes, Experience)> {
        let mut seen = Experience::default();
        let (client, mut heights) = (self.client.clone(), Vec::new());
        let asking = async {
            loop {
                let begun = Instant::now();
                // One that fails took as long as it took; whether it may fail is seen by whoever sends transfers.
                let _ = client.height().await;
                heights.push(begun.elapsed());
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        let sending = async {
            loop {
                self.send(&mut seen).await?;
                tokio::time::sleep(SEND_EVERY).await;
            }
        };
        let outcomes = tokio::select! {
            outcomes = attack => outcomes?,
            () = asking => Outcomes::default(),
            failed = sending => return failed,
        };
        seen.heights = heights;
        Ok((outcomes, seen))
    }

    async fn send(&mut self, seen: &mut Experience) -> Result<()> {
        let order =
            Order { chain_id: self.target.chain_id, nonce: self.nonce, to: Address::repeat_byte(0xbb), gas: 21_000, fee_cap: FEE_CAP * 2, tip: TIP };
        let (_, raw) = self.wallet.sign(order)?;
        let begun = Instant::now();
        // Counted from here on: an attack that ends meanwhile leaves it with the pool.
        self.nonce += 1;
        match self.client.call("eth_sendRawTransactionSync", json!([raw, WAIT.as_millis() as u64])).await {
            Ok(_) => seen.finalities.push(begun.elapsed()),
            Err(ClientError::Refused { code: 4, .. } | ClientError::Deadline { .. }) => seen.late += 1,
            Err(error) => {
                self.nonce -= 1;
                seen.refused.push(error.to_string());
            }
        }
        Ok(())
    }

    /// Whether all that was sent is in blocks.
    pub async fn is_settled(&self) -> bool {
        let answer = self.client.call("eth_getTransactionCount", json!([self.wallet.address(), "latest"])).await;
        answer.is_ok_and(|nonce| nonce == format!("{:#x}", self.nonce))
    }
}
