//! How much of the past is kept, as a rule without a database.

use primitives::Height;

use crate::{Keyspace, ReadError, View, keys};

/// How much of the past a node keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Everything from the first height it sees.
    Archive,
    /// So many heights below the tip; with 0 nothing is written at all.
    Heights(u64),
}

/// The heights whose state could be told when `to` was the tip, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub from: Height,
    pub to: Height,
}

impl Retention {
    /// What is kept once `height` is committed, after what was `kept` before; none when nothing is to be written.
    pub(super) fn at(self, height: Height, kept: Option<Kept>) -> Option<Kept> {
        let parent = Height(height.0.saturating_sub(1));
        // Heights that were committed without history are a gap that nobody can bridge.
        let unbroken = kept.filter(|kept| kept.to == parent);
        let from = unbroken.map_or(parent, |kept| kept.from);
        match self {
            Self::Archive => Some(Kept { from, to: height }),
            // Once, so that what was kept until now can go.
            Self::Heights(0) => unbroken.filter(|kept| kept.from < kept.to).map(|_| Kept { from: height, to: height }),
            Self::Heights(heights) => Some(Kept { from: from.max(Height(height.0.saturating_sub(heights))), to: height }),
        }
    }
}

impl Kept {
    pub(crate) fn encode(&self) -> Vec<u8> {
        [keys::height(self.from), keys::height(self.to)].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (from, to) = bytes.split_at_checked(8)?;
        Some(Self { from: keys::parse_height(from)?, to: keys::parse_height(to)? })
    }
}

impl View {
    /// The heights whose state can be told; the view's own is always among them.
    pub fn kept_heights(&self) -> Result<Kept, ReadError> {
        let tip = self.height();
        let kept = self.kept()?.filter(|kept| kept.to == tip);
        Ok(kept.unwrap_or(Kept { from: tip, to: tip }))
    }

    /// What was written last, perhaps long ago.
    pub(super) fn kept(&self) -> Result<Option<Kept>, ReadError> {
        let bytes = self.get(Keyspace::StateHistory, super::KEPT)?;
        bytes.map(|bytes| Kept::decode(&bytes).ok_or_else(|| ReadError::Io(format!("malformed row of kept heights: {bytes}")))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(from: u64, to: u64) -> Option<Kept> {
        Some(Kept { from: Height(from), to: Height(to) })
    }

    #[test]
    fn an_archive_keeps_from_where_it_began() {
        assert_eq!(Retention::Archive.at(Height(1), None), kept(0, 1));
        assert_eq!(Retention::Archive.at(Height(500), None), kept(499, 500));
        assert_eq!(Retention::Archive.at(Height(501), kept(499, 500)), kept(499, 501));
    }

    #[test]
    fn the_oldest_height_follows_the_tip_and_never_turns_back() {
        assert_eq!(Retention::Heights(3).at(Height(2), kept(0, 1)), kept(0, 2));
        assert_eq!(Retention::Heights(3).at(Height(9), kept(5, 8)), kept(6, 9));
        assert_eq!(Retention::Heights(3).at(Height(9), kept(0, 8)), kept(6, 9));
        assert_eq!(Retention::Heights(90).at(Height(9), kept(6, 8)), kept(6, 9));
        assert_eq!(Retention::Archive.at(Height(9), kept(6, 8)), kept(6, 9));
    }

    #[test]
    fn heights_without_history_are_not_bridged() {
        assert_eq!(Retention::Archive.at(Height(9), kept(0, 7)), kept(8, 9));
        assert_eq!(Retention::Heights(5).at(Height(9), kept(0, 7)), kept(8, 9));
    }

    #[test]
    fn without_history_nothing_is_written_but_that_the_old_can_go() {
        let nothing = Retention::Heights(0);
        assert_eq!(nothing.at(Height(9), None), None);
        assert_eq!(nothing.at(Height(9), kept(3, 8)), kept(9, 9));
        assert_eq!(nothing.at(Height(10), kept(9, 9)), None);
        assert_eq!(nothing.at(Height(11), kept(9, 9)), None);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let kept = Kept { from: Height(7), to: Height(1 << 40) };
        assert_eq!(Kept::decode(&kept.encode()), Some(kept));
        assert_eq!(Kept::decode(&[0; 15]), None);
    }
}
