//! The state after blocks that are not written yet.

use std::{fmt, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256};
use primitives::Height;

use crate::{Account, Executed, ReadError, StateReader};

/// A committed state with executed blocks on top. Holds on to both, so it stays right whatever is committed meanwhile.
#[derive(Clone)]
pub struct Overlay {
    base: Arc<dyn StateReader>,
    /// Oldest first.
    layers: Vec<Arc<Executed>>,
}

impl Overlay {
    pub(crate) fn new(base: Arc<dyn StateReader>, layers: Vec<Arc<Executed>>) -> Self {
        Self { base, layers }
    }

    /// What the newest block that knows says.
    fn newest<T>(&self, look: impl Fn(&Executed) -> Option<T>) -> Option<T> {
        self.layers.iter().rev().find_map(|layer| look(layer))
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay").field("base", &self.base.height()).field("layers", &self.layers.len()).finish()
    }
}

impl StateReader for Overlay {
    fn height(&self) -> Height {
        self.layers.last().map_or_else(|| self.base.height(), |layer| Height(layer.number()))
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ReadError> {
        self.newest(|layer| layer.changes.accounts.get(address).copied()).map_or_else(|| self.base.account(address), Ok)
    }

    fn slot(&self, address: &Address, slot: &B256) -> Result<U256, ReadError> {
        self.newest(|layer| layer.changes.slots.get(&(*address, *slot)).copied()).map_or_else(|| self.base.slot(address, slot), Ok)
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, ReadError> {
        self.newest(|layer| layer.changes.code.get(hash).cloned()).map_or_else(|| self.base.code(hash), |code| Ok(Some(code)))
    }

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let node = self.newest(|layer| layer.changes.nodes.get(key).map(|node| node.as_ref().map(|node| node.to_vec())));
        node.map_or_else(|| self.base.node(key), Ok)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, ReadError> {
        let hash = self.newest(|layer| (layer.number() == number).then_some(layer.hash));
        hash.map_or_else(|| self.base.block_hash(number), |hash| Ok(Some(hash)))
    }
}
