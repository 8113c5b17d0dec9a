//! A view as of an earlier height.

use primitives::{Bytes, Height};

use super::{kind, row_key};
use crate::{Kept, Keyspace, ReadError, View};

/// What accounts, slots and trie nodes were after the block at one height; every other keyspace as it is at the tip.
#[derive(Clone)]
pub struct AsOf {
    view: View,
    height: Height,
}

impl View {
    /// The state after the block at `height`.
    ///
    /// # Errors
    /// [`ReadError::NotKept`] when it is not, or no longer, kept, or not there yet.
    pub fn as_of(self, height: Height) -> Result<AsOf, ReadError> {
        let Kept { from, to } = self.kept_heights()?;
        if height < from || to < height {
            return Err(ReadError::NotKept { asked: height, from, to });
        }
        Ok(AsOf { view: self, height })
    }

    /// The state at the view's own height.
    pub fn at_tip(self) -> AsOf {
        AsOf { height: self.height(), view: self }
    }
}

impl AsOf {
    /// The height whose state this is.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The value of `key` then.
    ///
    /// # Errors
    /// [`ReadError::NotKept`] when the height was pruned meanwhile.
    pub fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        let is_past = self.height < self.view.height();
        let Some(kind) = kind(keyspace).filter(|_| is_past) else { return self.view.get(keyspace, key) };
        let above = row_key(kind, key, self.height.next())..=row_key(kind, key, Height(u64::MAX));
        let row = self.view.range(Keyspace::StateHistory, above, 1)?.pop();
        let value = match row {
            Some(row) => Some(row.value).filter(|was| !was.is_empty()),
            None => self.view.get(keyspace, key)?,
        };
        self.check_kept()?;
        Ok(value)
    }

    /// Compactions take pruned rows from under a view, so what was read counts only when they had no reason to.
    fn check_kept(&self) -> Result<(), ReadError> {
        let from = self.view.pin()?.forgotten();
        match from <= self.height {
            true => Ok(()),
            false => Err(ReadError::NotKept { asked: self.height, from, to: self.view.height().max(from) }),
        }
    }
}
