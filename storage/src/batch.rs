//! What is written together.

use primitives::{B256, Height};

use crate::{Keyspace, Tip, history::Kept, record};

/// Writes that become visible and durable together, or not at all. Later writes of a key win over earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    tip: Option<Tip>,
    pub(crate) writes: Vec<Write>,
    /// What history is kept from this batch on, if it changes that.
    pub(crate) kept: Option<Kept>,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) keyspace: Keyspace,
    pub(crate) key: Vec<u8>,
    /// None removes the key.
    pub(crate) value: Option<Vec<u8>>,
}

/// Why a write was not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a key of {bytes} bytes in {keyspace}; keys have 1 to {MAX_KEY_BYTES} bytes")]
    KeyLength { keyspace: Keyspace, bytes: usize },
    #[error("a value of {bytes} bytes in {keyspace}; at most {MAX_VALUE_BYTES} are possible")]
    ValueLength { keyspace: Keyspace, bytes: usize },
    #[error("the key {key:02x?} in {keyspace} belongs to the storage itself")]
    Reserved { keyspace: Keyspace, key: Vec<u8> },
}

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = u16::MAX as usize;
/// The longest value, in bytes.
const MAX_VALUE_BYTES: usize = u32::MAX as usize;

impl Batch {
    /// The writes of the decided block `hash` at `height`; committing them moves the tip.
    pub fn for_height(height: Height, hash: B256) -> Self {
        Self { tip: Some(Tip { height, hash }), ..Self::default() }
    }

    /// Writes that belong to no height.
    pub fn loose() -> Self {
        Self::default()
    }

    /// The block this batch commits, if any.
    pub fn tip(&self) -> Option<Tip> {
        self.tip
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push(Write { keyspace, key: key.into(), value: Some(value.into()) });
    }

    /// Removes `key`; no error when it is not there.
    pub fn remove(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>) {
        self.writes.push(Write { keyspace, key: key.into(), value: None });
    }

    /// Number of writes.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there are no writes. A batch of a height moves the tip all the same.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.writes.iter().map(|write| write.key.len() + write.value.as_ref().map_or(0, Vec::len)).sum()
    }

    pub(crate) fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Whether the database can take every write.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        self.writes.iter().try_for_each(Write::check)
    }
}

impl Write {
    fn check(&self) -> Result<(), Refused> {
        let (keyspace, bytes) = (self.keyspace, self.key.len());
        if bytes == 0 || bytes > MAX_KEY_BYTES {
            return Err(Refused::KeyLength { keyspace, bytes });
        }
        if let Some(value) = self.value.as_ref().filter(|value| value.len() > MAX_VALUE_BYTES) {
            return Err(Refused::ValueLength { keyspace, bytes: value.len() });
        }
        if record::is_ours(keyspace, &self.key) {
            return Err(Refused::Reserved { keyspace, key: self.key.clone() });
        }
        Ok(())
    }
}
