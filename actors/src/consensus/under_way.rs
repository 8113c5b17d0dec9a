//! A commit that was handed to execution and of which this life has not heard yet.

use std::time::Duration;

use primitives::Height;

use crate::execution::{COMMIT_LIMIT, Decided};

/// How long word of a commit is awaited before it is taken for lost: what execution may take, and the telling.
const WORD_LIMIT: Duration = COMMIT_LIMIT.saturating_add(Duration::from_secs(10));

/// The commit under way, if any, and the block above it that came before the word.
#[derive(Default)]
pub(super) struct UnderWay {
    /// Its height, and until when (monotonic) word of it is awaited.
    commit: Option<(Height, Duration)>,
    above: Option<Decided>,
}

impl UnderWay {
    pub fn begin(&mut self, height: Height, now: Duration) {
        self.commit = Some((height, now + WORD_LIMIT));
    }

    /// Word came: `height` is committed.
    pub fn committed(&mut self, height: Height) {
        self.commit.take_if(|(committing, _)| *committing <= height);
    }

    /// Word came: `height` is not committed.
    pub fn failed(&mut self, height: Height) {
        self.commit.take_if(|(committing, _)| *committing == height);
    }

    /// Whether word of `height` may still come.
    pub fn is_awaited(&self, height: Height, now: Duration) -> bool {
        self.commit.is_some_and(|(committing, until)| committing == height && now <= until)
    }

    /// Keeps a block until the word comes.
    pub fn keep(&mut self, above: Decided) {
        self.above = Some(above);
    }

    pub fn take_kept(&mut self) -> Option<Decided> {
        self.above.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_a_commit_is_awaited_for_its_height_until_it_comes_or_is_taken_for_lost() {
        let begun = Duration::from_secs(7);
        let (height, late) = (Height(5), begun + WORD_LIMIT + Duration::from_millis(1));
        let awaited = |word: fn(&mut UnderWay), height, now| {
            let mut under_way = UnderWay::default();
            under_way.begin(Height(5), Duration::from_secs(7));
            word(&mut under_way);
            under_way.is_awaited(height, now)
        };
        assert!(!UnderWay::default().is_awaited(height, begun), "an older life began it");
        assert!(awaited(|_| (), height, begun + WORD_LIMIT));
        assert!(!awaited(|_| (), height, late), "lost");
        assert!(!awaited(|_| (), height.next(), begun), "another height");
        assert!(!awaited(|under_way| under_way.committed(Height(5)), height, begun));
        assert!(!awaited(|under_way| under_way.failed(Height(5)), height, begun));
        assert!(awaited(|under_way| under_way.committed(Height(4)), height, begun), "word of an earlier one");
        assert!(awaited(|under_way| under_way.failed(Height(4)), height, begun));
    }
}
