//! The queue of a mailbox: three lanes, the urgent one first, each with its bound and those who wait for room in it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::actor::{Message, WhenFull};
use crate::fence::Incarnation;
use crate::room::{Heir, Line};
use crate::trace::Origin;

/// In which order messages are handled. A lower lane is looked at only when the higher ones are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Overtakes everything.
    Urgent,
    /// What most messages are.
    Normal,
    /// Large or many, and nobody is harmed when it waits.
    Bulk,
}

const LANES: usize = 3;

/// How many messages each lane of a mailbox holds before it is full; see [`WhenFull`].
#[derive(Clone, Copy, Debug)]
pub struct MailboxLimits {
    pub urgent: usize,
    pub normal: usize,
    pub bulk: usize,
}

impl MailboxLimits {
    /// The same capacity, in messages, for every lane.
    pub fn each(capacity: usize) -> Self {
        MailboxLimits { urgent: capacity, normal: capacity, bulk: capacity }
    }

    pub(crate) fn total(&self) -> usize {
        self.urgent.saturating_add(self.normal).saturating_add(self.bulk)
    }
}

/// A message on its way, with what is known about its sending.
pub(crate) struct Envelope<M> {
    pub message: M,
    pub name: &'static str,
    pub lane: Lane,
    /// Microseconds since the mailbox was made.
    pub queued_at: u64,
    pub origin: Origin,
    /// Whether it may be dropped for a newer one.
    pub yields: bool,
    /// How many incarnations broke with it in hand.
    pub broke: u32,
    /// Set for timers, which hold no room and are void for any other incarnation.
    pub timer: Option<TimerMark>,
}

impl<M: Message> Envelope<M> {
    pub fn new(message: M, origin: Origin, queued_at: u64) -> Self {
        let (name, lane, yields) = (message.name(), message.lane(), message.when_full() == WhenFull::DropOldest);
        Envelope { message, name, lane, queued_at, origin, yields, broke: 0, timer: None }
    }
}

/// Whose timer a message is.
pub(crate) struct TimerMark {
    pub of: Incarnation,
    /// Shared with the timer: while this one lives, the tick before has not been handled.
    pub _pending: Arc<()>,
}

/// What waits in a lane.
pub(crate) enum Item<M> {
    Letter(Envelope<M>),
    /// One of a flood that was injected: it takes a place and means nothing.
    Flood,
}

impl<M> Item<M> {
    pub fn lane(&self) -> Lane {
        match self {
            Item::Letter(envelope) => envelope.lane,
            Item::Flood => Lane::Normal,
        }
    }

    /// The message's name; one of a flood is no message.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            // What is void with its incarnation is nobody's loss.
            Item::Letter(envelope) => envelope.timer.is_none().then_some(envelope.name),
            Item::Flood => None,
        }
    }

    fn holds_place(&self) -> bool {
        !self.is_timer()
    }

    fn is_timer(&self) -> bool {
        matches!(self, Item::Letter(envelope) if envelope.timer.is_some())
    }

    fn yields(&self) -> bool {
        matches!(self, Item::Letter(envelope) if envelope.yields && envelope.timer.is_none())
    }
}

/// What became of a message that wanted to enter.
pub(crate) enum Admission<M> {
    Entered,
    /// It entered for this one, which is dropped.
    Instead(Envelope<M>),
    Full(Envelope<M>),
}

/// The messages that wait, in the order in which they will be handled.
pub(crate) struct Lanes<M>([Queue<M>; LANES]);

struct Queue<M> {
    items: VecDeque<Item<M>>,
    bound: usize,
    /// Places taken: by messages, or by heirs who have not come yet.
    held: usize,
    /// How many of the messages may be dropped for a newer one.
    yielding: usize,
    line: Line,
}

impl<M> Lanes<M> {
    pub fn new(limits: &MailboxLimits) -> Self {
        let queue = |bound| Queue { items: VecDeque::new(), bound, held: 0, yielding: 0, line: Line::default() };
        Lanes([queue(limits.urgent), queue(limits.normal), queue(limits.bulk)])
    }

    fn queue(&mut self, lane: Lane) -> &mut Queue<M> {
        &mut self.0[lane as usize]
    }

    /// Lets a message in if there is room, or if an older one yields to it.
    pub fn admit(&mut self, envelope: Envelope<M>) -> Admission<M> {
        let queue = self.queue(envelope.lane);
        if queue.held < queue.bound {
            queue.held += 1;
            queue.push(envelope);
            return Admission::Entered;
        }
        if !envelope.yields {
            return Admission::Full(envelope);
        }
        match queue.drop_oldest() {
            Some(oldest) => {
                queue.push(envelope);
                Admission::Instead(oldest)
            }
            None => Admission::Full(envelope),
        }
    }

