//! The newest committed block.

use std::fmt;

use primitives::{B256, Height};

/// A committed block: its height and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tip {
    pub height: Height,
    pub hash: B256,
}

impl fmt::Display for Tip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.height, self.hash)
    }
}

/// A tip, or the absence of one, in words.
pub(crate) fn describe(tip: Option<Tip>) -> String {
    tip.map_or_else(|| "nothing".to_owned(), |tip| tip.to_string())
}
