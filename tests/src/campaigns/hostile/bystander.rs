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
    /// When the transfer was sent whose receipt it waits for.
    sent: Option<Instant>,
}

/// What it saw during one attack.
#[derive(Default)]
pub struct Experience {
    /// From each submission to its receipt.
    pub finalities: Vec<Duration>,
    /// How long each question for the height took that was answered.
    pub heights: Vec<Duration>,
    /// What was still open when the attack ended, and for how long: a transfer, and a question for the height.
    pub open: Open,
    /// Transfers without a receipt in time.
    pub late: u64,
    pub refused: Vec<String>,
    /// Questions for the height that were refused, or not answered at all.
    pub unanswered: Vec<String>,
}

/// Since when something is waited for.
#[derive(Default)]
pub struct Open {
    pub transfer: Option<Duration>,
    pub height: Option<Duration>,
}

impl Experience {
    /// What must not be, of an attack that took so long.
    pub fn failures(&self, attack: Duration) -> Vec<String> {
        let mut failures = Vec::new();
        if self.late > 0 {
            failures.push(format!("{} of the bystander's transactions had no receipt within {WAIT:?}", self.late));
        }
        if let Some(first) = self.unanswered.first() {
            failures.push(format!("{} times the bystander is not told the height: {first}", self.unanswered.len()));
        }
        failures.extend(self.refused.iter().map(|refusal| format!("the bystander hears: {refusal}")));
        // Whatever was asked at the beginning of a shorter one may still be open.
        if WAIT < attack {
            if self.finalities.is_empty() {
                failures.push(format!("not one of the bystander's transactions had a receipt in {attack:?}"));
            }
            if self.heights.is_empty() {
                failures.push(format!("the bystander was never told the height in {attack:?}"));
            }
        }
        failures
    }

    /// From each submission to its receipt, or to the end of the attack.
    pub fn waits_for_receipts(&self) -> Vec<Duration> {
        self.finalities.iter().copied().chain(self.open.transfer).collect()
    }

    /// From each question for the height to its answer, or to the end of the attack.
    pub fn waits_for_heights(&self) -> Vec<Duration> {
        self.heights.iter().copied().chain(self.open.height).collect()
    }
}

impl Bystander {
    pub fn new(wallet: Wallet, target: Target, client: Client) -> Self {
        Self { wallet, target, client, nonce: 0, sent: None }
    }

    /// Does what it always does until `attack` is over.
    pub async fn lives_through(&mut self, attack: impl Future<Output = Result<Outcomes>>) -> Result<(Outcomes, Experience)> {
        let mut seen = Experience::default();
        let (client, mut heights, mut unanswered, mut asked) = (self.client.clone(), Vec::new(), Vec::new(), None);
        let asking = async {
            loop {
                let begun = Instant::now();
                asked = Some(begun);
                match client.height().await {
                    Ok(_) => heights.push(begun.elapsed()),
                    Err(error) => unanswered.push(error.to_string()),
                }
                asked = None;
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
        let open = Open { transfer: self.sent.take().map(|begun| begun.elapsed()), height: asked.map(|begun: Instant| begun.elapsed()) };
        Ok((outcomes, Experience { heights, unanswered, open, ..seen }))
    }

    async fn send(&mut self, seen: &mut Experience) -> Result<()> {
        let order =
            Order { chain_id: self.target.chain_id, nonce: self.nonce, to: Address::repeat_byte(0xbb), gas: 21_000, fee_cap: FEE_CAP * 2, tip: TIP };
        let (_, raw) = self.wallet.sign(order)?;
        let begun = Instant::now();
        // Counted from here on: an attack that ends meanwhile leaves it with the pool.
        self.nonce += 1;
        self.sent = Some(begun);
        let answer = self.client.call("eth_sendRawTransactionSync", json!([raw, WAIT.as_millis() as u64])).await;
        self.sent = None;
        match answer {
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

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(2);
    const LONG: Duration = Duration::from_secs(20);

    fn content() -> Experience {
        let soon = || vec![Duration::from_millis(1)];
        Experience { finalities: soon(), heights: soon(), ..Experience::default() }
    }

    #[test]
    fn whoever_is_served_has_nothing_to_complain_of() {
        assert!(content().failures(LONG).is_empty());
    }

    #[test]
    fn a_late_receipt_a_refusal_and_a_height_that_is_not_told_are_failures() {
        let said = || vec!["no".to_owned()];
        for experience in
            [Experience { late: 1, ..content() }, Experience { refused: said(), ..content() }, Experience { unanswered: said(), ..content() }]
        {
            assert_eq!(experience.failures(SHORT).len(), 1);
        }
    }

    #[test]
    fn no_answer_at_all_is_a_failure_once_the_attack_is_longer_than_a_receipt_may_take() {
        assert!(Experience::default().failures(SHORT).is_empty());
        assert_eq!(Experience::default().failures(LONG).len(), 2);
    }

    #[test]
    fn what_is_still_open_counts_as_long_as_it_was_waited_for() {
        let open = Open { transfer: Some(LONG), height: Some(SHORT) };
        let experience = Experience { open, ..content() };
        assert_eq!((experience.waits_for_receipts().last(), experience.waits_for_heights().last()), (Some(&LONG), Some(&SHORT)));
    }
}
