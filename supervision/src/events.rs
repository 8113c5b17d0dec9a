//! What happened in a tree, in order: a ring that late readers can catch up from.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::event::{Event, EventKind};

/// The event stream of a tree.
#[derive(Clone)]
pub struct Events(Arc<Stream>);

struct Stream {
    epoch: Instant,
    capacity: usize,
    ring: Mutex<VecDeque<Event>>,
    latest: watch::Sender<u64>,
}

impl Events {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Events(Arc::new(Stream {
            epoch: Instant::now(),
            capacity,
            ring: Mutex::new(VecDeque::with_capacity(capacity.min(1024))),
            latest: watch::Sender::new(0),
        }))
    }

    pub(crate) fn tell(&self, child: &str, incarnation: u64, kind: EventKind) {
        tracing::debug!(child, incarnation, event = ?kind, "supervision");
        let at_ms = u64::try_from(self.0.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        let child = child.to_owned();
        let mut ring = self.0.ring.lock();
        let sequence = ring.back().map_or(1, |event| event.sequence + 1);
        let forgotten = if ring.len() >= self.0.capacity { ring.pop_front() } else { None };
        ring.push_back(Event { sequence, at_ms, child, incarnation, kind });
        // Under the lock: a reader who subscribes now looks into the ring after this, and needs no waking.
        if self.0.latest.receiver_count() > 0 {
            self.0.latest.send_replace(sequence);
        }
        drop(ring);
        drop(forgotten);
    }

    /// The latest events, oldest first; as many as the ring holds.
    pub fn recent(&self) -> Vec<Event> {
        self.0.ring.lock().iter().cloned().collect()
    }

    /// Reads from the oldest event that the ring holds, then everything that follows.
    pub fn subscribe(&self) -> Subscription {
        self.after(0)
    }

    /// Reads what came after `sequence`, as far back as the ring holds it, then everything that follows.
    pub fn after(&self, sequence: u64) -> Subscription {
        Subscription { stream: self.0.clone(), latest: self.0.latest.subscribe(), next: sequence.saturating_add(1), missed: 0 }
    }

    /// The sequence of the latest event; 0 before the first.
    pub fn latest(&self) -> u64 {
        self.0.ring.lock().back().map_or(0, |event| event.sequence)
    }

    /// Time since the tree was built, from which [`Event::at_ms`] counts.
    pub fn age(&self) -> Duration {
        self.0.epoch.elapsed()
    }
}

/// One reader of an event stream, at its own pace.
pub struct Subscription {
    stream: Arc<Stream>,
    latest: watch::Receiver<u64>,
    next: u64,
    missed: u64,
}

impl Subscription {
    /// The next event. Waits for it; the caller brings the deadline.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.try_next() {
                return event;
            }
            // The sender cannot be dropped while we hold the stream.
            let _ = self.latest.changed().await;
        }
    }

    /// The next event, if it has happened.
    pub fn try_next(&mut self) -> Option<Event> {
        self.latest.mark_unchanged();
        let ring = self.stream.ring.lock();
        let oldest = ring.front()?.sequence;
        self.missed += oldest.saturating_sub(self.next);
        self.next = self.next.max(oldest);
        let event = ring.get(usize::try_from(self.next - oldest).ok()?)?.clone();
        self.next += 1;
        Some(event)
    }

    /// How many events this reader was too slow for.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_reader_gets_what_the_ring_holds_and_learns_what_it_missed() {
        let events = Events::new(3);
        for incarnation in 1..=5 {
            events.tell("a", incarnation, EventKind::Ready);
        }
        let mut reader = events.subscribe();
        assert_eq!(reader.next().await.incarnation, 3);
        assert_eq!(reader.missed(), 2);
        assert_eq!((reader.next().await.sequence, reader.next().await.sequence), (4, 5));
        assert_eq!(reader.try_next(), None);
        events.tell("a", 6, EventKind::Ready);
        assert_eq!(reader.next().await.sequence, 6);
        assert_eq!(reader.missed(), 2);
    }

    #[tokio::test]
    async fn a_reader_goes_on_where_it_was_and_misses_only_what_the_ring_has_lost() {
        let events = Events::new(3);
        assert_eq!(events.latest(), 0);
        for incarnation in 1..=5 {
            events.tell("a", incarnation, EventKind::Ready);
        }
        assert_eq!(events.latest(), 5);
        let mut reader = events.after(4);
        assert_eq!((reader.next().await.sequence, reader.missed(), reader.try_next()), (5, 0, None));
        let mut late = events.after(1);
        assert_eq!((late.next().await.sequence, late.missed()), (3, 1));
        let mut new = events.after(events.latest());
        events.tell("a", 6, EventKind::Ready);
        assert_eq!((new.next().await.sequence, new.missed()), (6, 0));
    }
}
