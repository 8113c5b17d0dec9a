//! One fault in one actor, until everybody goes on.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::super::{
    answers::Answers,
    group::{Gaps, Group, VICTIM},
    healing::Healed,
    kind::Kind,
    strike::{look, stable, strike},
};
use crate::statistics::longest_gap;

/// How long the chain is watched after a fault, at least.
const WATCHED: Duration = Duration::from_millis(1_000);

/// A fault that is to strike.
pub struct Cell<'a> {
    pub actor: &'a str,
    pub kind: Kind,
    pub round: u32,
}

/// What a fault did.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub healed: Healed,
    pub gaps: Gaps,
    /// The longest time without an answer of the victim's RPC.
    pub answers: Duration,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, round {}", self.actor, self.kind, self.round + 1)
    }
}

impl Cell<'_> {
    pub fn is_exclusive(&self, group: &Group) -> Result<bool> {
        Ok(look(group.victim()?, self.actor)?.exclusive)
    }

    /// Arms the fault, and waits until the actor is healed and everybody goes on.
    pub async fn run(&self, group: &mut Group) -> Result<Outcome> {
        stable(group.victim()?, &[self.actor]).await?;
        let from = Instant::now();
        let answers = Answers::watch(group.client(VICTIM)?);
        let node = group.victim()?;
        let ended = tokio::select! {
            healed = strike(node, self.actor, self.kind) => Ok(healed?),
            end = node.ended() => Err(end.reason),
        };
        let healed = match ended {
            Ok(healed) => healed,
            Err(reason) => {
                group.restart_victim(&reason).await?;
                group.goes_on().await?;
                bail!("the validator ended: {reason}");
            }
        };
        tokio::time::sleep(WATCHED).await;
        group.goes_on().await?;
        let until = Instant::now();
        let answers = longest_gap(&answers.moments(), from, until);
        Ok(Outcome { healed, gaps: group.gaps(healed.struck, until), answers })
    }
}
