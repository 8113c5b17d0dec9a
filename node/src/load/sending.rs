//! Transactions on their way: at their time, bounded in number, and again when a node was only busy.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time};

use super::{
    ahead::Ahead,
    chain::Chain,
    errors::{is_known, is_passing},
    plan::{Order, Plan},
    signing::Ready,
    tally::Tally,
};
use crate::client::{Client, ClientError};

const METHOD: &str = "eth_sendRawTransaction";
/// Before what a node could not take is offered to the next one.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// At a given rate, what could not leave until so long after the end stays unsent.
const LATE_LIMIT: Duration = Duration::from_secs(1);

/// Sends until all have left or the time is over. What has no answer yet is on its way as long as the set lives.
pub async fn send(chain: &Chain, tally: &Arc<Tally>, plan: &Plan, order: Order, mut ahead: Ahead) -> JoinSet<()> {
    let (begun, seats) = (Instant::now(), Arc::new(Semaphore::new(plan.in_flight)));
    let end = begun + plan.duration + if plan.total().is_some() { LATE_LIMIT } else { Duration::ZERO };
    let mut requests = JoinSet::new();
    for request in 0.. {
        // With all on their way there is nothing to be on time for.
        if plan.is_done_before(request) {
            break;
        }
        let due = plan.departure(request).map(|after| begun + after);
        if let Some(due) = due {
            time::sleep_until(due.into()).await;
        }
        let ready = ahead.take(plan.batch).await;
        if ready.is_empty() {
            break;
        }
        let room = async {
            tally.room_for(ready.len()).await;
            seats.clone().acquire_owned().await
        };
        let Ok(Ok(seat)) = time::timeout_at(end.into(), room).await else { break };
        let now = Instant::now();
        tally.leave(ready.iter().map(|ready| ready.hash), due.unwrap_or(now), now);
        // Those that ended need no memory any more.
        while requests.try_join_next().is_some() {}
        let (chain, tally, node) = (chain.clone(), tally.clone(), order.node(request));
        requests.spawn(async move {
            submit(&chain, &tally, node, ready).await;
            drop(seat);
        });
    }
    requests
}

/// Offers `ready` to one node after the other until each is taken, refused or final.
async fn submit(chain: &Chain, tally: &Tally, node: usize, mut ready: Vec<Ready>) {
    for attempt in 0.. {
        ready = offer(chain.client(node + attempt), tally, ready, attempt).await;
        if ready.is_empty() {
            return;
        }
        time::sleep(RETRY_AFTER).await;
        // What had no answer may have arrived nevertheless.
        ready.retain(|ready| tally.is_waiting(&ready.hash));
    }
}

/// Offers `ready` to one node; answers those to be offered again.
async fn offer(client: &Client, tally: &Tally, ready: Vec<Ready>, attempt: usize) -> Vec<Ready> {
    let whole = match ready.as_slice() {
        [one] => Ok(vec![client.call(METHOD, json!([one.raw])).await]),
        all => client.call_all(METHOD, all.iter().map(|one| json!([one.raw])).collect()).await,
    };
    match whole {
        Ok(answers) => ready.into_iter().zip(answers).filter_map(|(one, answer)| judge(tally, one, answer, attempt)).collect(),
        Err(error) => {
            tally.fail(&error);
            if is_passing(&error) {
                return ready;
            }
            ready.iter().for_each(|one| tally.refuse(one.hash));
            Vec::new()
        }
    }
}

/// Takes note of one answer; gives back the transaction if it is to be offered again.
fn judge(tally: &Tally, one: Ready, answer: Result<Value, ClientError>, attempt: usize) -> Option<Ready> {
    let error = match answer {
        Ok(_) => {
            tally.accept(one.hash);
            return None;
        }
        Err(error) => error,
    };
    // An earlier attempt arrived, although its answer did not.
    if 0 < attempt && is_known(&error) {
        tally.accept(one.hash);
        return None;
    }
    tally.fail(&error);
    if is_passing(&error) {
        return Some(one);
    }
    tally.refuse(one.hash);
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::B256;

    fn refused(message: &str) -> Result<Value, ClientError> {
        Err(ClientError::Refused { method: METHOD.into(), code: -32_000, message: message.into() })
    }

    /// What `answer` to attempt number `attempt` leads to: again or not, accepted, refused, errors.
    fn judged(answer: Result<Value, ClientError>, attempt: usize) -> (bool, u64, u64, usize) {
        let (tally, one, now) = (Tally::new(1), Ready { hash: B256::repeat_byte(1), raw: String::new() }, Instant::now());
        tally.leave([one.hash].into_iter(), now, now);
        let is_again = judge(&tally, one, answer, attempt).is_some();
        let counts = tally.counts();
        (is_again, counts.accepted, counts.refused, counts.errors.kinds().len())
    }

    #[test]
    fn each_answer_is_taken_for_what_it_says() {
        assert_eq!(judged(Ok(json!("0x01")), 0), (false, 1, 0, 0));
        assert_eq!(judged(refused("txpool is full"), 0), (true, 0, 0, 1));
        assert_eq!(judged(refused("insufficient funds for gas * price + value: have 1 want 2"), 0), (false, 0, 1, 1));
        assert_eq!(judged(refused("already known"), 1), (false, 1, 0, 0), "the first attempt arrived");
        assert_eq!(judged(refused("nonce too low: next nonce 2, tx nonce 1"), 0), (false, 0, 1, 1), "somebody else uses the account");
    }
}
