//! Who holds leases, and who is reading at this moment.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Everybody who ever took a lease, by name. Names are literals, so there are few.
#[derive(Default)]
pub(crate) struct Register(Mutex<BTreeMap<&'static str, Arc<Counts>>>);

/// What one name holds.
#[derive(Default)]
struct Counts {
    leases: AtomicUsize,
    reads: AtomicUsize,
}

/// One lease or view in somebody's hands; counted until it is dropped.
pub(crate) struct Tenancy {
    name: &'static str,
    counts: Arc<Counts>,
}

/// One read that is under way.
pub(crate) struct Reading<'a>(&'a Counts);

impl Register {
    pub(crate) fn admit(&self, name: &'static str) -> Tenancy {
        let counts = self.names().entry(name).or_default().clone();
        counts.leases.fetch_add(1, Ordering::Relaxed);
        Tenancy { name, counts }
    }

    /// Who has leases or views, and how many.
    pub(crate) fn leases(&self) -> Vec<(&'static str, usize)> {
        self.count(|counts| &counts.leases)
    }

    /// Who is reading.
    pub(crate) fn readers(&self) -> Vec<&'static str> {
        self.count(|counts| &counts.reads).into_iter().map(|(name, _)| name).collect()
    }

    fn count(&self, what: impl Fn(&Counts) -> &AtomicUsize) -> Vec<(&'static str, usize)> {
        let counted = self.names().iter().map(|(name, counts)| (*name, what(counts).load(Ordering::SeqCst))).collect::<Vec<_>>();
        counted.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Counts>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenancy {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn read(&self) -> Reading<'_> {
        self.counts.reads.fetch_add(1, Ordering::SeqCst);
        Reading(&self.counts)
    }
}

impl Clone for Tenancy {
    fn clone(&self) -> Self {
        self.counts.leases.fetch_add(1, Ordering::Relaxed);
        Self { name: self.name, counts: self.counts.clone() }
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        self.counts.leases.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.reads.fetch_sub(1, Ordering::SeqCst);
    }
}
