//! When a fault struck an actor, and when the actor was itself again: a rule over what its tree told.
//!
//! ```text
//!   fault strikes ... Hung (busy for so long) or Exited ... started again ... served ... first message handled
//!   |<----------------------------- time to heal ------------------------------>|
//! ```
//!
//! *Served*: the life after the last exit has handled a message, or runs with nobody waiting in its mailbox. A flood ends nobody: it
//! struck when it last filled the mailbox, and is healed when half of the places are free.

use std::time::{Duration, Instant};

use supervision::{ChildSnapshot, ChildState, Event, EventKind};

/// What has been seen of one actor since a fault was armed.
#[derive(Clone, Debug, Default)]
pub struct Healing {
    struck: Option<Instant>,
    /// The life that ended last.
    ended: Option<u64>,
    /// Messages handled in all lives up to that one.
    handled_before: u64,
    served: Option<Instant>,
    handled: Option<Instant>,
    exits: u32,
    by_flood: bool,
}

/// How long it took, from the moment the fault struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Healed {
    pub struck: Instant,
    pub served: Duration,
    /// Until it handled its first message.
    pub handled: Duration,
    /// How often it ended meanwhile.
    pub exits: u32,
}

impl Healing {
    /// From a flood.
    pub fn from_flood() -> Self {
        Self { by_flood: true, ..Self::default() }
    }

    /// An event of this actor, which happened at `at`.
    pub fn event(&mut self, at: Instant, event: &Event) {
        match &event.kind {
            EventKind::Hung { busy_ms, .. } => {
                let since = at.checked_sub(Duration::from_millis(*busy_ms)).unwrap_or(at);
                self.struck.get_or_insert(since);
            }
            EventKind::Exited { .. } => {
                self.struck.get_or_insert(at);
                self.ended = Some(event.incarnation);
                self.exits += 1;
                (self.served, self.handled) = (None, None);
            }
            EventKind::Injected { .. } if self.by_flood => {
                self.struck = Some(at);
                (self.served, self.handled) = (None, None);
            }
            _ => {}
        }
    }

    /// The actor as it was at `at`.
    pub fn look(&mut self, at: Instant, child: &ChildSnapshot) {
        let is_past = match self.ended {
            Some(ended) => ended < child.incarnation,
            None => self.by_flood && self.struck.is_some() && 2 * child.mailbox_depth < child.mailbox_capacity,
        };
        if !is_past {
            self.handled_before = child.handled;
            return;
        }
        let has_handled = self.handled_before < child.handled;
        let nobody_waits = child.state == ChildState::Running && child.mailbox_depth == 0 && child.busy_ms == 0;
        if has_handled {
            self.handled.get_or_insert(at);
        }
        if has_handled || nobody_waits {
            self.served.get_or_insert(at);
        }
    }

    /// Whether it runs and has had nothing to do since.
    pub fn is_idle(&self) -> bool {
        self.served.is_some() && self.handled.is_none()
    }

    pub fn struck(&self) -> Option<Instant> {
        self.struck
    }