    /// Lets in a message that needs no place, or has one.
    pub fn push(&mut self, envelope: Envelope<M>) {
        self.queue(envelope.lane).push(envelope);
    }

    /// Returns a message to the head of its lane, beyond the bound if need be: it had a place before.
    pub fn put_back(&mut self, envelope: Envelope<M>) {
        let queue = self.queue(envelope.lane);
        queue.held += 1;
        queue.yielding += usize::from(envelope.yields);
        queue.items.push_front(Item::Letter(envelope));
    }

    /// Fills the normal lane with so many that mean nothing; tells how many found no room.
    pub fn flood(&mut self, messages: u32) -> u32 {
        let queue = self.queue(Lane::Normal);
        let room = u32::try_from(queue.bound.saturating_sub(queue.held)).unwrap_or(u32::MAX);
        let let_in = messages.min(room);
        queue.held += let_in as usize;
        queue.items.extend((0..let_in).map(|_| Item::Flood));
        messages - let_in
    }

    /// The next message, and who is to have its place.
    pub fn pop(&mut self) -> Option<(Item<M>, Option<Heir>)> {
        self.0.iter_mut().find_map(Queue::pop)
    }

    /// Takes a place, or a number in the line of those who wait for one.
    pub fn enter_line(&mut self, lane: Lane) -> Option<(u64, crate::room::Call)> {
        let queue = self.queue(lane);
        if queue.held < queue.bound {
            queue.held += 1;
            return None;
        }
        Some(queue.line.enter())
    }

    pub fn leave_line(&mut self, lane: Lane, number: u64) {
        self.queue(lane).line.leave(number);
    }

    /// A place is free: it is for the first in the line, if somebody waits.
    pub fn release(&mut self, lane: Lane) -> Option<Heir> {
        self.queue(lane).release()
    }

    pub fn held(&self) -> usize {
        self.0.iter().map(|queue| queue.held).sum()
    }

    /// Removes the timers of an incarnation that is gone.
    pub fn take_timers(&mut self) -> Vec<Item<M>> {
        self.0.iter_mut().flat_map(Queue::take_timers).collect()
    }

    pub fn take_all(&mut self) -> Vec<Item<M>> {
        self.0.iter_mut().flat_map(Queue::take_all).collect()
    }

    /// Sends everybody home who waits for room.
    pub fn take_lines(&mut self) -> [Line; LANES] {
        self.0.each_mut().map(|queue| std::mem::take(&mut queue.line))
    }
}

impl<M> Queue<M> {
    fn push(&mut self, envelope: Envelope<M>) {
        let item = Item::Letter(envelope);
        self.yielding += usize::from(item.yields());
        self.items.push_back(item);
    }

    fn pop(&mut self) -> Option<(Item<M>, Option<Heir>)> {
        let item = self.items.pop_front()?;
        self.yielding -= usize::from(item.yields());
        let heir = if item.holds_place() { self.release() } else { None };
        Some((item, heir))
    }

    fn release(&mut self) -> Option<Heir> {
        // A message that was put back may hold a place beyond the bound; that one is nobody's.
        let heir = if self.held <= self.bound { self.line.next() } else { None };
        if heir.is_none() {
            self.held = self.held.saturating_sub(1);
        }
        heir
    }

    fn drop_oldest(&mut self) -> Option<Envelope<M>> {
        if self.yielding == 0 {
            return None;
        }
        let oldest = self.items.iter().position(Item::yields)?;
        match self.items.remove(oldest)? {
            Item::Letter(envelope) => {
                self.yielding -= 1;
                Some(envelope)
            }
            Item::Flood => None,
        }
    }

    fn take_timers(&mut self) -> Vec<Item<M>> {
        if !self.items.iter().any(Item::is_timer) {
            return Vec::new();
        }
        let (gone, kept): (Vec<_>, VecDeque<_>) = {
            let items = std::mem::take(&mut self.items);
            let (mut gone, mut kept) = (Vec::new(), VecDeque::with_capacity(items.len()));
            for item in items {
                match item.is_timer() {
                    true => gone.push(item),
                    false => kept.push_back(item),
                }
            }
            (gone, kept)
        };
        self.items = kept;
        gone
    }

