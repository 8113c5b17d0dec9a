//! Waiting for room in a full lane: first come, first served, and a place that was promised is never lost.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::actor::Message;
use crate::lane::{Envelope, Lane};
use crate::mailbox::{Closed, Mailbox};

/// Tells somebody who waits that a place is theirs.
pub(crate) type Heir = oneshot::Sender<()>;
/// What the one who waits listens to.
pub(crate) type Call = oneshot::Receiver<()>;

/// Those who wait for room in one lane, by number. Whoever gives up leaves it, so it is no longer than they are many.
#[derive(Default)]
pub(crate) struct Line {
    waiting: VecDeque<(u64, Heir)>,
    last: u64,
}

impl Line {
    pub fn enter(&mut self) -> (u64, Call) {
        let (heir, call) = oneshot::channel();
        self.last += 1;
        self.waiting.push_back((self.last, heir));
        (self.last, call)
    }

    pub fn leave(&mut self, number: u64) {
        if let Ok(place) = self.waiting.binary_search_by_key(&number, |(number, _)| *number) {
            self.waiting.remove(place);
        }
    }

    pub fn next(&mut self) -> Option<Heir> {
        self.waiting.pop_front().map(|(_, heir)| heir)
    }
}

/// A place in a lane. Dropped unused, it is given on.
pub(crate) struct Place<'a, M: Message> {
    mailbox: &'a Mailbox<M>,
    lane: Lane,
    used: bool,
}

impl<'a, M: Message> Place<'a, M> {
    pub fn new(mailbox: &'a Mailbox<M>, lane: Lane) -> Self {
        Place { mailbox, lane, used: false }
    }

    pub fn fill(mut self, envelope: Envelope<M>) -> Result<(), Closed> {
        self.mailbox.put(envelope)?;
        self.used = true;
        Ok(())
    }
}

impl<M: Message> Drop for Place<'_, M> {
    fn drop(&mut self) {
        if !self.used {
            self.mailbox.release(self.lane);
        }
    }
}

/// A number in the line. Whoever drops it leaves the line, or gives on the place that was just promised.
pub(crate) struct Ticket<'a, M: Message> {
    pub mailbox: &'a Mailbox<M>,
    pub lane: Lane,
    pub number: u64,
    pub call: Call,
    pub called: bool,
}

impl<'a, M: Message> Ticket<'a, M> {
    pub async fn place(mut self) -> Result<Place<'a, M>, Closed> {
        let outcome = (&mut self.call).await;
        // Without a sender the line was sent home, and there is nothing to leave either.
        self.called = true;
        outcome.map(|()| Place::new(self.mailbox, self.lane)).map_err(|_| Closed)
    }
}

impl<M: Message> Drop for Ticket<'_, M> {
    fn drop(&mut self) {
        if self.called {
            return;
        }
        self.call.close();
        match self.call.try_recv() {
            Ok(()) => self.mailbox.release(self.lane),
            Err(_) => self.mailbox.leave_line(self.lane, self.number),
        }
    }
}
