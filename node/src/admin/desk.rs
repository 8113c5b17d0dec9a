//! Carries out what was asked, against the tree of one node.

use std::time::Duration;

use actors::p2p::Tap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use supervision::{ChildSnapshot, ControlError, Controls, Event, Events, FaultInjection, Faults, InjectError, Running, Snapshot, Snapshots};
use tokio::{sync::watch, time::Instant};

use super::{Order, TapRequest, near, refusal::Refusal};
use crate::peers::PeerDesk;

/// Events shown with one actor.
const LAST_EVENTS: usize = 20;
/// How often somebody who waits for a frame looks again.
const TAP_EVERY: Duration = Duration::from_millis(50);
/// Who is named as the cause of what is ordered here.
const OPERATOR: &str = "the operator";

/// What is read and done here; cheap to clone, good for the life of the tree.
#[derive(Clone)]
pub struct Desk {
    snapshots: Snapshots,
    events: Events,
    faults: Faults,
    controls: Controls,
    is_chaos_enabled: bool,
    tap: Tap,
    peers: Option<PeerDesk>,
}

/// The tree as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TreePage {
    #[serde(flatten)]
    pub tree: Snapshot,
    /// Whether faults may be injected.
    pub chaos_enabled: bool,
}

/// One actor, and what happened to it last, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActorPage {
    pub actor: ChildSnapshot,
    pub events: Vec<Event>,
}

impl Desk {
    pub fn of(running: &Running, is_chaos_enabled: bool, tap: Tap) -> Self {
        let (snapshots, events, faults, controls) = (running.snapshots(), running.events(), running.faults(), running.controls());
        Self { snapshots, events, faults, controls, is_chaos_enabled, tap, peers: None }
    }

    /// With the peer book.
    pub fn with_peers(self, peers: PeerDesk) -> Self {
        Self { peers: Some(peers), ..self }
    }

    pub(super) fn peers(&self) -> Result<&PeerDesk, Refusal> {
        self.peers.as_ref().ok_or_else(|| Refusal::not_found("this node has no peer book"))
    }

    pub(super) fn tree(&self) -> TreePage {
        TreePage { tree: self.snapshots.take(), chaos_enabled: self.is_chaos_enabled }
    }

    pub(super) fn actor(&self, path: &str) -> Result<ActorPage, Refusal> {
        let actor = self.snapshots.take().children.into_iter().find(|child| child.name == path).ok_or_else(|| self.unknown(path))?;
        let mut events: Vec<_> = self.events.recent().into_iter().rev().filter(|event| event.child == path).take(LAST_EVENTS).collect();
        events.reverse();
        Ok(ActorPage { actor, events })
    }

    /// What happened after event number `after`, as far as the ring holds it. When nothing has, waits for something, but not
    /// longer than `wait`, nor past the closing of the door.
    pub(super) async fn events(&self, after: u64, wait: Duration, mut closing: watch::Receiver<bool>) -> Vec<Event> {
        let mut news = self.events.after(after);
        let mut found: Vec<_> = std::iter::from_fn(|| news.try_next()).collect();
        if found.is_empty() {
            tokio::select! {
                event = news.next() => found.push(event),
                () = tokio::time::sleep(wait) => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
            found.extend(std::iter::from_fn(|| news.try_next()));
        }
        found
    }

    /// What went by on the links, as `request` has it. When nothing has, waits as [`Self::events`] does.
    pub(super) async fn tap(&self, request: &TapRequest, mut closing: watch::Receiver<bool>) -> Vec<Value> {
        let (wanted, until) = (request.wanted(), Instant::now() + request.wait);
        loop {
            let found = self.tap.after(request.after, &wanted);
            if !found.is_empty() || until <= Instant::now() {
                return found;
            }
            tokio::select! {
                () = tokio::time::sleep(TAP_EVERY) => {}
                _ = closing.wait_for(|closing| *closing) => return found,
            }
        }
    }

    /// Done when the supervisor has taken the order; the events tell what comes of it.
    pub(super) async fn order(&self, path: &str, order: Order) -> Result<(), Refusal> {
        let done = match order {
            Order::Restart => self.controls.restart(path, OPERATOR).await,
            Order::Suspend => self.controls.suspend(path, OPERATOR).await,
            Order::Resume => self.controls.resume(path).await,
            Order::Kill => self.controls.kill(path, OPERATOR).await,
        };
        done.map_err(|error| match error {
            ControlError::Disabled => Refusal::chaos_disabled(),
            ControlError::Unknown(path) => self.unknown(&path),
            ControlError::Deadline => Refusal::unavailable(error.to_string()),
            ControlError::Refused { .. } | ControlError::Stopped => Refusal::conflict(error.to_string()),
        })?;
        tracing::warn!(actor = path, order = order.name(), "ordered by the operator");
        Ok(())
    }

    pub(super) fn inject(&self, fault: FaultInjection) -> Result<FaultInjection, Refusal> {
        self.faults.inject(fault.clone()).map_err(|error| match error {
            InjectError::Disabled => Refusal::chaos_disabled(),
            InjectError::Unknown(path) => self.unknown(&path),
            other => Refusal::conflict(other.to_string()),
        })?;
        tracing::warn!(actor = fault.child, kind = ?fault.kind, on = ?fault.on, "a fault was injected by the operator");
        Ok(fault)
    }

    /// Takes back the faults of an actor that have not struck yet.
    pub(super) fn clear(&self, path: &str) -> Result<(), Refusal> {
        if self.faults.clear(path) { Ok(()) } else { Err(self.unknown(path)) }
    }

    fn unknown(&self, path: &str) -> Refusal {
        let tree = self.snapshots.take();
        Refusal::not_found(near::unknown(path, tree.children.iter().map(|child| child.name.as_str())))
    }
}
