//! Whether what must be written finds room on the disk, for anybody to look at.
//!
//! A full disk is no fault: who writes waits and tries again, who would make more to write holds back, and health says so.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;

/// Who waits for room. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Mutex<BTreeSet<&'static str>>>);

impl Room {
    /// `what` found no room. Says whether that is news.
    pub fn lacks(&self, what: &'static str) -> bool {
        self.0.lock().insert(what)
    }

    /// `what` was written. Says whether that is news.
    pub fn found(&self, what: &'static str) -> bool {
        self.0.lock().remove(what)
    }

    /// Whether `what` does not wait.
    pub fn is_there_for(&self, what: &'static str) -> bool {
        !self.0.lock().contains(what)
    }

    /// What waits to be written.
    pub fn waiting(&self) -> Vec<&'static str> {
        self.0.lock().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_news() {
        let room = Room::default();
        assert!(room.is_there_for("the journal") && !room.found("the journal"));
        assert_eq!([room.lacks("the journal"), room.lacks("the journal"), room.lacks("the database")], [true, false, true]);
        assert_eq!(room.waiting(), ["the database", "the journal"]);
        assert_eq!([room.found("the journal"), room.found("the journal"), room.is_there_for("the database")], [true, false, false]);
    }
}
