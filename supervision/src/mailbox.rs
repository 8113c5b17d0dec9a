//! The mailbox behind an address: it holds the queue, and outlives everybody who reads from it.
//!
//! ```text
//!   senders --> room (a bound per lane) --> lanes --next(incarnation)--> runner of the living incarnation
//!                  line of those who wait     ^ |                          |  |
//!                                             | doorbell: its waker, left <+  | keep, settle
//!                                             | when it found them empty      v
//!                                             +------------- detach ------ in hand: a copy, if there may be a second try
//! ```
//! One lock guards lanes, owner and doorbell, is taken once to send and once to take, is never held across an await or
//! a call of foreign code, and is where the fence is tested: a stale incarnation can take nothing.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, MutexGuard};

use crate::actor::{Message, POISON_TIMES};
use crate::address::AskError;
use crate::fence::Incarnation;
use crate::lane::{Admission, Envelope, Item, Lane, Lanes, MailboxLimits};
use crate::letters::Unhandled;
use crate::reply::bury;
use crate::room::{Place, Ticket};
use crate::vitals::Vitals;

/// What a runner finds when it looks into the mailbox.
pub(crate) enum Taken<M> {
    Item(Item<M>),
    /// Somebody asks whether it listens.
    Ping,
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
    inbox: Mutex<Inbox<M>>,
}

struct Inbox<M> {
    lanes: Lanes<M>,
    /// What the owner has in hand, if it may be handled again. Boxed, because most may not.
    in_hand: Option<Box<Envelope<M>>>,
    owner: Option<Owner>,
    paused: bool,
    leaving: Option<Leaving>,
    closed: bool,
}

struct Owner {
    incarnation: Incarnation,
    /// Left by a runner that found nothing.
    bell: Option<Waker>,
    pinged: bool,
}

/// The mailbox takes nothing more, for good.
#[derive(Debug)]
pub(crate) struct Closed;

/// A message that was not let in.
pub(crate) enum Refused<M> {
    Full(Envelope<M>),
    Closed(Envelope<M>),
}

impl<M: Message> Mailbox<M> {
    pub fn new(name: &str, limits: MailboxLimits) -> Arc<Self> {
        let lanes = Lanes::new(&limits);
        let inbox = Inbox { lanes, in_hand: None, owner: None, paused: false, leaving: None, closed: false };
        Arc::new(Mailbox { vitals: Vitals::new(name), limits, inbox: Mutex::new(inbox) })
    }

    /// Lets a message in if there is room, or an older one yields.
    pub fn post(&self, envelope: Envelope<M>) -> Result<(), Refused<M>> {
        let mut inbox = self.inbox.lock();
        if inbox.closed {
            return Err(Refused::Closed(envelope));
        }
        match inbox.lanes.admit(envelope) {
            Admission::Entered => {
                ring(inbox);
                Ok(())
            }
            Admission::Instead(oldest) => {
                drop(inbox);
                self.vitals.unhandled(oldest.name, Unhandled::DroppedOldest);
                bury(oldest, AskError::Full);
                Ok(())
            }
            Admission::Full(envelope) => Err(Refused::Full(envelope)),
        }
    }

    /// Queues a message that has a place, or a timer's, which needs none and is refused when its incarnation is gone.
    pub fn put(&self, envelope: Envelope<M>) -> Result<(), Closed> {
        let mut inbox = self.inbox.lock();
        // By the fence, not by the owner: a timer may fire while its incarnation is still starting.
        let is_stale = envelope.timer.as_ref().is_some_and(|mark| !self.vitals.fence.is_current(mark.of));
        if inbox.closed || is_stale {
            drop(inbox);
            return Err(Closed);
        }
        inbox.lanes.push(envelope);
        ring(inbox);
        Ok(())
    }

