//! The signs of life of one incarnation, in atomics, so that anybody may look at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::hang::Signs;
use crate::task::Tasks;
use crate::vitals::Vitals;

tokio::task_local! {
    /// The incarnation whose handler runs in this task.
    static CURRENT: Arc<Pulse>;
}

/// One per incarnation, so that a dead one that wakes up writes into nobody's stamps but its own.
pub(crate) struct Pulse {
    epoch: Instant,
    /// Microseconds since `epoch`, plus one; 0 when idle.
    busy_since: AtomicU64,
    limit_us: AtomicU64,
    hang_limit_us: u64,
    /// Questions to other actors that are open now, and since when.
    waiting: AtomicU32,
    waiting_since: AtomicU64,
    /// Whom they were put to, oldest first, each with its number.
    asked: Mutex<Asked>,
    /// When it last showed that it listens.
    alive_at: AtomicU64,
    /// When it was first pinged since then; older when no ping is open.
    pinged_at: AtomicU64,
    doing: Mutex<&'static str>,
    fenced: AtomicBool,
    saying_goodbye: AtomicBool,
    /// What it has spawned.
    pub tasks: Tasks,
}

impl Pulse {
    /// `epoch` is the mailbox's, so that stamps of both can be compared.
    pub fn new(epoch: Instant, hang_limit: Duration) -> Arc<Self> {
        Arc::new(Pulse {
            epoch,
            busy_since: AtomicU64::new(0),
            limit_us: AtomicU64::new(micros(hang_limit)),
            hang_limit_us: micros(hang_limit),
            waiting: AtomicU32::new(0),
            waiting_since: AtomicU64::new(0),
            asked: Mutex::default(),
            alive_at: AtomicU64::new(0),
            pinged_at: AtomicU64::new(0),
            doing: Mutex::new(""),
            fenced: AtomicBool::new(false),
            saying_goodbye: AtomicBool::new(false),
            tasks: Tasks::new(),
        })
    }

    /// Microseconds since the epoch, plus one.
    pub fn now(&self) -> u64 {
        micros(self.epoch.elapsed()) + 1
    }

    /// Takes work in hand now.
    pub fn begin(&self, what: &'static str) {
        self.name(what);
        self.begin_at(self.now());
    }

    /// What is in hand from now on.
    pub fn name(&self, what: &'static str) {
        *self.doing.lock() = what;
    }

    /// Takes in hand, at that moment, what was [named](Pulse::name) last.
    pub fn begin_at(&self, now: u64) {
        self.limit_us.store(self.hang_limit_us, Relaxed);
        self.busy_since.store(now, Relaxed);
    }

    /// Ends the work in hand, and tells when that was.
    pub fn end(&self) -> u64 {
        let now = self.now();
        self.alive_at.store(now, Relaxed);
        self.busy_since.store(0, Relaxed);
        now
    }

    /// Declares that the work in hand is now something with a limit of its own; the clock begins again.
    pub fn declare(&self, what: &'static str, limit: Duration) -> Declared<'_> {
        let outer = std::mem::replace(&mut *self.doing.lock(), what);
        self.limit_us.store(micros(limit), Relaxed);
        self.busy_since.store(self.now(), Relaxed);
        Declared { pulse: self, outer }
    }

    /// A ping is on its way.
    pub fn ping(&self) {
        if self.pinged_at.load(Relaxed) <= self.alive_at.load(Relaxed) {
            self.pinged_at.store(self.now(), Relaxed);
        }
    }

    pub fn pong(&self) {
        self.alive_at.store(self.now(), Relaxed);
    }

    /// From now on nothing this incarnation does may have an effect. Its tasks and timers are aborted.
    pub fn fence(&self) {
        self.fenced.store(true, Relaxed);
        self.tasks.abort();
    }

    /// Its mailbox is drained; what it does now is its last.
    pub fn say_goodbye(&self) {
        self.saying_goodbye.store(true, Relaxed);
    }

    pub fn is_saying_goodbye(&self) -> bool {
        self.saying_goodbye.load(Relaxed)
    }

    /// Whether it is at work with a limit of its own, within that limit.
    pub fn is_declared(&self) -> bool {
        let limit = self.limit_us.load(Relaxed);
        limit != self.hang_limit_us && self.busy().is_some_and(|busy| micros(busy) <= limit)
    }

    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Relaxed)
    }

    pub fn doing(&self) -> &'static str {
        *self.doing.lock()
    }

    /// How long it has been at the work in hand, waiting for others taken off.
    pub fn busy(&self) -> Option<Duration> {
        let since = self.busy_since.load(Relaxed);
        (since != 0).then(|| Duration::from_micros(self.now().saturating_sub(since)))
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }

    /// Whom the work in hand waits for, oldest first, each with a number that this incarnation uses once.
    pub fn waits(&self) -> Vec<(u64, Arc<Vitals>)> {
        if !self.is_waiting() {
            return Vec::new();
        }
        self.asked.lock().open.clone()
    }

    pub fn signs(&self) -> Signs {
        let (now, alive_at, pinged_at) = (self.now(), self.alive_at.load(Relaxed), self.pinged_at.load(Relaxed));
        let since = |at: u64| Duration::from_micros(now.saturating_sub(at));
        Signs {
            busy: self.busy(),
            waiting: self.is_waiting(),
            limit: Duration::from_micros(self.limit_us.load(Relaxed)),
            silent: since(alive_at),
            deaf: if pinged_at > alive_at { since(pinged_at) } else { Duration::ZERO },
        }
    }

    /// Runs a handler's future so that what it sends is known to be this incarnation's.
    pub fn scope<F: Future>(self: Arc<Self>, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// The incarnation whose handler runs now, if one does.
    fn current() -> Option<Arc<Pulse>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Who sends here to the child with these `vitals`.
    pub fn sender(vitals: &Vitals) -> Sender {
        let known = CURRENT.try_with(|pulse| match pulse {
            pulse if pulse.is_fenced() => Sender::Fenced,
            pulse if vitals.is_pulse(pulse) => Sender::Itself,
            _ => Sender::Other,
        });
        known.unwrap_or(Sender::Other)
    }

    /// Whether what runs now belongs to an incarnation that was replaced.
    pub fn here_is_fenced() -> bool {
        CURRENT.try_with(|pulse| pulse.is_fenced()).unwrap_or(false)
    }

    /// Stops here for ever if what runs now belongs to an incarnation that was replaced; its task is being killed.
    pub async fn rest_if_fenced() {
        if Pulse::here_is_fenced() {
            std::future::pending::<()>().await;
        }
    }
}

