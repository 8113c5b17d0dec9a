//! What is known of a child over all its lives, in atomics.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::chaos::Chaos;
use crate::event::EventKind;
use crate::exit::ExitReason;
use crate::fence::{Fence, Incarnation};
use crate::letters::{Tray, Unhandled};
use crate::pulse::Pulse;
use crate::snapshot::ChildState;

pub(crate) struct Vitals {
    pub name: String,
    pub fence: Fence,
    pub chaos: Chaos,
    pub handled: AtomicU64,
    pub restarts: AtomicU64,
    pub hangs: AtomicU64,
    pub dead_letters: AtomicU64,
    pub epoch: Instant,
    state: AtomicU8,
    ready_at_ms: AtomicU64,
    retry_at_ms: AtomicU64,
    pulse: ArcSwap<Pulse>,
    last_exit: Mutex<Option<Box<ExitReason>>>,
    held_by: Mutex<Option<String>>,
    /// The latest incarnation that said it is ready.
    said_ready: AtomicU64,
    /// Set once the child belongs to a tree.
    tray: OnceLock<Tray>,
}

impl Vitals {
    pub fn new(name: &str) -> Arc<Self> {
        let epoch = Instant::now();
        Arc::new(Vitals {
            name: name.to_owned(),
            fence: Fence::default(),
            chaos: Chaos::default(),
            handled: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            hangs: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            epoch,
            state: AtomicU8::new(ChildState::Waiting as u8),
            ready_at_ms: AtomicU64::new(u64::MAX),
            retry_at_ms: AtomicU64::new(0),
            pulse: ArcSwap::from(Pulse::new(epoch, Duration::MAX)),
            last_exit: Mutex::new(None),
            held_by: Mutex::new(None),
            said_ready: AtomicU64::new(0),
            tray: OnceLock::new(),
        })
    }

    /// That moment in microseconds since the mailbox was made.
    pub fn since_epoch_us(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(u64::MAX)
    }

    /// Microseconds since the mailbox was made.
    pub fn now_us(&self) -> u64 {
        self.since_epoch_us(Instant::now())
    }

    fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    pub fn state(&self) -> ChildState {
        ChildState::from_code(self.state.load(Relaxed))
    }

    pub fn enter(&self, state: ChildState) {
        self.state.store(state as u8, Relaxed);
    }

    pub fn pulse(&self) -> Arc<Pulse> {
        self.pulse.load_full()
    }

    pub fn is_pulse(&self, pulse: &Arc<Pulse>) -> bool {
        Arc::ptr_eq(&self.pulse.load(), pulse)
    }

    pub fn set_pulse(&self, pulse: Arc<Pulse>) {
        self.pulse.store(pulse);
    }

    pub fn ready(&self) {
        self.ready_at_ms.store(self.now_ms(), Relaxed);
    }

    /// A new incarnation begins.
    pub fn not_ready(&self) {
        self.ready_at_ms.store(u64::MAX, Relaxed);
    }

    pub fn say_ready(&self, incarnation: Incarnation) {
        self.said_ready.fetch_max(incarnation.0, Relaxed);
    }

    pub fn said_ready(&self, incarnation: Incarnation) -> bool {
        self.said_ready.load(Relaxed) == incarnation.0
    }

    /// Who has suspended it, if somebody has.
    pub fn held_by(&self) -> Option<String> {
        self.held_by.lock().clone()
    }

    pub fn note_held(&self, by: Option<String>) {
        *self.held_by.lock() = by;
    }

    /// How long this incarnation has been ready; zero when it is not.
    pub fn uptime(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.ready_at_ms.load(Relaxed)))
    }

    pub fn retry_in(&self, delay: Duration) {
        let at = Duration::from_millis(self.now_ms()).saturating_add(delay).as_millis();
        self.retry_at_ms.store(u64::try_from(at).unwrap_or(u64::MAX), Relaxed);
    }

    /// What is left of the wait before the next start.
    pub fn backoff_left(&self) -> Duration {
        Duration::from_millis(self.retry_at_ms.load(Relaxed).saturating_sub(self.now_ms()))
    }

    pub fn last_exit_in_words(&self) -> Option<String> {
        self.last_exit.lock().as_ref().map(ToString::to_string)
    }

    pub fn note_exit(&self, reason: ExitReason) {
        *self.last_exit.lock() = Some(Box::new(reason));
    }

    /// From now on it belongs to a tree. Only once: an address has one child.
    pub fn join(&self, tray: Tray) {
        let _ = self.tray.set(tray);
    }

    /// The child's name in its tree; before it has one, the address' own.
    pub fn path(&self) -> &str {
        self.tray.get().map_or(&self.name, Tray::child)
    }

    /// A dead letter.
    pub fn unhandled(&self, message: &'static str, why: Unhandled) {
        self.dead_letters.fetch_add(1, Relaxed);
        if let Some(tray) = self.tray.get() {
            tray.note(self.fence.current().0, message, why);
        }
    }

    /// A message broke so many incarnations that it is not tried again.
    pub fn poisoned_by(&self, message: &'static str, times: u32) {
        tracing::warn!(child = self.path(), message, times, "a message broke one incarnation after the other and is buried");
        if let Some(tray) = self.tray.get() {
            tray.tell(self.fence.current().0, Some(EventKind::Poison { message: message.to_owned(), times }));
        }
        self.unhandled(message, Unhandled::Poison);
    }

    /// Tells of the dead letters of a burst that is over.
    pub fn due_letters(&self) {
        if let Some(tray) = self.tray.get() {
            tray.tell_rest(self.fence.current().0, false);
        }
    }

    /// Tells of all dead letters: the child is over.
    pub fn last_letters(&self) {
        if let Some(tray) = self.tray.get() {
            tray.tell_rest(self.fence.current().0, true);
        }
    }
}