    /// Once it has handled a message after `exits` ends at least.
    pub fn healed(&self, exits: u32) -> Option<Healed> {
        let (struck, served, handled) = (self.struck?, self.served?, self.handled?);
        let took = |until: Instant| until.saturating_duration_since(struck);
        (exits <= self.exits).then(|| Healed { struck, served: took(served), handled: took(handled), exits: self.exits })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use supervision::ExitReason;

    use super::*;

    struct Story {
        start: Instant,
        healing: Healing,
    }

    impl Story {
        fn new() -> Self {
            Self { start: Instant::now(), healing: Healing::default() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn event(&mut self, ms: u64, incarnation: u64, kind: EventKind) -> &mut Self {
            let event = Event { sequence: 1, at_ms: ms, child: "a".to_owned(), incarnation, kind };
            self.healing.event(self.at(ms), &event);
            self
        }

        fn exit(&mut self, ms: u64, incarnation: u64) -> &mut Self {
            self.event(ms, incarnation, EventKind::Exited { reason: ExitReason::Killed { by: "a test".into() } })
        }

        fn look(&mut self, ms: u64, incarnation: u64, state: ChildState, waiting: usize, handled: u64) -> &mut Self {
            let child = serde_json::json!({
                "name": "a", "state": state, "needs": [], "after": [], "parent": null, "incarnation": incarnation, "restarts": 0, "hangs": 0,
                "last_exit": null, "mailbox_depth": waiting, "mailbox_capacity": 8, "handled": handled, "dead_letters": 0, "uptime_ms": 0,
                "backoff_ms": 0, "busy_ms": 0, "busy_with": null, "waiting": false, "slow": false, "hang_limit_ms": 5_000, "exclusive": false, "probes": [],
            });
            self.healing.look(self.at(ms), &serde_json::from_value(child).unwrap());
            self
        }

        /// When it struck, was served again, and had handled a message.
        fn healed(&self, exits: u32) -> Option<(u64, u64, u64)> {
            let ms = |duration: Duration| duration.as_millis() as u64;
            let healed = self.healing.healed(exits)?;
            let struck = ms(healed.struck.duration_since(self.start));
            Some((struck, struck + ms(healed.served), struck + ms(healed.handled)))
        }
    }

    #[test]
    fn a_crash_is_healed_when_the_next_life_has_handled_a_message() {
        let mut story = Story::new();
        story.look(1, 1, ChildState::Running, 3, 7).exit(10, 1);
        story.look(11, 2, ChildState::Starting, 3, 7).look(12, 2, ChildState::Running, 3, 7);
        assert_eq!(story.healed(1), None, "somebody waits");
        story.look(15, 2, ChildState::Running, 2, 8);
        assert_eq!(story.healed(1), Some((10, 15, 15)));
    }

    #[test]
    fn an_idle_actor_serves_before_its_first_message() {
        let mut story = Story::new();
        story.look(1, 1, ChildState::Running, 0, 7).exit(10, 1);
        story.look(12, 2, ChildState::Running, 0, 7).look(500, 2, ChildState::Running, 0, 8);
        assert_eq!(story.healed(1), Some((10, 12, 500)));
    }

    #[test]
    fn a_hang_struck_when_its_message_was_taken_in_hand() {
        let mut story = Story::new();
        story.look(1, 1, ChildState::Running, 1, 7);
        story.event(2_105, 1, EventKind::Hung { during: "A".to_owned(), busy_ms: 2_005 }).exit(2_105, 1);
        story.look(2_106, 2, ChildState::Running, 0, 9);
        assert_eq!(story.healed(1), Some((100, 2_106, 2_106)));
    }

    #[test]
    fn a_start_that_fails_begins_the_wait_anew() {
        let mut story = Story::new();
        story.exit(10, 1).look(11, 2, ChildState::Running, 0, 8);
        story.exit(12, 2).exit(120, 3);
        assert_eq!(story.healed(1), None, "it is down again");
        story.look(330, 4, ChildState::Running, 0, 9);
        assert_eq!(story.healed(3), Some((10, 330, 330)));
        assert_eq!(story.healed(4), None, "not all faults have struck");
    }

    #[test]
    fn a_flood_is_over_when_there_is_room_after_its_last_wave() {
        let mut story = Story { healing: Healing::from_flood(), ..Story::new() };
        let wave = || EventKind::Injected { what: "Flood".to_owned() };
        story.event(10, 1, wave()).look(11, 1, ChildState::Running, 1, 20).event(12, 1, wave()).look(13, 1, ChildState::Running, 8, 21);
        assert_eq!(story.healed(0), None);
        story.look(14, 1, ChildState::Running, 0, 29);
        assert_eq!(story.healed(0), Some((12, 14, 14)));
    }
}
