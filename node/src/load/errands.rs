//! Transactions that prepare a load: sent in waves, each waited for.

use std::time::{Duration, Instant};

use primitives::Address;
use serde_json::json;

use super::{
    accounts::Account,
    chain::Chain,
    fees::Fees,
    signing::{Deed, sign},
};
use crate::exit::Failure;

/// Errands under way at a time: what a pool takes from one account.
const WAVE: usize = 1_000;
/// Without any progress for this long, the preparation is given up.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A transaction of payer number `payer`.
#[derive(Clone, Debug)]
pub struct Errand {
    pub payer: usize,
    pub deed: Deed,
}

/// Carries out `errands`; all of them are in blocks when this returns.
pub async fn carry_out(chain: &Chain, payers: &[Account], errands: &[Errand], fees: &Fees) -> Result<(), Failure> {
    let addresses: Vec<_> = payers.iter().map(|payer| payer.address).collect();
    for wave in errands.chunks(WAVE) {
        fees.follow(u64::try_from(chain.base_fee().await?).unwrap_or(u64::MAX));
        let mut nonces = chain.nonces_at(0, &addresses, "pending").await?;
        let sign = |errand: &Errand| {
            let nonce = nonces[errand.payer];
            nonces[errand.payer] += 1;
            json!([sign(&payers[errand.payer].key, chain.id, nonce, &errand.deed, fees).raw])
        };
        let signed = wave.iter().map(sign).collect();
        chain.ask(0, "eth_sendRawTransaction", signed).await.map_err(|failure| refused(failure, &addresses))?;
        wait(chain, &addresses, &nonces).await?;
    }
    Ok(())
}

fn refused(mut failure: Failure, payers: &[Address]) -> Failure {
    failure.what = format!("the accounts cannot be prepared: {}", failure.what);
    let names: Vec<_> = payers.iter().map(ToString::to_string).collect();
    failure
        .at(format!("paid by {}", names.join(", ")))
        .remedy("see that nobody else uses these accounts, and that they have funds; or name another with --key")
}

/// Waits until the latest block has every transaction below `nonces`.
async fn wait(chain: &Chain, payers: &[Address], nonces: &[u64]) -> Result<(), Failure> {
    let (mut seen, mut moved) = (Vec::new(), Instant::now());
    loop {
        let now = chain.nonces_at(0, payers, "latest").await?;
        if now.iter().zip(nonces).all(|(now, wanted)| wanted <= now) {
            return Ok(());
        }
        if now != seen {
            (seen, moved) = (now, Instant::now());
        } else if PROGRESS_LIMIT < moved.elapsed() {
            let limit = PROGRESS_LIMIT.as_secs();
            let failure = Failure::runtime(format!("the accounts are not prepared: nothing of it became final for {limit} s"));
            return Err(failure.at(chain.client(0).authority()).remedy("see with `axolotl status` whether the chain makes blocks"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
