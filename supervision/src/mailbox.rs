//! The mailbox behind an address: it holds the queue, and outlives everybody who reads from it.
//!
//! ```text
//!   senders --> room (a semaphore per lane) --> lanes --take(incarnation)--> runner of the living incarnation
//!                                                 |
//!                             doorbell, rung once until the runner found the lanes empty
//! ```
//! One lock guards lanes, owner and doorbell, is never held across an await or a call of foreign code, and
//! is where the fence is tested: a stale incarnation can take nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;
use ractor::ActorRef;
use tokio::sync::Semaphore;

use crate::actor::Message;
use crate::fence::Incarnation;
use crate::lane::{Envelope, Lane, Lanes, MailboxLimits, TimerMark};
use crate::pulse::Pulse;
use crate::reply::bury;
use crate::trace::Origin;
use crate::vitals::Vitals;

/// What the runner hears through ractor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// There is something in the mailbox.
    Doorbell,
    /// Are you there?
    Ping,
}

/// What a runner finds when it looks into the mailbox.
pub(crate) enum Taken<M> {
    Message(Envelope<M>),
    /// Nothing now; the doorbell will ring.
    Nothing,
    /// Time to leave, in order.
    Leave,
    /// Somebody else lives here.
    Stale,
}

/// How the present incarnation is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// Takes nothing new in, handles what waits, then goes.
    Drained,
    /// Goes after the message in hand; what waits is for the next incarnation.
    AtOnce,
}

pub(crate) struct Mailbox<M> {
    pub vitals: Arc<Vitals>,
    pub limits: MailboxLimits,
    room: [Semaphore; crate::lane::LANES],
    inbox: Mutex<Inbox<M>>,
}

struct Inbox<M> {
    lanes: Lanes<M>,
    owner: Option<Owner>,
    rung: bool,
    paused: bool,
    leaving: Option<Leaving>,
    closed: bool,
}

struct Owner {
    incarnation: Incarnation,
    bell: ActorRef<Control>,
}

/// The mailbox takes nothing more, for good.
#[derive(Debug)]
pub(crate) struct Closed;

impl<M: Message> Mailbox<M> {
    pub fn new(name: &str, limits: MailboxLimits) -> Arc<Self> {
        let room = [Lane::Urgent, Lane::Normal, Lane::Bulk].map(|lane| Semaphore::new(limits.of(lane)));
        let inbox = Inbox { lanes: Lanes::new(), owner: None, rung: false, paused: false, leaving: None, closed: false };
        Arc::new(Mailbox { vitals: Vitals::new(name), limits, room, inbox: Mutex::new(inbox) })
    }

    pub fn room(&self, lane: Lane) -> &Semaphore {
        &self.room[lane as usize]
    }

    /// Queues a message that holds a place in `room`, which the runner will give back.
    pub fn push(&self, message: M) -> Result<(), Closed> {
        let origin = if Pulse::here_is(&self.vitals) { Origin::none() } else { Origin::here() };
        self.put(message, origin, None)
    }

    /// Queues a timer's message, which holds no place. Refused when its incarnation is gone.
    pub fn push_timer(&self, message: M, mark: TimerMark) -> Result<(), Closed> {
        self.put(message, Origin::none(), Some(mark))
    }

    fn put(&self, message: M, origin: Origin, timer: Option<TimerMark>) -> Result<(), Closed> {
        let lane = message.lane();
        let mut inbox = self.inbox.lock();
        // By the fence, not by the owner: a timer may fire while its incarnation is still starting.
        let is_stale = timer.as_ref().is_some_and(|mark| !self.vitals.fence.is_current(mark.of));
        if inbox.closed || is_stale {
            drop(inbox);
            return Err(Closed);
        }
        inbox.lanes.push(Envelope { message, lane, queued_at: self.vitals.now_us(), origin, timer });
        inbox.ring();
        Ok(())
    }

