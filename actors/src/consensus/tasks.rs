//! What consensus asks of others, each in a task beside its messages.

use std::time::Duration;

use consensus::host::{Event, ProposedBlock, Uncommitted, Verdict};
use primitives::{B256, Body, Bytes, Height, Round};
use storage::Undecided;
use supervision::Context;
use tracing::{Instrument, info, warn};

use super::{
    actor::Parts,
    mailbox::{ConsensusMailbox, Message},
};
use crate::{
    execution::{BuiltBlock, CommitFailure, Decided},
    storage::{Batch, StorageError},
};

/// How often a block is tried to build before the round goes by without one.
const BUILD_TRIES: u32 = 5;
const BUILD_PAUSE: Duration = Duration::from_millis(100);
/// How often a body is tried to be made durable before its round goes by.
const KEEP_TRIES: u32 = 5;
const BODY_LIMIT: Duration = Duration::from_secs(30);
/// How long a commit that failed for the moment rests.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
const NO_SPACE_PAUSE: Duration = Duration::from_secs(1);

/// Builds a block for a round of ours, or reads the one that is on disk for it.
pub(super) fn build(parts: &Parts, context: &Context<Message>, height: Height, round: Round) {
    let (parts, address, span) = (parts.clone(), context.address().clone(), context.span("build"));
    let work = async move {
        if let Some(built) = built(&parts, height, round).await {
            // Refused only when this incarnation is over; the next one asks again.
            let _ = address.send(Message::Built(height, round, built), BODY_LIMIT).await;
        }
    };
    context.task("build", work.instrument(span));
}

async fn built(parts: &Parts, height: Height, round: Round) -> Option<BuiltBlock> {
    if let Some(built) = on_disk(parts, height, round) {
        return Some(built);
    }
    for _ in 0..BUILD_TRIES {
        match parts.execution.build(height).await {
            Ok(built) => return Some(built),
            Err(reason) => warn!(%height, round = round.0, reason, "no block was built yet"),
        }
        tokio::time::sleep(BUILD_PAUSE).await;
        if parts.ledger.tip().is_ok_and(|tip| height <= tip) {
            break;
        }
    }
    None
}

fn on_disk(parts: &Parts, height: Height, round: Round) -> Option<BuiltBlock> {
    let hash = parts.ledger.undecided_at(height, round).ok()??;
    let body = Body::decode(&parts.ledger.undecided_body(&hash).ok()??).ok()?;
    Some(BuiltBlock { hash, body })
}

/// Syncs a body that is too large for the journal, then says so.
pub(super) fn keep(parts: &Parts, context: &Context<Message>, undecided: Undecided, body: Bytes) {
    let (storage, consensus) = (parts.storage.clone(), ConsensusMailbox { address: context.address().clone() });
    context.task("keep", async move {
        let Undecided { height, round, hash: value } = undecided;
        let mut batch = Batch::loose();
        batch.keep_undecided(undecided, body);
        for _ in 0..KEEP_TRIES {
            match storage.commit(batch.clone(), BODY_LIMIT).await {
                Ok(()) => {
                    let _ = consensus.tell(Event::BodyDurable { height, round, value, body: None }).await;
                    return;
                }
                // Storage has said so.
                Err(StorageError::NoSpace) => return,
                Err(error) => warn!(%height, round = round.0, %error, "a proposed block is not durable yet, so it gets no vote of ours"),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    });
}

/// Asks execution what is to be thought of a block.
pub(super) fn judge(parts: &Parts, context: &Context<Message>, block: ProposedBlock, body: &Bytes) {
    let verdict_at_once = Body::decode(body).map_err(|error| error.to_string());
    let (execution, consensus) = (parts.execution.clone(), ConsensusMailbox { address: context.address().clone() });
    let work = async move {
        let verdict = match verdict_at_once {
            Err(rule) => Verdict::Invalid { rule },
            Ok(body) => translate(block, execution.judge(body).await),
        };
        let _ = consensus.tell(Event::Judged { block, verdict }).await;
    };
    context.task("judge", work.instrument(context.span("judge")));
}

fn translate(block: ProposedBlock, judged: Result<execution::Verdict, supervision::AskError>) -> Verdict {
    let ProposedBlock { height, round, value, .. } = block;
    match judged {
        Ok(execution::Verdict::Valid(_)) => Verdict::Valid,
        Ok(execution::Verdict::Invalid(rule)) => {
            warn!(%height, round = round.0, %value, %rule, "a proposed block breaks a rule");
            Verdict::Invalid { rule: rule.to_string() }
        }
        Ok(execution::Verdict::None(reason)) => {
            info!(%height, round = round.0, %value, %reason, "no verdict on a proposed block");
            Verdict::None
        }
        Err(error) => {
            warn!(%height, round = round.0, %value, %error, "no verdict on a proposed block");
            Verdict::None
        }
    }
}

/// Has a decided block committed, and tells how that went.
pub(super) fn commit(parts: &Parts, context: &Context<Message>, decided: Decided, value: B256) {
    let (parts, consensus) = (parts.clone(), ConsensusMailbox { address: context.address().clone() });
    let (height, span) = (decided.certificate.height, context.span("commit"));
    context.task("commit", async move {
        let validators = parts.genesis.validators.clone();
        let (event, pause) = match parts.execution.commit(decided).instrument(span.clone()).await {
            Ok(block_time_ms) => (Event::Committed { height, validators, block_time_ms }, None),
            Err(CommitFailure::NoSpace) => (Event::Uncommitted { height, why: Uncommitted::NoSpace }, Some(NO_SPACE_PAUSE)),
            Err(CommitFailure::Unavailable(reason)) => {
                warn!(%height, %value, reason, "a decided block is not committed yet");
                (Event::Uncommitted { height, why: Uncommitted::Unavailable }, Some(RETRY_PAUSE))
            }
            Err(CommitFailure::Rejected(rule)) => (Event::Uncommitted { height, why: Uncommitted::Rejected { rule } }, None),
        };
        let Some(pause) = pause else {
            // A height that is committed ends its trace, or the next would go on in it for ever.
            let _ = consensus.tell(event).await;
            return;
        };
        let again = async {
            let _ = consensus.tell(event).await;
            tokio::time::sleep(pause).await;
            let _ = consensus.tell(Event::Retry).await;
        };
        again.instrument(span).await;
    });
}
