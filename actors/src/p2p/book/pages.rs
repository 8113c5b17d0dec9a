//! The book itself: who gets a place, and who makes room.

use std::collections::{BTreeMap, BTreeSet};

use primitives::{Address, NodeId};
use wire::AddressRecord;

use super::{Entry, Range, Subject};

/// Nodes of one validator whose places are kept.
const PLACES_PER_VALIDATOR: usize = 2;
/// Scores kept at a time; when one more comes, that closest to 0 goes.
const MAX_SCORES: usize = 4_096;
/// Failures after which a node that was only heard of is forgotten.
const MAX_FAILURES: u32 = 16;

/// How many nodes of each kind there are at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub heard: usize,
    pub heard_per_range: usize,
    pub heard_per_teller: usize,
    pub tried: usize,
    pub tried_per_range: usize,
    /// Of the local range, instead of those for each range.
    pub local: usize,
    /// Given by the operator.
    pub given: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { heard: 2_048, heard_per_range: 64, heard_per_teller: 64, tried: 512, tried_per_range: 32, local: 256, given: 4_096 }
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has a place now, or a newer one of a node that has one.
    News,
    /// We had it, or a later one.
    Known,
    /// A local address, told by somebody from elsewhere.
    NotLocal,
}

/// All nodes that are known.
#[derive(Debug)]
pub struct Book {
    us: NodeId,
    limits: Limits,
    pub(super) entries: BTreeMap<NodeId, Entry>,
    scores: BTreeMap<NodeId, i64>,
    changed: BTreeSet<Subject>,
}

impl Book {
    /// Of the node `us`, which is never in it.
    pub fn new(us: NodeId, limits: Limits) -> Self {
        Self { us, limits, entries: BTreeMap::new(), scores: BTreeMap::new(), changed: BTreeSet::new() }
    }

