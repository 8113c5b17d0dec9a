//! Faults on request: always compiled, armed only where the tree's configuration allows it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::actor::Fault;

/// A fault to be injected into a child of a tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultInjection {
    /// The child's name.
    pub child: String,
    pub kind: FaultKind,
    pub on: Strike,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The handler panics.
    Panic,
    /// The handler returns a fault.
    Error,
    /// The handler awaits for this long (for ever when absent), then handles the message.
    Hang { ms: Option<u64> },
    /// The handler blocks its thread for this long, then handles the message.
    Block { ms: u64 },
    /// The message is handled this much later; the same as a short `Hang`, under the name of what it simulates.
    Delay { ms: u64 },
    /// So many messages that mean nothing are put into the normal lane, as far as there is room. This happens when it
    /// is injected, whatever it is to strike; until they are handled, under the name `Flood`, senders find the lane full.
    Flood { messages: u32 },
}

/// What it strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strike {
    /// The next one, once.
    NextMessage,
    /// The next one of this name, once.
    Named(String),
    /// The n-th from now, counted from 1, once.
    Count(u64),
    /// Each, with this probability in thousandths, until the injection is cleared.
    Probability { per_mille: u32, seed: u64 },
    /// No message, but the next so many starts, before the factory is called: one that hangs is late.
    Start { times: u32 },
}

/// An injection that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    #[error("fault injection is not enabled")]
    Disabled,
    #[error("there is no child {0}")]
    Unknown(String),
    #[error("{0} has too many faults armed; at most {MAX_ARMED}")]
    TooMany(String),
}

/// How many faults may wait for one child.
pub(crate) const MAX_ARMED: usize = 64;

/// The faults armed for one child.
#[derive(Default)]
pub(crate) struct Chaos {
    armed: AtomicBool,
    faults: Mutex<Vec<Armed>>,
}

struct Armed {
    kind: FaultKind,
    on: Strike,
    dice: StdRng,
}

impl Chaos {
    /// `false`: too many wait already.
    pub fn arm(&self, kind: FaultKind, on: Strike) -> bool {
        let seed = match on {
            Strike::Probability { seed, .. } => seed,
            _ => 0,
        };
        let mut faults = self.faults.lock();
        if faults.len() >= MAX_ARMED {
            return false;
        }
        if on == (Strike::Start { times: 0 }) {
            return true;
        }
        faults.push(Armed { kind, on, dice: StdRng::seed_from_u64(seed) });
        self.armed.store(true, Relaxed);
        true
    }

    pub fn clear(&self) {
        self.faults.lock().clear();
        self.armed.store(false, Relaxed);
    }

    /// The fault that strikes this message, if any.
    pub fn strike(&self, message: &str) -> Option<FaultKind> {
        self.find(|fault| fault.strikes(message))
    }

    /// The fault that strikes this start, if any.
    pub fn strike_start(&self) -> Option<FaultKind> {
        self.find(Armed::strikes_start)
    }

    fn find(&self, strikes: impl FnMut(&mut Armed) -> bool) -> Option<FaultKind> {
        if !self.armed.load(Relaxed) {
            return None;
        }
        let mut faults = self.faults.lock();
        let hit = faults.iter_mut().position(strikes)?;
        let kind = faults[hit].kind.clone();
        if !matches!(faults[hit].on, Strike::Probability { .. } | Strike::Start { times: 1.. }) {
            faults.remove(hit);
        }
        self.armed.store(!faults.is_empty(), Relaxed);
        Some(kind)
    }
}

impl Armed {
    fn strikes(&mut self, message: &str) -> bool {
        match &mut self.on {
            Strike::NextMessage => true,
            Strike::Named(name) => name == message,
            Strike::Count(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            Strike::Probability { per_mille, .. } => self.dice.random_range(0..1000) < *per_mille,
            Strike::Start { .. } => false,
        }
    }

    fn strikes_start(&mut self) -> bool {
        let Strike::Start { times } = &mut self.on else { return false };
        *times = times.saturating_sub(1);
        true
    }
}

/// Lets a fault happen, inside the handler of the message it strikes, or inside the start.
pub(crate) async fn happen(fault: FaultKind) -> Result<(), Fault> {
    match fault {
        FaultKind::Panic => panic!("injected panic"),
        FaultKind::Error => return Err(Fault::new("injected fault")),
        FaultKind::Hang { ms: None } => std::future::pending().await,
        FaultKind::Hang { ms: Some(ms) } | FaultKind::Delay { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        // Blocking the thread is the fault that was asked for.
        FaultKind::Block { ms } => std::thread::sleep(Duration::from_millis(ms)),
        // It has happened when it was injected.
        FaultKind::Flood { .. } => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(on: Strike, messages: &[&str]) -> Vec<bool> {
        let chaos = Chaos::default();
        assert!(chaos.arm(FaultKind::Panic, on));
        messages.iter().map(|message| chaos.strike(message).is_some()).collect()
    }

    #[test]
    fn each_strike_finds_its_message_once() {
        assert_eq!(hits(Strike::NextMessage, &["A", "B"]), [true, false]);
        assert_eq!(hits(Strike::Named("B".into()), &["A", "B", "B"]), [false, true, false]);
        assert_eq!(hits(Strike::Count(3), &["A", "A", "A", "A"]), [false, false, true, false]);
    }

    #[test]
    fn so_many_starts_are_struck_and_no_message() {
        let chaos = Chaos::default();
        assert!(chaos.arm(FaultKind::Error, Strike::Start { times: 2 }) && chaos.arm(FaultKind::Error, Strike::Start { times: 0 }));
        assert_eq!(chaos.strike("A"), None);
        let starts = [(); 3].map(|()| chaos.strike_start().is_some());
        assert_eq!(starts, [true, true, false]);
    }

    #[test]
    fn injections_are_read_as_they_have_always_been_written() {
        let cases = [
            (r#"{"child":"a","kind":"panic","on":"next_message"}"#, FaultKind::Panic, Strike::NextMessage),
            (r#"{"child":"a","kind":{"hang":{"ms":null}},"on":{"named":"Ask"}}"#, FaultKind::Hang { ms: None }, Strike::Named("Ask".into())),
            (r#"{"child":"a","kind":"error","on":{"start":{"times":3}}}"#, FaultKind::Error, Strike::Start { times: 3 }),
            (r#"{"child":"a","kind":{"flood":{"messages":9}},"on":"next_message"}"#, FaultKind::Flood { messages: 9 }, Strike::NextMessage),
        ];
        for (text, kind, on) in cases {
            let fault = FaultInjection { child: "a".into(), kind, on };
            assert_eq!(serde_json::from_str::<FaultInjection>(text).expect("it is read"), fault);
            assert_eq!(serde_json::to_string(&fault).expect("it is written"), text);
        }
    }

    #[test]
    fn a_probability_strikes_the_same_messages_for_the_same_seed() {
        let messages = ["A"; 200];
        let once = hits(Strike::Probability { per_mille: 100, seed: 7 }, &messages);
        assert_eq!(once, hits(Strike::Probability { per_mille: 100, seed: 7 }, &messages));
        let count = once.iter().filter(|hit| **hit).count();
        assert!((5..40).contains(&count), "{count}");
    }
}