    /// Waits for a place in a lane. Whoever drops this future gives up the turn.
    pub async fn place(&self, lane: Lane) -> Result<Place<'_, M>, Closed> {
        let ticket = {
            let mut inbox = self.inbox.lock();
            if inbox.closed {
                return Err(Closed);
            }
            inbox.lanes.enter_line(lane)
        };
        match ticket {
            None => Ok(Place::new(self, lane)),
            Some((number, call)) => Ticket { mailbox: self, lane, number, call, called: false }.place().await,
        }
    }

    /// A place is free. Whoever waits longest gets it; one who left meanwhile does not answer.
    pub fn release(&self, lane: Lane) {
        loop {
            let heir = self.inbox.lock().lanes.release(lane);
            if heir.is_none_or(|heir| heir.send(()).is_ok()) {
                return;
            }
        }
    }

    pub fn leave_line(&self, lane: Lane, number: u64) {
        self.inbox.lock().lanes.leave_line(lane, number);
    }

    /// What the living incarnation has to do next. If that is nothing, it will be woken.
    pub fn poll_next(&self, incarnation: Incarnation, cx: &mut Context<'_>) -> Poll<Taken<M>> {
        let mut inbox = self.inbox.lock();
        let Inbox { lanes, owner, paused, leaving, .. } = &mut *inbox;
        let Some(owner) = owner.as_mut().filter(|owner| owner.incarnation == incarnation) else {
            return Poll::Ready(Taken::Stale);
        };
        if std::mem::take(&mut owner.pinged) {
            return Poll::Ready(Taken::Ping);
        }
        if *leaving == Some(Leaving::AtOnce) {
            return Poll::Ready(Taken::Leave);
        }
        match if *paused { None } else { lanes.pop() } {
            Some((item, heir)) => {
                drop(inbox);
                if let Some(heir) = heir
                    && heir.send(()).is_err()
                {
                    self.release(item.lane());
                }
                Poll::Ready(Taken::Item(item))
            }
            None if *leaving == Some(Leaving::Drained) => Poll::Ready(Taken::Leave),
            None => {
                // One that was left before is of this same task, so its end is nobody's.
                owner.bell = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Remembers what an incarnation has in hand, for the case that it breaks.
    pub fn keep(&self, incarnation: Incarnation, copy: Envelope<M>) {
        let copy = Box::new(copy);
        let mut inbox = self.inbox.lock();
        let refused = if inbox.is_owned_by(incarnation) { inbox.in_hand.replace(copy) } else { Some(copy) };
        drop(inbox);
        drop(refused);
    }

    /// What was in hand is handled.
    pub fn settle(&self, incarnation: Incarnation) {
        let mut inbox = self.inbox.lock();
        let copy = if inbox.is_owned_by(incarnation) { inbox.in_hand.take() } else { None };
        drop(inbox);
        drop(copy);
    }

    /// Lets an incarnation read; `false` when it is no longer the living one.
    pub fn attach(&self, incarnation: Incarnation) -> bool {
        let mut inbox = self.inbox.lock();
        if inbox.closed || !self.vitals.fence.is_current(incarnation) {
            return false;
        }
        let before = inbox.owner.replace(Owner { incarnation, bell: None, pinged: false });
        inbox.leaving = None;
        inbox.paused = false;
        drop(inbox);
        drop(before);
        true
    }
}

impl<M> Inbox<M> {
    fn is_owned_by(&self, incarnation: Incarnation) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.incarnation == incarnation)
    }
}

/// Wakes the runner if it waits; outside the lock, as everything that is not ours.
fn ring<M>(mut inbox: MutexGuard<'_, Inbox<M>>) {
    let bell = inbox.owner.as_mut().and_then(|owner| owner.bell.take());
    drop(inbox);
    if let Some(bell) = bell {
        bell.wake();
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
    /// Takes the mailbox from its incarnation; what waits is for the next one, and so is what it had in hand, if that
    /// may be handled again and is no poison. `blame`: it ended because of what it had in hand.
    fn detach(&self, blame: bool);
    /// Nobody will read any more: what waits is dropped and counted, senders get `Stopped`.
    fn close(&self);
    /// Queues so many that mean nothing; tells how many found no room.
    fn flood(&self, messages: u32) -> u32;
}

impl<M: Message> Port for Mailbox<M> {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn depth(&self) -> usize {
        self.inbox.lock().lanes.held()
    }

    fn capacity(&self) -> usize {
        self.limits.total()
    }

    fn ping(&self) {
        let mut inbox = self.inbox.lock();
        let Some(owner) = &mut inbox.owner else { return };
        owner.pinged = true;
        // Stamped before it can be answered.
        self.vitals.pulse().ping();
        ring(inbox);
    }

    fn pause(&self, paused: bool) {
        let mut inbox = self.inbox.lock();
        inbox.paused = paused;
        if !paused {
            ring(inbox);
        }
    }

    fn leave(&self, how: Leaving) {
        let mut inbox = self.inbox.lock();
        inbox.leaving = Some(how);
        let lines = (how == Leaving::Drained).then(|| {
            inbox.closed = true;
            inbox.paused = false;
            inbox.lanes.take_lines()
        });
        ring(inbox);
        drop(lines);
    }

    fn detach(&self, blame: bool) {
        let mut inbox = self.inbox.lock();
        let owner = inbox.owner.take();
        inbox.leaving = None;
        let timers = inbox.lanes.take_timers();
        let mut in_hand = inbox.in_hand.take();
        let is_poison = in_hand.as_mut().is_some_and(|envelope| {
            envelope.broke += u32::from(blame);
            envelope.broke >= POISON_TIMES
        });
        if !is_poison && let Some(envelope) = in_hand.take() {
            inbox.lanes.put_back(*envelope);
        }
        drop(inbox);
        // Outside the lock: a message may hold anything, and the last waker of a task its actor.
        drop(owner);
        bury(timers, AskError::Stopped);
        if let Some(poison) = in_hand {
            self.vitals.poisoned_by(poison.name, poison.broke);
            bury(poison, AskError::Crashed);
        }
    }

    fn close(&self) {
        let mut inbox = self.inbox.lock();
        inbox.closed = true;
        let owner = inbox.owner.take();
        let lines = inbox.lanes.take_lines();
        let items = inbox.lanes.take_all();
        let in_hand = inbox.in_hand.take();
        drop(inbox);
        drop((owner, lines));
        let waited = items.iter().filter_map(Item::name).chain(in_hand.iter().map(|envelope| envelope.name));
        waited.for_each(|name| self.vitals.unhandled(name, Unhandled::Stopped));
        self.vitals.last_letters();
        bury((items, in_hand), AskError::Stopped);
    }

    fn flood(&self, messages: u32) -> u32 {
        let mut inbox = self.inbox.lock();
        if inbox.closed {
            return messages;
        }
        let refused = inbox.lanes.flood(messages);
        ring(inbox);
        refused
    }
}
