//! Who is in a tree: what snapshots and metrics read from. Its lock is never held across anything that can wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::RwLock;

use crate::child::ChildId;
use crate::mailbox::Port;
use crate::spec::Rules;
use crate::vitals::Vitals;

pub(crate) struct Registry {
    pub tree: String,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    rows: BTreeMap<ChildId, Arc<Row>>,
    /// What dynamic children that are gone have counted, by label, so that counters never fall.
    retired: BTreeMap<Arc<str>, Totals>,
}

pub(crate) struct Row {
    pub name: Arc<str>,
    pub parent: Option<Arc<str>>,
    pub group: Option<String>,
    pub rules: Arc<Rules>,
    pub port: Arc<dyn Port>,
}

/// What all children of one label have counted together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub handled: u64,
    pub restarts: u64,
    pub hangs: u64,
    pub dead_letters: u64,
    /// Messages that wait now.
    pub depth: u64,
}

impl Totals {
    fn add(&mut self, vitals: &Vitals) {
        self.handled += vitals.handled.load(Relaxed);
        self.restarts += vitals.restarts.load(Relaxed);
        self.hangs += vitals.hangs.load(Relaxed);
        self.dead_letters += vitals.dead_letters.load(Relaxed);
    }
}

impl Registry {
    pub fn new(tree: &str) -> Arc<Self> {
        Arc::new(Registry { tree: tree.to_owned(), inner: RwLock::default() })
    }

    pub fn add(&self, id: ChildId, row: Row) {
        self.inner.write().rows.insert(id, Arc::new(row));
    }

    pub fn retire(&self, id: ChildId) {
        let mut inner = self.inner.write();
        if let Some(row) = inner.rows.remove(&id) {
            inner.retired.entry(row.rules.name.clone()).or_default().add(row.port.vitals());
        }
    }

    /// One value for each child: static ones in order of declaration, then dynamic ones by age.
    /// Read without the lock, so that a look at ten thousand children holds up nobody who comes or goes.
    pub fn rows<T>(&self, read: impl Fn(&Row) -> T) -> Vec<T> {
        let rows: Vec<Arc<Row>> = self.inner.read().rows.values().cloned().collect();
        rows.iter().map(|row| read(row)).collect()
    }

    pub fn find<T>(&self, name: &str, read: impl FnOnce(&Row) -> T) -> Option<T> {
        self.inner.read().rows.values().find(|row| *row.name == *name).map(|row| read(row))
    }

    pub fn totals(&self) -> BTreeMap<Arc<str>, Totals> {
        // Both at one moment, so that nobody who retires is counted twice or not at all.
        let (rows, mut totals) = {
            let inner = self.inner.read();
            (inner.rows.values().cloned().collect::<Vec<_>>(), inner.retired.clone())
        };
        for row in rows {
            let total = totals.entry(row.rules.name.clone()).or_default();
            total.add(row.port.vitals());
            total.depth += row.port.depth() as u64;
        }
        totals
    }
}
