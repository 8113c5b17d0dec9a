//! The same actor on ractor alone: no mailbox that survives, no limits, no restart, no metrics, no spans.

use std::time::Duration;

use anyhow::bail;
use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

pub enum Told {
    Count,
    Get(RpcReplyPort<u64>),
}

pub struct Counter;

impl Actor for Counter {
    type Msg = Told;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Told>, _: ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Told>, told: Told, total: &mut u64) -> Result<(), ActorProcessingErr> {
        match told {
            Told::Count => *total += 1,
            // An asker who left is no error, as in the actor beside.
            Told::Get(reply) => drop(reply.send(*total)),
        }
        Ok(())
    }
}

pub async fn spawn() -> anyhow::Result<ActorRef<Told>> {
    Ok(Actor::spawn(None, Counter, ()).await?.0)
}

/// Asks; `limit` is optional here, and always there in `supervision`.
pub async fn ask(counter: &ActorRef<Told>, limit: Option<Duration>) -> anyhow::Result<u64> {
    match counter.call(Told::Get, limit).await? {
        CallResult::Success(total) => Ok(total),
        _ => bail!("raw ractor did not answer"),
    }
}