/// While it lives, the declared limit counts; then the message's own clock begins anew.
pub(crate) struct Declared<'a> {
    pulse: &'a Pulse,
    outer: &'static str,
}

impl Drop for Declared<'_> {
    fn drop(&mut self) {
        self.pulse.begin(self.outer);
    }
}

/// Who sends a message, seen from the mailbox it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Other,
    /// The actor behind the mailbox, to itself.
    Itself,
    /// An incarnation that was replaced.
    Fenced,
}

/// The open questions of one incarnation.
#[derive(Default)]
struct Asked {
    open: Vec<(u64, Arc<Vitals>)>,
    last: u64,
}

impl Asked {
    fn open(&mut self, whom: &Arc<Vitals>) -> u64 {
        self.last += 1;
        self.open.push((self.last, whom.clone()));
        self.last
    }

    fn close(&mut self, number: u64) {
        self.open.retain(|(open, _)| *open != number);
    }
}

/// While it lives, the incarnation in this task waits for another and cannot be called hung.
pub(crate) struct Waiting(Option<(Arc<Pulse>, u64)>);

impl Waiting {
    /// Waits for `whom`.
    pub fn begin(whom: &Arc<Vitals>) -> Self {
        Waiting(Pulse::current().map(|pulse| {
            let number = pulse.asked.lock().open(whom);
            if pulse.waiting.fetch_add(1, Relaxed) == 0 {
                pulse.waiting_since.store(pulse.now(), Relaxed);
            }
            (pulse, number)
        }))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some((pulse, number)) = &self.0 else { return };
        pulse.asked.lock().close(*number);
        let waited = pulse.now().saturating_sub(pulse.waiting_since.load(Relaxed));
        // Shifted before the count falls, so that no judge sees the wait as work.
        if pulse.waiting.load(Relaxed) == 1 && pulse.busy_since.load(Relaxed) != 0 {
            pulse.busy_since.fetch_add(waited, Relaxed);
        }
        pulse.waiting.fetch_sub(1, Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_spent_waiting_for_another_is_no_work() {
        let pulse = Pulse::new(Instant::now(), Duration::from_millis(100));
        pulse.begin("Ask");
        pulse
            .clone()
            .scope(async {
                let waiting = Waiting::begin(&Vitals::new("b"));
                tokio::time::advance(Duration::from_millis(500)).await;
                assert!(pulse.signs().waiting);
                assert_eq!(pulse.waits()[0].1.path(), "b");
                drop(waiting);
                tokio::time::advance(Duration::from_millis(30)).await;
            })
            .await;
        assert!(!pulse.signs().waiting && pulse.waits().is_empty());
        assert_eq!(pulse.busy(), Some(Duration::from_millis(30)));
    }

    #[tokio::test(start_paused = true)]
    async fn declared_work_has_its_own_limit() {
        let pulse = Pulse::new(Instant::now(), Duration::from_millis(100));
        pulse.begin("Flush");
        let declared = pulse.declare("journal", Duration::from_secs(30));
        assert_eq!((pulse.doing(), pulse.signs().limit), ("journal", Duration::from_secs(30)));
        drop(declared);
        assert_eq!((pulse.doing(), pulse.signs().limit), ("Flush", Duration::from_millis(100)));
    }
}