    /// The living incarnation's next message.
    pub fn take(&self, incarnation: Incarnation) -> Taken<M> {
        let mut inbox = self.inbox.lock();
        if !inbox.is_owned_by(incarnation) {
            return Taken::Stale;
        }
        if inbox.leaving == Some(Leaving::AtOnce) {
            return Taken::Leave;
        }
        let next = if inbox.paused { None } else { inbox.lanes.pop() };
        match next {
            Some(envelope) => {
                drop(inbox);
                self.give_back(&envelope);
                Taken::Message(envelope)
            }
            None if inbox.leaving == Some(Leaving::Drained) => Taken::Leave,
            None => {
                inbox.rung = false;
                Taken::Nothing
            }
        }
    }

    fn give_back(&self, envelope: &Envelope<M>) {
        if envelope.timer.is_none() {
            self.room(envelope.lane).add_permits(1);
        }
    }

    /// Lets an incarnation read; `false` when it is no longer the living one.
    pub fn attach(&self, incarnation: Incarnation, bell: ActorRef<Control>) -> bool {
        let mut inbox = self.inbox.lock();
        if inbox.closed || !self.vitals.fence.is_current(incarnation) {
            return false;
        }
        inbox.owner = Some(Owner { incarnation, bell });
        inbox.leaving = None;
        inbox.paused = false;
        inbox.rung = false;
        if !inbox.lanes.is_empty() {
            inbox.ring();
        }
        true
    }
}

impl<M> Inbox<M> {
    fn is_owned_by(&self, incarnation: Incarnation) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.incarnation == incarnation)
    }

    fn ring(&mut self) {
        if !self.rung
            && let Some(owner) = &self.owner
        {
            self.rung = owner.bell.cast(Control::Doorbell).is_ok();
        }
    }
}

/// What the supervisor does to a mailbox, whatever its messages are.
pub(crate) trait Port: Send + Sync {
    fn vitals(&self) -> &Arc<Vitals>;
    /// Messages that wait and hold room.
    fn depth(&self) -> usize;
    fn capacity(&self) -> usize;
    /// Asks the incarnation whether it listens.
    fn ping(&self);
    /// While paused, messages wait and the incarnation lives on.
    fn pause(&self, paused: bool);
    /// Tells the present incarnation to go.
    fn leave(&self, how: Leaving);
    /// Takes the mailbox from its incarnation; what waits is for the next one.
    fn detach(&self);
    /// Nobody will read any more: what waits is dropped and counted, senders get `Stopped`.
    fn close(&self);
}

impl<M: Message> Port for Mailbox<M> {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn depth(&self) -> usize {
        let free: usize = self.room.iter().map(Semaphore::available_permits).sum();
        self.capacity().saturating_sub(free)
    }

    fn capacity(&self) -> usize {
        self.limits.total()
    }

    fn ping(&self) {
        if let Some(owner) = &self.inbox.lock().owner {
            self.vitals.pulse().ping();
            // A bell that cannot be rung shows as a ping that is not answered.
            let _ = owner.bell.cast(Control::Ping);
        }
    }

    fn pause(&self, paused: bool) {
        let mut inbox = self.inbox.lock();
        inbox.paused = paused;
        if !paused && !inbox.lanes.is_empty() {
            inbox.rung = false;
            inbox.ring();
        }
    }

    fn leave(&self, how: Leaving) {
        let mut inbox = self.inbox.lock();
        inbox.leaving = Some(how);
        if how == Leaving::Drained {
            inbox.closed = true;
            inbox.paused = false;
            self.room.iter().for_each(Semaphore::close);
        }
        inbox.rung = false;
        inbox.ring();
    }

    fn detach(&self) {
        let mut inbox = self.inbox.lock();
        inbox.owner = None;
        inbox.rung = false;
        inbox.leaving = None;
        let timers = inbox.lanes.take_timers();
        drop(inbox);
        // Outside the lock: a message may hold anything.
        bury(timers);
    }

    fn close(&self) {
        self.room.iter().for_each(Semaphore::close);
        let mut inbox = self.inbox.lock();
        inbox.closed = true;
        inbox.owner = None;
        let letters = inbox.lanes.take_all();
        drop(inbox);
        self.vitals.dead_letters.fetch_add(letters.len() as u64, Relaxed);
        letters.iter().for_each(|letter| self.give_back(letter));
        bury(letters);
    }
}
