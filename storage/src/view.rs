//! A consistent view at one height.

use std::{ops::RangeBounds, sync::Arc};

use fjall::Snapshot;
use primitives::{Bytes, Height};

use crate::{
    Keyspace, ReadError, Row, Tip,
    holder::Tenancy,
    shared::{Pin, Published, Shared},
};

/// The database as it was when one block was committed, whatever is committed later.
///
/// Versions that a view can see stay on disk as long as it lives: keep it for a block, not for an hour.
#[derive(Clone)]
pub struct View {
    shared: Arc<Shared>,
    tenancy: Tenancy,
    published: Arc<Published>,
    tip: Tip,
}

impl View {
    pub(crate) fn new(shared: Arc<Shared>, tenancy: Tenancy, published: Arc<Published>) -> Result<Self, ReadError> {
        if published.snapshot.is_none() {
            return Err(ReadError::Closed);
        }
        let tip = published.tip.ok_or(ReadError::Empty)?;
        Ok(Self { shared, tenancy, published, tip })
    }

    /// In whose name.
    pub fn holder(&self) -> &'static str {
        self.tenancy.name()
    }

    /// The block at which this view stands.
    pub fn tip(&self) -> Tip {
        self.tip
    }

    /// The height at which this view stands.
    pub fn height(&self) -> Height {
        self.tip.height
    }

    /// The value of `key`.
    pub fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        self.pin()?.reads(self.snapshot()).get(keyspace, key)
    }

    /// The first `limit` rows whose keys lie in `range`, in ascending order.
    pub fn range<K: AsRef<[u8]>>(&self, keyspace: Keyspace, range: impl RangeBounds<K>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.pin()?.reads(self.snapshot()).range(keyspace, range, limit)
    }

    /// The last `limit` rows whose keys lie in `range`, in descending order.
    pub fn range_reversed<K: AsRef<[u8]>>(&self, keyspace: Keyspace, range: impl RangeBounds<K>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.pin()?.reads(self.snapshot()).range_reversed(keyspace, range, limit)
    }

    /// The first `limit` rows whose keys begin with `prefix`, in ascending order.
    pub fn prefix(&self, keyspace: Keyspace, prefix: &[u8], limit: usize) -> Result<Vec<Row>, ReadError> {
        self.pin()?.reads(self.snapshot()).prefix(keyspace, prefix, limit)
    }

    /// The row with the lowest key.
    pub fn first(&self, keyspace: Keyspace) -> Result<Option<Row>, ReadError> {
        Ok(self.range::<&[u8]>(keyspace, .., 1)?.pop())
    }

    /// The row with the highest key.
    pub fn last(&self, keyspace: Keyspace) -> Result<Option<Row>, ReadError> {
        Ok(self.range_reversed::<&[u8]>(keyspace, .., 1)?.pop())
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        self.published.snapshot.as_ref()
    }

    pub(crate) fn pin(&self) -> Result<Pin<'_>, ReadError> {
        Pin::new(&self.published.handles, &self.shared, &self.tenancy)
    }
}
