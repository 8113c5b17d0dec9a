//! Lets one strike happen over the admin listener, and watches until those who were struck are themselves again.

use std::time::{Duration, Instant};

use supervision::{ChildSnapshot, ChildState, FaultInjection, FaultKind, Strike as On};
use tokio::time::{sleep, timeout};

use super::{
    Healing, Kind, TreeClock,
    plan::{Fault, Strike},
    target::{Node, PROBE_LIMIT},
};
use crate::admin::{AdminError, Order};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A fault that has met no message within this is taken back.
const STRIKE_LIMIT: Duration = Duration::from_secs(8);
/// How late an actor that is stuck may be found to be.
const SEEN_LIMIT: Duration = Duration::from_secs(2);
/// From a crash until it serves.
const CRASH_LIMIT: Duration = Duration::from_secs(3);
/// With three starts that fail.
const STARTS_LIMIT: Duration = Duration::from_secs(6);
/// From the end of a process until its actors serve.
const PROCESS_LIMIT: Duration = Duration::from_secs(60);
/// Looks without an answer until the process counts as gone.
const SILENT_LOOKS: u32 = 3;
/// So often a mailbox is filled again, one look after the other.
const FLOOD_WAVES: u32 = 20;

/// What became of one fault.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub fault: Fault,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It struck at this moment, and the actor served again after so long.
    Healed { struck: Instant, took: Duration, limit: Duration, exits: u32, by_process: bool },
    /// It struck, and the actor was not back in time.
    Lost { struck: Instant, limit: Duration, state: String },
    /// It struck nobody, and why.
    Missed(String),
    /// Its node does not answer although nothing had struck it.
    Absent(String),
}

/// One actor that is watched.
struct Patient {
    fault: Fault,
    healing: Healing,
    /// What it may take.
    limit: Duration,
    /// Within this it has met a message, and is found to have.
    strike_limit: Duration,
    is_nudged: bool,
    end: Option<End>,
}

/// Everything that a strike needs to know.
struct Ward<'a> {
    node: &'a Node,
    patients: Vec<Patient>,
    clock: TreeClock,
    /// The last event that was read.
    seen: u64,
    begun: Instant,
    silent: u32,
    /// When the node was first found to be silent, after it had been found to be gone.
    gone: Option<Instant>,
}

/// Arms the faults of `strike` in `node`; answers when each has an end.
pub async fn strike(node: &Node, strike: &Strike) -> Vec<Outcome> {
    let mut ward = match Ward::new(node, &strike.faults).await {
        Ok(ward) => ward,
        Err(error) => return strike.faults.iter().map(|fault| Outcome { fault: fault.clone(), end: unstruck(&error) }).collect(),
    };
    ward.arm().await;
    let mut waves = FLOOD_WAVES;
    while ward.patients.iter().any(|patient| patient.end.is_none()) {
        sleep(LOOK_EVERY).await;
        if 0 < waves {
            waves -= 1;
            ward.flood().await;
        }
        ward.look().await;
    }
    // Whoever ended with another has not met its own fault yet.
    for patient in &ward.patients {
        let _ = timeout(PROBE_LIMIT, node.admin.clear(&patient.fault.actor)).await;
    }
    ward.patients.into_iter().filter_map(|patient| Some(Outcome { fault: patient.fault, end: patient.end? })).collect()
}

impl<'a> Ward<'a> {
    async fn new(node: &'a Node, faults: &[Fault]) -> Result<Self, AdminError> {
        let seen = node.admin.events(0, Duration::ZERO).await?.last().map_or(0, |event| event.sequence);
        let mut patients = Vec::new();
        for fault in faults {
            let child = node.admin.actor(&fault.actor).await?.actor;
            let mut healing = if fault.kind == Kind::Flood { Healing::from_flood() } else { Healing::default() };
            healing.look(Instant::now(), &child);
            // That somebody is stuck is seen when its limit is over.
            let unseen = if fault.kind.is_stuck() { Duration::from_millis(child.hang_limit_ms) + SEEN_LIMIT } else { Duration::ZERO };
            let (limit, strike_limit) = (limit(fault.kind, &child), STRIKE_LIMIT + unseen);
            patients.push(Patient { fault: fault.clone(), healing, limit, strike_limit, is_nudged: false, end: None });
        }
        Ok(Self { node, patients, clock: TreeClock::default(), seen, begun: Instant::now(), silent: 0, gone: None })
    }

    async fn arm(&mut self) {
        for patient in &mut self.patients {
            let Fault { actor, kind } = &patient.fault;
            let done = match kind {
                Kind::Kill => self.node.admin.order(actor, Order::Kill).await.map(drop),
                _ => inject(self.node, kind.injections(actor)).await,
            };
            // One that another has taken with it is down already, and cannot be struck.
            patient.end = done.err().map(|error| unstruck(&error));
        }
    }

