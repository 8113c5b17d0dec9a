//! How everyone but the writer reads: by name, one read at a time, never longer than the writer allows.

use std::{ops::RangeBounds, sync::Arc};

use arc_swap::Guard;
use primitives::{Bytes, Height};

use crate::{
    Keyspace, ReadError, Row, Tip, View,
    holder::Tenancy,
    shared::{Pin, Shared},
};

/// Makes leases. Cheap to clone, and harmless to keep after the writer has closed.
#[derive(Clone)]
pub struct Leases(Arc<Shared>);

/// A name's permission to read. It keeps no handle and no lock between reads.
///
/// Each read by itself sees the newest commit, blocks and loose batches alike. Reads that must agree with each other
/// belong on one [`View`]. After the writer has closed, and for the moment in which it reopens, every read fails
/// with [`ReadError::Closed`].
#[derive(Clone)]
pub struct Lease {
    shared: Arc<Shared>,
    tenancy: Tenancy,
}

impl Leases {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// A lease in the name of `holder`, which is what a shutdown report calls it.
    pub fn lease(&self, holder: &'static str) -> Lease {
        Lease { tenancy: self.0.register().admit(holder), shared: self.0.clone() }
    }

    /// Who holds leases or views, and how many.
    pub fn holders(&self) -> Vec<(&'static str, usize)> {
        self.0.register().leases()
    }

    /// The newest committed block; none before the first one and after the writer has closed.
    pub fn tip(&self) -> Option<Tip> {
        self.0.published().tip
    }
}

impl Lease {
    /// In whose name.
    pub fn holder(&self) -> &'static str {
        self.tenancy.name()
    }

    /// The newest committed block; none before the first one and after the writer has closed.
    pub fn tip(&self) -> Option<Tip> {
        self.shared.published().tip
    }

    /// The height of [`Lease::tip`].
    pub fn height(&self) -> Option<Height> {
        self.tip().map(|tip| tip.height)
    }

    /// A consistent view at the newest committed block. Costs no I/O.
    ///
    /// # Errors
    /// [`ReadError::Empty`] before the first block, [`ReadError::Closed`] after the writer has closed.
    pub fn view(&self) -> Result<View, ReadError> {
        let published = Guard::into_inner(self.shared.published());
        View::new(self.shared.clone(), self.tenancy.clone(), published)
    }

    /// The value of `key`.
    pub fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        self.pin()?.reads(None).get(keyspace, key)
    }

    /// The first `limit` rows whose keys lie in `range`, in ascending order.
    pub fn range<K: AsRef<[u8]>>(&self, keyspace: Keyspace, range: impl RangeBounds<K>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.pin()?.reads(None).range(keyspace, range, limit)
    }

    /// The last `limit` rows whose keys lie in `range`, in descending order.
    pub fn range_reversed<K: AsRef<[u8]>>(&self, keyspace: Keyspace, range: impl RangeBounds<K>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.pin()?.reads(None).range_reversed(keyspace, range, limit)
    }

    /// The first `limit` rows whose keys begin with `prefix`, in ascending order.
    pub fn prefix(&self, keyspace: Keyspace, prefix: &[u8], limit: usize) -> Result<Vec<Row>, ReadError> {
        self.pin()?.reads(None).prefix(keyspace, prefix, limit)
    }

    /// The row with the lowest key.
    pub fn first(&self, keyspace: Keyspace) -> Result<Option<Row>, ReadError> {
        Ok(self.range::<&[u8]>(keyspace, .., 1)?.pop())
    }

    /// The row with the highest key.
    pub fn last(&self, keyspace: Keyspace) -> Result<Option<Row>, ReadError> {
        Ok(self.range_reversed::<&[u8]>(keyspace, .., 1)?.pop())
    }

    pub(crate) fn pin(&self) -> Result<Pin<'_>, ReadError> {
        let handles = &self.shared.published().handles;
        Pin::new(handles, &self.shared, &self.tenancy)
    }
}
