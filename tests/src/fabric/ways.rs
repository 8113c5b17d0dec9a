//! The weather of all directions, which changes while packets and streams are under way.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::watch;

use super::Weather;

/// From whom, to whom.
pub(super) type Way = (usize, usize);

/// Clones show and change the same.
#[derive(Clone, Debug)]
pub(super) struct Ways(Arc<watch::Sender<Table>>);

#[derive(Clone, Debug, Default)]
struct Table {
    usual: Weather,
    special: HashMap<Way, Weather>,
    /// How often the streams between two validators were reset.
    resets: HashMap<Way, u64>,
}

impl Ways {
    pub fn new(usual: Weather) -> Self {
        Self(Arc::new(watch::Sender::new(Table { usual, ..Table::default() })))
    }

    pub fn of(&self, way: Way) -> Weather {
        self.0.borrow().of(way)
    }

    /// In one direction; the other stays as it is.
    pub fn set(&self, way: Way, weather: Weather) {
        self.0.send_modify(|table| {
            table.special.insert(way, weather);
        });
    }

    /// Everywhere, from now on.
    pub fn usual(&self, usual: Weather) {
        self.0.send_modify(|table| {
            table.usual = usual;
            table.special.clear();
        });
    }

    /// As usual again.
    pub fn heal(&self) {
        self.0.send_modify(|table| table.special.clear());
    }

    /// Ends all streams between two.
    pub fn reset(&self, (one, other): Way) {
        self.0.send_modify(|table| *table.resets.entry((one.min(other), one.max(other))).or_default() += 1);
    }

    /// Returns when something arrives in this direction.
    pub async fn open(&self, way: Way) {
        // The sender lives in `self`, so this cannot end without having seen it.
        let _ = self.0.subscribe().wait_for(|table| !table.of(way).is_blocked).await;
    }

    /// Returns when the streams between these two are reset the next time.
    pub async fn next_reset(&self, (one, other): Way) {
        let pair = (one.min(other), one.max(other));
        let count = |table: &Table| table.resets.get(&pair).copied().unwrap_or_default();
        let mut changes = self.0.subscribe();
        let now = count(&changes.borrow_and_update());
        // As above.
        let _ = changes.wait_for(|table| now < count(table)).await;
    }
}

impl Table {
    fn of(&self, way: Way) -> Weather {
        self.special.get(&way).copied().unwrap_or(self.usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_direction_is_blocked_and_opened_and_the_other_never_notices() {
        let ways = Ways::new(Weather::WAN);
        ways.set((0, 1), Weather::BLOCKED);
        assert_eq!((ways.of((0, 1)), ways.of((1, 0))), (Weather::BLOCKED, Weather::WAN));
        ways.open((1, 0)).await;
        let waiting = tokio::spawn({
            let ways = ways.clone();
            async move { ways.open((0, 1)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        ways.heal();
        assert!(waiting.await.is_ok());
    }
}
