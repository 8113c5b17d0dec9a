//! Transfers without an end, sent to whoever answers.

use std::time::Duration;

use node::client::{Client, ClientError};
use serde_json::json;
use tokio::task::JoinHandle;

use super::Transfer;

/// Between two transfers.
const PAUSE: Duration = Duration::from_millis(10);
/// The account that pays; tests that submit by themselves use others.
const PAYER: u32 = 9;

/// A task that keeps a network busy until it is dropped.
pub struct Load(JoinHandle<()>);

impl Load {
    pub fn on(clients: Vec<Client>) -> Self {
        Self(tokio::spawn(async move {
            let (mut nonce, mut turn) = (0, 0);
            loop {
                let (_, raw) = Transfer::new(PAYER, nonce).sign();
                match clients[turn % clients.len()].call("eth_sendRawTransaction", json!([raw])).await {
                    // Whoever is down or full is passed over.
                    Err(ClientError::Unreachable { .. } | ClientError::Deadline { .. }) => {}
                    Err(ClientError::Refused { message, .. }) if !message.contains("known") && !message.contains("too low") => {}
                    _ => nonce += 1,
                }
                turn += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.abort();
    }
}
