//! Dynamic children by key, for example one session per peer.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::child::{Child, ChildId};
use crate::fence::Incarnation;
use crate::shared::Shared;
use crate::spec::ChildSpec;
use crate::supervisor::Command;

/// The children that one incarnation of an actor has made. They end with it.
///
/// Each has a restart budget of its own, and spending it ends that child alone.
pub struct Children<K> {
    group: Arc<Group<K>>,
}

impl<K> Clone for Children<K> {
    fn clone(&self) -> Self {
        Children { group: self.group.clone() }
    }
}

struct Group<K> {
    shared: Arc<Shared>,
    parent: (ChildId, Incarnation),
    parent_name: String,
    limit: usize,
    keys: Mutex<BTreeMap<K, ChildId>>,
}

/// Why a child was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    #[error("there is a child of this key already")]
    Taken,
    #[error("there are {limit} children already")]
    TooMany { limit: usize },
    #[error("the tree is stopping")]
    Stopped,
}

impl<K: Ord + Clone + Display + Send + Sync + 'static> Children<K> {
    pub(crate) fn new(shared: Arc<Shared>, parent: (ChildId, Incarnation), parent_name: &str, limit: usize) -> Self {
        let keys = Mutex::new(BTreeMap::new());
        Children { group: Arc::new(Group { shared, parent, parent_name: parent_name.to_owned(), limit, keys }) }
    }

    /// Starts a child, named `<parent>.<spec's name>/<key>`; in metrics and spans without the key.
    /// Its edges, if any, are not looked at.
    pub fn spawn(&self, key: K, mut spec: ChildSpec) -> Result<(), SpawnError> {
        let group = &self.group;
        let id = group.shared.next_id();
        {
            let mut keys = group.keys.lock();
            if keys.contains_key(&key) {
                return Err(SpawnError::Taken);
            }
            if keys.len() >= group.limit {
                return Err(SpawnError::TooMany { limit: group.limit });
            }
            keys.insert(key.clone(), id);
        }
        let label = format!("{}.{}", group.parent_name, spec.rules.name);
        let name = format!("{label}/{key}");
        spec.rules.name = label.into();
        let forget = Forget { group: Arc::downgrade(group), key, id };
        spec.farewell.reserve_exact(1);
        spec.farewell.insert(0, Box::new(move |_| drop(forget)));
        let child = Box::new(Child::new(spec, name.into(), Some(group.parent)));
        // A child that cannot be handed over is dropped, and frees its key.
        match group.shared.command(Command::Add { id, child }) {
            true => Ok(()),
            false => Err(SpawnError::Stopped),
        }
    }

    /// Stops the child of this key, in order, and does not wait for it. Its key is free when it has gone.
    pub fn stop(&self, key: &K) -> bool {
        let id = self.group.keys.lock().get(key).copied();
        id.is_some_and(|id| self.group.shared.command(Command::Remove(id)))
    }

    /// How many have not gone yet.
    pub fn len(&self) -> usize {
        self.group.keys.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, key: &K) -> bool {
        self.group.keys.lock().contains_key(key)
    }

    pub fn keys(&self) -> Vec<K> {
        self.group.keys.lock().keys().cloned().collect()
    }
}

/// Frees a key when its child is over.
struct Forget<K: Ord> {
    group: Weak<Group<K>>,
    key: K,
    id: ChildId,
}

impl<K: Ord> Drop for Forget<K> {
    fn drop(&mut self) {
        let Some(group) = self.group.upgrade() else { return };
        let mut keys = group.keys.lock();
        if keys.get(&self.key) == Some(&self.id) {
            keys.remove(&self.key);
        }
    }
}
