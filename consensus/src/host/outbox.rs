//! What waits for the signer, in order.
//!
//! One batch is under way at a time; what follows meanwhile gathers in the next, so that a slow disk makes batches larger and
//! not a queue longer. What must happen after a release (a stream, or a commit while we still have
//! something to say) waits with its batch.

use std::collections::VecDeque;

use primitives::{ConsensusMessage, Height};

use super::action::{Action, Batch, Recipient};
use crate::{Entry, Origin, Unreleased};

/// Entries and messages that may wait before new messages from peers are turned away.
const MAX_WAITING: usize = 8_192;

/// Entries that wait at most for a message to be released with.
const MAX_UNFLUSHED: usize = 64;

#[derive(Debug)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    under_way: Option<UnderWay>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiting {
    height: Height,
    to: Recipient,
    entries: Vec<Entry>,
    messages: Vec<Unreleased<ConsensusMessage>>,
    then: Vec<Action>,
}

#[derive(Debug)]
struct UnderWay {
    ticket: u64,
    height: Height,
    to: Recipient,
    messages: Vec<Unreleased<ConsensusMessage>>,
    then: Vec<Action>,
    is_parked: bool,
}

/// What has left.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub messages: Vec<Unreleased<ConsensusMessage>>,
    /// What may happen now.
    pub then: Vec<Action>,
}

impl Outbox {
    /// An empty one whose first batch has this number.
    pub fn starting_at(ticket: u64) -> Self {
        Self { waiting: VecDeque::new(), under_way: None, next_ticket: ticket }
    }

    pub fn append(&mut self, entry: Entry) {
        let height = entry.height();
        self.last(height, Recipient::Everybody).entries.push(entry);
    }

    pub fn publish(&mut self, message: Unreleased<ConsensusMessage>) {
        self.last(message.height(), Recipient::Everybody).messages.push(message);
    }

    /// Does `action` after everything so far was released.
    pub fn then(&mut self, height: Height, action: Action) {
        self.last(height, Recipient::Everybody).then.push(action);
    }

    /// Whether a message of `height` still waits for its release to begin.
    pub fn owes(&self, height: Height) -> bool {
        self.waiting.iter().any(|waiting| waiting.height == height && !waiting.messages.is_empty())
    }

    /// Messages for one peer. Replaces what still waits for it.
    pub fn send(&mut self, to: Recipient, height: Height, messages: Vec<Unreleased<ConsensusMessage>>) {
        self.waiting.retain(|waiting| waiting.to != to || to == Recipient::Everybody);
        self.waiting.push_back(Waiting { height, to, entries: vec![], messages, then: vec![] });
    }