    pub fn get(&self, node: &NodeId) -> Option<&Entry> {
        self.entries.get(node)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// How useful a node was; 0 for one nobody has judged.
    pub fn score(&self, node: &NodeId) -> i64 {
        self.scores.get(node).copied().unwrap_or_default()
    }

    pub fn scores(&self) -> impl Iterator<Item = (&NodeId, &i64)> {
        self.scores.iter()
    }

    /// Sets the score of a node, in the book or not.
    pub fn set_score(&mut self, node: NodeId, score: i64) {
        if self.score(&node) == score {
            return;
        }
        self.changed.insert(Subject::Score(node));
        if score == 0 {
            self.scores.remove(&node);
            return;
        }
        self.scores.insert(node, score);
        if MAX_SCORES < self.scores.len()
            && let Some(least) = self.scores.iter().min_by_key(|(_, score)| score.unsigned_abs()).map(|(node, _)| *node)
        {
            self.scores.remove(&least);
            self.changed.insert(Subject::Score(least));
        }
    }

    /// `teller` says so; `is_teller_local` if it is in our own network. The record has been checked.
    pub fn hear(&mut self, record: AddressRecord, teller: NodeId, is_teller_local: bool) -> Heard {
        let node = record.node();
        if node == self.us || self.entries.get(&node).is_some_and(|known| !record.replaces(&known.record)) {
            return Heard::Known;
        }
        if Range::of(record.address.ip()).is_local() && !is_teller_local {
            return Heard::NotLocal;
        }
        self.changed.insert(Subject::Entry(node));
        match self.entries.get_mut(&node) {
            Some(known) if known.record.address == record.address || known.is_reserved() => {
                known.record = record;
            }
            // It has moved: nobody has reached it there.
            Some(_) => {
                self.entries.remove(&node);
                self.place(Entry::new(record, teller));
            }
            None => self.place(Entry::new(record, teller)),
        }
        Heard::News
    }

    /// The operator gave it to us; false if there are as many of those as there may be. The record has been checked.
    pub fn give(&mut self, record: AddressRecord, last_seen_ms: u64) -> bool {
        let node = record.node();
        if node == self.us {
            return true;
        }
        let is_full = self.limits.given <= self.entries.values().filter(|entry| entry.is_given).count();
        let known = self.entries.remove(&node);
        if is_full && known.as_ref().is_none_or(|known| !known.is_given) {
            self.entries.extend(known.map(|known| (node, known)));
            return false;
        }
        let us = self.us;
        let mut entry = known.unwrap_or_else(|| Entry::new(record.clone(), us));
        if record.replaces(&entry.record) {
            entry.record = record;
        }
        entry.is_given = true;
        entry.last_seen_ms = entry.last_seen_ms.max(last_seen_ms);
        // Whoever gives it wants it dialled now.
        (entry.attempts, entry.next_ms) = (0, 0);
        self.entries.insert(node, entry);
        self.changed.insert(Subject::Entry(node));
        true
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        self.changed.extend(self.entries.keys().map(|node| Subject::Entry(*node)));
        self.changed.extend(self.scores.keys().map(|node| Subject::Score(*node)));
        self.entries.clear();
        self.scores.clear();
    }

    /// We dialled it and it answered.
    pub fn reached(&mut self, node: &NodeId, now_ms: u64) {
        let Some(entry) = self.entries.get_mut(node) else { return };
        entry.last_seen_ms = now_ms;
        self.changed.insert(Subject::Entry(*node));
        if entry.is_tried {
            return;
        }
        let (range, is_reserved) = (entry.range(), entry.is_reserved());
        if !is_reserved {
            self.make_room_for_tried(range);
        }
        if let Some(entry) = self.entries.get_mut(node) {
            entry.is_tried = true;
        }
    }

    /// The session with it has lasted, which makes up for earlier failures.
    pub fn lasted(&mut self, node: &NodeId) {
        if let Some(entry) = self.entries.get_mut(node)
            && entry.attempts != 0
        {
            (entry.attempts, entry.next_ms) = (0, 0);
            self.changed.insert(Subject::Entry(*node));
        }
    }

    /// There is a session with it.
    pub fn seen(&mut self, node: &NodeId, now_ms: u64) {
        if let Some(entry) = self.entries.get_mut(node) {
            entry.last_seen_ms = now_ms;
            self.changed.insert(Subject::Entry(*node));
        }
    }

    /// We dialled it in vain, or the session did not last. `is_online` if we reach anybody at all: else it is not its fault.
    pub fn failed(&mut self, node: &NodeId, now_ms: u64, jitter: f64, is_online: bool) {
        let Some(entry) = self.entries.get_mut(node) else { return };
        entry.failed(now_ms, jitter);
        self.changed.insert(Subject::Entry(*node));
        if is_online && MAX_FAILURES <= entry.attempts && !entry.is_tried && !entry.is_reserved() {
            self.entries.remove(node);
        }
    }

    /// It has proved to speak for a validator, so its place is kept; of a third node of that validator no longer.
    pub fn proved(&mut self, node: &NodeId, validator: Address) {
        let Some(entry) = self.entries.get_mut(node) else { return };
        if entry.validator == Some(validator) {
            return;
        }
        entry.validator = Some(validator);
        self.changed.insert(Subject::Entry(*node));
        let mut nodes: Vec<_> = self.entries.values().filter(|entry| entry.validator == Some(validator) && entry.node() != *node).collect();
        nodes.sort_by_key(|entry| entry.dispensability());
        let too_many: Vec<_> = nodes.iter().skip(PLACES_PER_VALIDATOR - 1).map(|entry| entry.node()).collect();
        for node in too_many {
            self.demote(&node);
        }
    }

    /// Finds a place for one that was heard of.
    fn place(&mut self, entry: Entry) {
        let (range, teller) = (entry.range(), entry.teller);
        let is_heard = |entry: &&Entry| !entry.is_tried && !entry.is_reserved();
        let heard = || self.entries.values().filter(is_heard);
        let of_teller = heard().filter(|entry| entry.teller == teller);
        let of_range = heard().filter(|entry| entry.range() == range);
        let leaver = if self.limits.heard_per_teller <= of_teller.clone().count() {
            most_dispensable(of_teller)
        } else if self.per_range(range, self.limits.heard_per_range) <= of_range.clone().count() {
            most_dispensable(of_range)
        } else if self.limits.heard <= heard().count() {
            let crowded = most_crowded(heard());
            most_dispensable(heard().filter(|entry| Some(entry.range()) == crowded))
        } else {
            None
        };
        if let Some(leaver) = leaver {
            self.entries.remove(&leaver);
            self.changed.insert(Subject::Entry(leaver));
        }
        self.entries.insert(entry.node(), entry);
    }

    /// Only one that was tried makes room for one that was tried.
    fn make_room_for_tried(&mut self, range: Range) {
        let tried = || self.entries.values().filter(|entry| entry.is_tried && !entry.is_reserved());
        let of_range = tried().filter(|entry| entry.range() == range);
        let leaver = if self.per_range(range, self.limits.tried_per_range) <= of_range.clone().count() {
            most_dispensable(of_range)
        } else if self.limits.tried <= tried().count() {
            let crowded = most_crowded(tried());
            most_dispensable(tried().filter(|entry| Some(entry.range()) == crowded))
        } else {
            None
        };
        if let Some(node) = leaver
            && let Some(mut entry) = self.entries.remove(&node)
        {
            entry.is_tried = false;
            self.changed.insert(Subject::Entry(node));
            self.place(entry);
        }
    }

    /// Its place is no longer kept.
    fn demote(&mut self, node: &NodeId) {
        if let Some(mut entry) = self.entries.remove(node) {
            (entry.validator, entry.is_tried) = (None, false);
            self.changed.insert(Subject::Entry(*node));
            if entry.is_given {
                self.entries.insert(*node, entry);
            } else {
                self.place(entry);
            }
        }
    }

    fn per_range(&self, range: Range, usual: usize) -> usize {
        if range.is_local() { self.limits.local } else { usual }
    }

    /// What was read from disk; what was heard meanwhile counts more.
    pub(super) fn restore(&mut self, entry: Entry) {
        if entry.node() != self.us {
            self.entries.entry(entry.node()).or_insert(entry);
        }
    }

    pub(super) fn restore_score(&mut self, node: NodeId, score: i64) {
        if self.scores.len() < MAX_SCORES && !self.changed.contains(&Subject::Score(node)) {
            self.scores.insert(node, score);
        }
    }

    pub(super) fn take_changed(&mut self) -> BTreeSet<Subject> {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn mark(&mut self, subject: Subject) {
        self.changed.insert(subject);
    }
}

fn most_dispensable<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<NodeId> {
    entries.max_by_key(|entry| entry.dispensability()).map(Entry::node)
}

fn most_crowded<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<Range> {
    let mut crowds: BTreeMap<Range, usize> = BTreeMap::new();
    entries.for_each(|entry| *crowds.entry(entry.range()).or_default() += 1);
    crowds.into_iter().max_by_key(|(_, count)| *count).map(|(range, _)| range)
}

#[cfg(test)]
mod tests;