    /// Fills mailboxes again that were to be flooded.
    async fn flood(&mut self) {
        for patient in self.patients.iter().filter(|patient| patient.fault.kind == Kind::Flood && patient.end.is_none()) {
            // What cannot be injected now shows in the next look.
            let _ = inject(self.node, Kind::Flood.injections(&patient.fault.actor)).await;
        }
    }

    async fn look(&mut self) {
        match timeout(PROBE_LIMIT, self.read()).await {
            Ok(Ok(())) => self.silent = 0,
            Ok(Err(_)) | Err(_) => {
                self.silent += 1;
                if self.silent == SILENT_LOOKS {
                    self.gone.get_or_insert_with(Instant::now);
                }
            }
        }
        self.judge();
    }

    async fn read(&mut self) -> Result<(), AdminError> {
        if self.gone.is_some() {
            return self.read_next_life().await;
        }
        let events = self.node.admin.events(self.seen, Duration::ZERO).await?;
        for event in &events {
            let at = self.clock.at(Instant::now(), event.at_ms);
            self.seen = self.seen.max(event.sequence);
            for patient in self.patients.iter_mut().filter(|patient| patient.fault.actor == event.child) {
                patient.healing.event(at, event);
            }
        }
        for patient in self.patients.iter_mut().filter(|patient| patient.end.is_none()) {
            let child = self.node.admin.actor(&patient.fault.actor).await?.actor;
            patient.healing.look(Instant::now(), &child);
            // An idle actor has nothing to show that it is well, so it gets a message that means nothing.
            if patient.healing.is_idle() && !patient.is_nudged {
                patient.is_nudged = true;
                let kind = FaultKind::Flood { messages: 1 };
                inject(self.node, vec![FaultInjection { child: patient.fault.actor.clone(), kind, on: On::NextMessage }]).await?;
            }
        }
        Ok(())
    }

    /// The process has ended: its next one is well when all of them run.
    async fn read_next_life(&mut self) -> Result<(), AdminError> {
        let tree = self.node.admin.tree().await?.tree;
        let is_back = tree.children.iter().all(|child| child.parent.is_some() || child.state == ChildState::Running);
        let Some(gone) = self.gone.filter(|_| is_back) else { return Ok(()) };
        for patient in self.patients.iter_mut().filter(|patient| patient.end.is_none()) {
            let struck = patient.healing.struck().unwrap_or(gone);
            patient.end = Some(End::Healed { struck, took: struck.elapsed(), limit: PROCESS_LIMIT, exits: 1, by_process: true });
        }
        Ok(())
    }

    fn judge(&mut self) {
        for patient in self.patients.iter_mut().filter(|patient| patient.end.is_none()) {
            let struck = patient.healing.struck().or(self.gone);
            let limit = if self.gone.is_some() { PROCESS_LIMIT } else { patient.limit };
            patient.end = match (patient.healing.healed(patient.fault.kind.exits()), struck) {
                (Some(healed), _) if self.gone.is_none() => {
                    Some(End::Healed { struck: healed.struck, took: healed.served, limit, exits: healed.exits, by_process: false })
                }
                (_, Some(struck)) if limit < struck.elapsed() => {
                    let state = if 0 < self.silent { "its node does not answer".to_owned() } else { format!("{:?}", patient.healing) };
                    Some(End::Lost { struck, limit, state })
                }
                (_, None) if patient.strike_limit < self.begun.elapsed() => Some(End::Missed("no message came for it to strike".to_owned())),
                _ => None,
            };
        }
    }
}

fn unstruck(error: &AdminError) -> End {
    match error {
        AdminError::Unanswered(_) => End::Absent(error.to_string()),
        AdminError::Refused { .. } => End::Missed(error.to_string()),
    }
}

async fn inject(node: &Node, faults: Vec<FaultInjection>) -> Result<(), AdminError> {
    for fault in &faults {
        node.admin.inject(fault).await?;
    }
    Ok(())
}

/// How long this actor may take, from the moment the fault strikes.
fn limit(kind: Kind, child: &ChildSnapshot) -> Duration {
    match kind {
        Kind::Start => STARTS_LIMIT,
        // Several seconds of work may be in front of what takes it back.
        Kind::Hang | Kind::Block | Kind::Flood => Duration::from_millis(child.hang_limit_ms) + CRASH_LIMIT,
        Kind::Panic | Kind::Error | Kind::Kill => CRASH_LIMIT,
    }
}