    /// The next thing to do: a release when none is under way, or what waited for a release that needs none.
    pub fn next(&mut self) -> Vec<Action> {
        if self.under_way.is_some() || !self.is_due() {
            return Vec::new();
        }
        let Some(Waiting { height, to, entries, messages, then }) = self.waiting.pop_front() else { return Vec::new() };
        if entries.is_empty() && messages.is_empty() {
            return [then, self.next()].concat();
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let batch = Batch { ticket, height, to, entries, messages: messages.clone() };
        self.under_way = Some(UnderWay { ticket, height, to, messages, then, is_parked: false });
        vec![Action::Release(batch)]
    }

    /// Entries alone can wait for the next message that follows from them: until then losing them costs nothing but asking
    /// again, and each sync is the dearest thing a height does.
    fn is_due(&self) -> bool {
        let has_follower = self.waiting.iter().any(|waiting| !waiting.messages.is_empty() || !waiting.then.is_empty());
        has_follower || MAX_UNFLUSHED <= self.waiting.iter().map(|waiting| waiting.entries.len()).sum()
    }

    /// The batch with this ticket was released; nothing if it is not the one under way.
    pub fn released(&mut self, ticket: u64) -> Left {
        match self.under_way.take_if(|under_way| under_way.ticket == ticket) {
            Some(UnderWay { messages, then, .. }) => Left { messages, then },
            None => Left::default(),
        }
    }

    /// The batch with this ticket waits in the signer until there is room.
    pub fn park(&mut self, ticket: u64) {
        if let Some(under_way) = self.under_way.as_mut().filter(|under_way| under_way.ticket == ticket) {
            under_way.is_parked = true;
        }
    }

    /// Tries a parked batch again. The signer kept what was in it, so nothing is handed over twice.
    pub fn retry(&mut self) -> Option<Action> {
        let under_way = self.under_way.as_mut().filter(|under_way| under_way.is_parked)?;
        under_way.is_parked = false;
        let UnderWay { ticket, height, to, .. } = *under_way;
        Some(Action::Release(Batch { ticket, height, to, entries: vec![], messages: vec![] }))
    }

    /// Forgets what waits at `height` or below: it is over, and none of it has left. The batch under way may still arrive.
    pub fn forget_through(&mut self, height: Height) {
        self.waiting.retain(|waiting| height < waiting.height);
        if let Some(under_way) = self.under_way.as_mut().filter(|under_way| under_way.height <= height) {
            under_way.then.clear();
        }
    }

    /// Gives up the batch with this ticket: nothing of it leaves. What must follow it still may.
    pub fn give_up(&mut self, ticket: u64) -> Vec<Action> {
        self.under_way.take_if(|under_way| under_way.ticket == ticket).map(|under_way| under_way.then).unwrap_or_default()
    }

    /// Drops what waits and carries our signature.
    pub fn drop_ours(&mut self) {
        for waiting in &mut self.waiting {
            waiting.messages.retain(|message| message.origin() != Origin::Ours);
        }
    }

    pub fn is_parked(&self) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.is_parked)
    }

    pub fn is_full(&self) -> bool {
        MAX_WAITING <= self.waiting.iter().map(|waiting| waiting.entries.len() + waiting.messages.len()).sum()
    }

    fn last(&mut self, height: Height, to: Recipient) -> &mut Waiting {
        let fits = self.waiting.back().is_some_and(|waiting| waiting.height == height && waiting.to == to);
        if !fits {
            self.waiting.push_back(Waiting { height, to, entries: vec![], messages: vec![], then: vec![] });
        }
        let position = self.waiting.len() - 1;
        &mut self.waiting[position]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::entry::{Step, TimeoutEntry};
    use primitives::{NodeId, Round};

    fn entry(round: u32) -> Entry {
        Entry::Timeout(TimeoutEntry { height: Height(1), round: Round(round), step: Step::Propose })
    }

    fn followed(mut outbox: Outbox) -> Outbox {
        outbox.then(Height(1), Action::AskRound);
        outbox
    }

    fn rounds(actions: &[Action]) -> Vec<u32> {
        let [Action::Release(batch)] = actions else { panic!("{actions:?}") };
        let round = |entry: &Entry| if let Entry::Timeout(timeout) = entry { timeout.round.0 } else { 0 };
        batch.entries.iter().map(round).collect()
    }

    #[test]
    fn what_comes_during_a_release_gathers_in_the_next() {
        let mut outbox = Outbox::starting_at(1);
        outbox.append(entry(1));
        let mut outbox = followed(outbox);
        assert_eq!(rounds(&outbox.next()), [1]);
        outbox.append(entry(2));
        outbox.append(entry(3));
        let mut outbox = followed(outbox);
        assert!(outbox.next().is_empty());
        outbox.released(1);
        assert_eq!(rounds(&outbox.next()), [2, 3]);
    }

    #[test]
    fn entries_from_which_nothing_follows_wait_for_company() {
        let mut outbox = Outbox::starting_at(1);
        (1..MAX_UNFLUSHED as u32).for_each(|round| outbox.append(entry(round)));
        assert!(outbox.next().is_empty());
        outbox.append(entry(0));
        assert_eq!(rounds(&outbox.next()).len(), MAX_UNFLUSHED);
    }

    #[test]
    fn what_follows_a_release_waits_for_it() {
        let mut outbox = Outbox::starting_at(1);
        outbox.append(entry(1));
        outbox.then(Height(1), Action::AskRound);
        outbox.next();
        assert!(outbox.released(7).then.is_empty());
        assert_eq!(outbox.released(1).then, [Action::AskRound]);
    }

    #[test]
    fn what_needs_no_release_follows_at_once() {
        let mut outbox = Outbox::starting_at(1);
        outbox.then(Height(1), Action::AskRound);
        assert_eq!(outbox.next(), [Action::AskRound]);
    }

    #[test]
    fn a_parked_batch_is_tried_again_without_its_contents() {
        let mut outbox = Outbox::starting_at(1);
        outbox.append(entry(1));
        let mut outbox = followed(outbox);
        outbox.next();
        assert_eq!(outbox.retry(), None);
        outbox.park(1);
        let Some(Action::Release(batch)) = outbox.retry() else { panic!() };
        assert!(batch.ticket == 1 && batch.entries.is_empty() && !outbox.is_parked());
    }

    #[test]
    fn one_batch_waits_for_each_peer() {
        let mut outbox = Outbox::starting_at(1);
        let to = Recipient::Peer(NodeId(Default::default()));
        (0..5).for_each(|_| outbox.send(to, Height(1), vec![]));
        assert_eq!(outbox.waiting.len(), 1);
    }
}
