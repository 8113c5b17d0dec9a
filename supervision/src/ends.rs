//! Which ends are written to the log: when ten thousand sessions break at once, one line with a reason and one with a
//! count say more than ten thousand lines, and cost nobody the time in which they could have come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The dynamic children of one kind that end within this time are logged together.
const BURST: Duration = Duration::from_secs(1);

/// The kinds whose dynamic children have ended of late.
#[derive(Default)]
pub(crate) struct Ends(BTreeMap<Arc<str>, Burst>);

struct Burst {
    since: Duration,
    unlogged: u64,
}

impl Ends {
    /// A dynamic child of this kind has ended. `true`: it is the first of a burst, and logged itself.
    pub fn note(&mut self, kind: &Arc<str>, now: Duration) -> bool {
        match self.0.get_mut(kind) {
            Some(burst) => {
                burst.unlogged += 1;
                false
            }
            None => {
                self.0.insert(kind.clone(), Burst { since: now, unlogged: 0 });
                true
            }
        }
    }

    /// The bursts that are over, with how many of each were not logged; a burst goes on while there are any.
    pub fn due(&mut self, now: Duration) -> Vec<(Arc<str>, u64)> {
        let mut due = Vec::new();
        self.0.retain(|kind, burst| {
            if now.saturating_sub(burst.since) < BURST {
                return true;
            }
            let unlogged = std::mem::take(&mut burst.unlogged);
            burst.since = now;
            if unlogged > 0 {
                due.push((kind.clone(), unlogged));
            }
            unlogged > 0
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_burst_is_logged_and_the_others_are_counted() {
        let (kind, other): (Arc<str>, Arc<str>) = ("p2p.session".into(), "api.stream".into());
        let at = Duration::from_millis;
        let mut ends = Ends::default();
        assert!(ends.note(&kind, at(0)));
        assert!((1..=999).all(|ms| !ends.note(&kind, at(ms))));
        assert!(ends.note(&other, at(500)), "each kind has its own");
        assert_eq!(ends.due(at(999)), []);
        assert_eq!(ends.due(at(1000)), [(kind.clone(), 999)]);
        assert!(!ends.note(&kind, at(1500)), "it goes on");
        assert_eq!(ends.due(at(2000)), [(kind.clone(), 1)]);
        assert_eq!(ends.due(at(3000)), []);
        assert!(ends.note(&kind, at(3001)), "a new one");
    }
}
