//! Lets faults strike actors of a node in this process, and waits until they are themselves again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use node::{boot::Node, chaos::TreeClock};
use supervision::{Backoff, ChildSnapshot, FaultInjection, FaultKind, Strike, Subscription};

use super::{
    healing::{Healed, Healing},
    kind::Kind,
};
use crate::wait::eventually;

/// Between two looks at the actors.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A fault that strikes nobody within this, for want of a message, is a failure of the campaign.
const STRIKE_LIMIT: Duration = Duration::from_secs(20);
/// So often the mailbox is filled again, a millisecond after it was filled.
const FLOOD_WAVES: u32 = 500;
/// Who ends actors, in events and reasons.
pub(super) const BY: &str = "a campaign";
/// How long an actor may take to be itself again.
const HEAL_LIMIT: Duration = Duration::from_secs(60);

/// Arms a fault in this actor, and waits until it is healed.
pub(super) async fn strike(node: &Node, actor: &str, kind: Kind) -> Result<Healed> {
    let healing = if kind == Kind::Flood { Healing::from_flood() } else { Healing::default() };
    let mut ward = Ward::new(node, &[actor], &healing)?;
    if kind == Kind::Kill {
        node.controls().kill(actor, BY).await.context("kill")?;
    }
    let waves = if kind == Kind::Flood { FLOOD_WAVES } else { 1 };
    for _ in 0..waves {
        for injection in kind.injections(actor) {
            node.inject(injection).context("inject")?;
        }
        ward.listen();
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let healed = ward.healed(kind.exits()).await?;
    healed.first().copied().context("one was struck")
}

/// Ends all these within less than a millisecond, as a crash does, and waits until they are healed.
pub(super) async fn kill(node: &Node, actors: &[&str]) -> Result<Vec<Healed>> {
    let mut ward = Ward::new(node, actors, &Healing::default())?;
    let controls = node.controls();
    for actor in actors {
        // One that another has taken with it is down already, and cannot be killed.
        let _ = controls.kill(actor, BY).await;
    }
    ward.healed(1).await
}

/// Waits until the next crash of these counts as the first, which is answered at once.
pub(super) async fn stable(node: &Node, actors: &[&str]) -> Result<()> {
    let stable_ms = Backoff::default().stable_after.as_millis() as u64;
    let is_stable = |actor: &&str| look(node, actor).is_ok_and(|child| child.restarts == 0 || stable_ms <= child.uptime_ms);
    eventually("the actors are stable", HEAL_LIMIT, async || actors.iter().all(is_stable).then_some(())).await
}

/// The actor of this name.
pub(super) fn look(node: &Node, actor: &str) -> Result<ChildSnapshot> {
    node.snapshots().take().child(actor).cloned().with_context(|| format!("there is no actor {actor}"))
}

/// Those who are watched until they are healed.
struct Ward<'a> {
    node: &'a Node,
    events: Subscription,
    clock: TreeClock,
    patients: Vec<Patient>,
    begun: Instant,
}

struct Patient {
    name: String,
    healing: Healing,
    is_nudged: bool,
}

impl Patient {
    /// An idle actor has nothing to show that it is well, so it gets a message that means nothing.
    fn nudge(&mut self, node: &Node) -> Result<()> {
        if self.healing.is_idle() && !self.is_nudged {
            self.is_nudged = true;
            let nudge = FaultInjection { child: self.name.clone(), kind: FaultKind::Flood { messages: 1 }, on: Strike::NextMessage };
            node.inject(nudge).context("inject")?;
        }
        Ok(())
    }
}

impl<'a> Ward<'a> {
    fn new(node: &'a Node, actors: &[&str], healing: &Healing) -> Result<Self> {
        let mut events = node.events().subscribe();
        while events.try_next().is_some() {}
        let patients = actors.iter().map(|actor| Patient { name: (*actor).to_owned(), healing: healing.clone(), is_nudged: false }).collect();
        let mut ward = Self { node, events, clock: TreeClock::default(), patients, begun: Instant::now() };
        ward.look()?;
        Ok(ward)
    }

    /// Waits until each has ended so often, at least, and is itself again.
    async fn healed(&mut self, exits: u32) -> Result<Vec<Healed>> {
        loop {
            self.listen();
            self.look()?;
            if let Some(healed) = self.patients.iter().map(|patient| patient.healing.healed(exits)).collect() {
                return Ok(healed);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.events.try_next() {
            let at = self.clock.at(Instant::now(), event.at_ms);
            for patient in self.patients.iter_mut().filter(|patient| patient.name == event.child) {
                patient.healing.event(at, &event);
            }
        }
    }

    fn look(&mut self) -> Result<()> {
        for patient in &mut self.patients {
            let child = look(self.node, &patient.name)?;
            patient.healing.look(Instant::now(), &child);
            patient.nudge(self.node)?;
            let waiting = if patient.healing.struck().is_some() { HEAL_LIMIT } else { STRIKE_LIMIT };
            let limit = waiting + Duration::from_millis(child.hang_limit_ms);
            anyhow::ensure!(self.begun.elapsed() < limit, "not healed within {limit:?}: {:?}, {child:?}", patient.healing);
        }
        Ok(())
    }
}
