//! The queue of a mailbox: three lanes, the urgent one first.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::fence::Incarnation;
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

pub(crate) const LANES: usize = 3;

/// How many messages each lane of a mailbox holds before it answers `Full`.
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

    pub(crate) fn of(&self, lane: Lane) -> usize {
        match lane {
            Lane::Urgent => self.urgent,
            Lane::Normal => self.normal,
            Lane::Bulk => self.bulk,
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.urgent + self.normal + self.bulk
    }
}

/// A message on its way, with what is known about its sending.
pub(crate) struct Envelope<M> {
    pub message: M,
    pub lane: Lane,
    /// Microseconds since the mailbox was made.
    pub queued_at: u64,
    pub origin: Origin,
    /// Set for timers, which hold no room and are void for any other incarnation.
    pub timer: Option<TimerMark>,
}

/// Whose timer a message is.
pub(crate) struct TimerMark {
    pub of: Incarnation,
    /// Shared with the timer: while this one lives, the tick before has not been handled.
    pub _pending: Arc<()>,
}

/// The messages that wait, in the order in which they will be handled.
pub(crate) struct Lanes<M>([VecDeque<Envelope<M>>; LANES]);

impl<M> Lanes<M> {
    pub fn new() -> Self {
        Lanes([VecDeque::new(), VecDeque::new(), VecDeque::new()])
    }

    pub fn push(&mut self, envelope: Envelope<M>) {
        self.0[envelope.lane as usize].push_back(envelope);
    }

    pub fn pop(&mut self) -> Option<Envelope<M>> {
        self.0.iter_mut().find_map(VecDeque::pop_front)
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(VecDeque::is_empty)
    }

    /// Removes the timers of an incarnation that is gone.
    pub fn take_timers(&mut self) -> Vec<Envelope<M>> {
        let mut timers = Vec::new();
        for lane in &mut self.0 {
            let (gone, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(lane).into_iter().partition(|envelope| envelope.timer.is_some());
            *lane = kept;
            timers.extend(gone);
        }
        timers
    }

    pub fn take_all(&mut self) -> Vec<Envelope<M>> {
        self.0.iter_mut().flat_map(std::mem::take).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(message: u32, lane: Lane) -> Envelope<u32> {
        Envelope { message, lane, queued_at: 0, origin: Origin::none(), timer: None }
    }

    #[test]
    fn lanes_are_emptied_in_order_and_each_is_a_queue() {
        let mut lanes = Lanes::new();
        for (message, lane) in [(1, Lane::Bulk), (2, Lane::Normal), (3, Lane::Urgent), (4, Lane::Normal)] {
            lanes.push(envelope(message, lane));
        }
        let order: Vec<u32> = std::iter::from_fn(|| lanes.pop()).map(|e| e.message).collect();
        assert_eq!(order, [3, 2, 4, 1]);
        assert!(lanes.is_empty());
    }

    #[test]
    fn only_timers_are_taken_with_their_incarnation() {
        let mut lanes = Lanes::new();
        lanes.push(envelope(1, Lane::Normal));
        lanes.push(Envelope { timer: Some(TimerMark { of: Incarnation(1), _pending: Arc::default() }), ..envelope(2, Lane::Normal) });
        assert_eq!(lanes.take_timers().len(), 1);
        assert_eq!(lanes.pop().map(|e| e.message), Some(1));
    }
}
