//! What happened in the tree, for those who follow it.

use serde::Serialize;
use supervision::{Event, Events};

use crate::UnixMillis;

/// The event stream of a tree, and when that tree began.
#[derive(Clone)]
pub struct Happenings {
    pub events: Events,
    pub began_unix_ms: u64,
}

/// An event as it is told.
#[derive(Debug, Serialize)]
pub(crate) struct Happening {
    #[serde(flatten)]
    event: Event,
    time: UnixMillis,
}

impl Happenings {
    pub(crate) fn told(&self, event: Event) -> Happening {
        Happening { time: UnixMillis(self.began_unix_ms.saturating_add(event.at_ms)), event }
    }

    /// The last events of `child` that are kept, at most `max`, oldest first.
    pub(crate) fn of(&self, child: &str, max: usize) -> Vec<Happening> {
        let mut events: Vec<Event> = self.events.recent().into_iter().filter(|event| event.child == child).collect();
        let last = events.split_off(events.len().saturating_sub(max));
        last.into_iter().map(|event| self.told(event)).collect()
    }
}