    fn take_all(&mut self) -> VecDeque<Item<M>> {
        self.yielding = 0;
        let items = std::mem::take(&mut self.items);
        self.held = self.held.saturating_sub(items.iter().filter(|item| item.holds_place()).count());
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(bound: usize) -> Lanes<u32> {
        Lanes::new(&MailboxLimits::each(bound))
    }

    fn envelope(message: u32, lane: Lane) -> Envelope<u32> {
        Envelope { message, name: "n", lane, queued_at: 0, origin: Origin::none(), yields: false, broke: 0, timer: None }
    }

    fn yielding(message: u32) -> Envelope<u32> {
        Envelope { yields: true, ..envelope(message, Lane::Normal) }
    }

    fn enter(lanes: &mut Lanes<u32>, envelope: Envelope<u32>) -> String {
        match lanes.admit(envelope) {
            Admission::Entered => "entered".to_owned(),
            Admission::Instead(old) => format!("instead of {}", old.message),
            Admission::Full(_) => "full".to_owned(),
        }
    }

    fn order(lanes: &mut Lanes<u32>) -> Vec<u32> {
        let number = |(item, _)| match item {
            Item::Letter(envelope) => envelope.message,
            Item::Flood => 0,
        };
        std::iter::from_fn(|| lanes.pop()).map(number).collect()
    }

    #[test]
    fn lanes_are_emptied_in_order_and_each_is_a_queue() {
        let mut lanes = lanes(10);
        for (message, lane) in [(1, Lane::Bulk), (2, Lane::Normal), (3, Lane::Urgent), (4, Lane::Normal)] {
            assert_eq!(enter(&mut lanes, envelope(message, lane)), "entered");
        }
        lanes.put_back(envelope(5, Lane::Normal));
        assert_eq!(order(&mut lanes), [3, 5, 2, 4, 1]);
        assert!(lanes.pop().is_none() && lanes.held() == 0);
    }

    #[test]
    fn only_timers_are_taken_with_their_incarnation() {
        let mut lanes = lanes(10);
        assert_eq!(enter(&mut lanes, envelope(1, Lane::Normal)), "entered");
        lanes.push(Envelope { timer: Some(TimerMark { of: Incarnation(1), _pending: Arc::default() }), ..envelope(2, Lane::Normal) });
        assert_eq!((lanes.held(), lanes.take_timers().len()), (1, 1));
        assert_eq!(order(&mut lanes), [1]);
    }

    #[test]
    fn the_oldest_that_yields_makes_room_and_nobody_else_does() {
        let mut lanes = lanes(3);
        assert_eq!(enter(&mut lanes, envelope(1, Lane::Normal)), "entered");
        assert_eq!(enter(&mut lanes, yielding(2)), "entered");
        assert_eq!(enter(&mut lanes, yielding(3)), "entered");
        assert_eq!(enter(&mut lanes, envelope(4, Lane::Normal)), "full");
        assert_eq!(enter(&mut lanes, yielding(5)), "instead of 2");
        assert_eq!(enter(&mut lanes, yielding(6)), "instead of 3");
        assert_eq!(order(&mut lanes), [1, 5, 6]);
        for n in 7..10 {
            assert_eq!(enter(&mut lanes, envelope(n, Lane::Normal)), "entered");
        }
        assert_eq!(enter(&mut lanes, yielding(10)), "full");
    }

    #[test]
    fn a_free_place_goes_to_whoever_waits_longest_and_never_beyond_the_bound() {
        let mut lanes = lanes(1);
        assert_eq!(enter(&mut lanes, envelope(1, Lane::Normal)), "entered");
        let (first, mut call) = lanes.enter_line(Lane::Normal).expect("it is full");
        let (second, _later) = lanes.enter_line(Lane::Normal).expect("it is full");
        assert!(first < second);
        let (_, heir) = lanes.pop().expect("one waits");
        heir.expect("somebody waits").send(()).expect("the first");
        assert_eq!(call.try_recv(), Ok(()));
        assert_eq!(enter(&mut lanes, envelope(2, Lane::Normal)), "full", "the place is promised");
        lanes.leave_line(Lane::Normal, second);
        assert!(lanes.release(Lane::Normal).is_none());
        assert_eq!((lanes.held(), enter(&mut lanes, envelope(2, Lane::Normal))), (0, "entered".to_owned()));
        lanes.put_back(envelope(3, Lane::Normal));
        let (_, _call) = lanes.enter_line(Lane::Normal).expect("it is full");
        let (_, heir) = lanes.pop().expect("two wait");
        assert!(heir.is_none(), "there was one more than there may be");
    }

    #[test]
    fn a_flood_takes_the_room_there_is() {
        let mut lanes = lanes(3);
        assert_eq!(enter(&mut lanes, envelope(1, Lane::Normal)), "entered");
        assert_eq!(lanes.flood(10), 8);
        assert_eq!(enter(&mut lanes, envelope(2, Lane::Normal)), "full");
        assert_eq!(order(&mut lanes), [1, 0, 0]);
    }
}
