//! How pruned rows leave the disk: compactions pass them over.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};
use primitives::Height;

use super::row_height;
use crate::Keyspace;

type Filters = Arc<dyn Fn(&str) -> Option<Arc<dyn Factory>> + Send + Sync>;

/// The height at and below which rows may go. It only grows, and never ahead of what is durable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forgotten(Arc<AtomicU64>);

impl Forgotten {
    /// The lowest height whose state can be told.
    pub(crate) fn height(&self) -> Height {
        Height(self.0.load(Ordering::SeqCst))
    }

    /// Lets the rows at and below `height` go.
    pub(crate) fn up_to(&self, height: Height) {
        self.0.fetch_max(height.0, Ordering::SeqCst);
    }

    /// What the engine asks for each keyspace by name.
    pub(crate) fn filters(&self) -> Filters {
        let forgotten = self.clone();
        Arc::new(move |keyspace| (keyspace == Keyspace::StateHistory.name()).then(|| Arc::new(forgotten.clone()) as _))
    }
}

impl Factory for Forgotten {
    fn name(&self) -> &str {
        "state history"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(self.clone())
    }
}

impl CompactionFilter for Forgotten {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        // Each row is written once, and who misses a dropped one asks for what is not kept: no tombstone is needed.
        let is_forgotten = row_height(item.key()).is_some_and(|height| height <= self.height());
        Ok(if is_forgotten { Verdict::Destroy } else { Verdict::Keep })
    }
}
