//! Which block was committed by whom and when, over all lives of all validators.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use primitives::B256;

/// A block that a validator said it has committed.
#[derive(Clone, Debug)]
pub struct Commit {
    pub validator: usize,
    pub height: u64,
    pub hash: B256,
    pub transactions: u64,
    /// When the line was read.
    pub at: Instant,
}

/// All commits of one network. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    commits: Vec<Commit>,
    decided: BTreeMap<u64, B256>,
    tips: BTreeMap<usize, u64>,
    forks: Vec<String>,
}

impl History {
    /// Remembers a commit and holds it against what others committed at that height.
    pub fn note(&self, commit: Commit) {
        let mut book = self.0.lock();
        let Book { commits, decided, tips, forks } = &mut *book;
        let Commit { validator, height, hash, .. } = commit;
        let first = *decided.entry(height).or_insert(hash);
        if first != hash {
            forks.push(format!("validator {validator} has {hash} at height {height}, where {first} was committed before"));
        }
        let tip = tips.entry(validator).or_default();
        *tip = height.max(*tip);
        commits.push(commit);
    }

    /// The highest height that `validator` ever said it has committed.
    pub fn tip(&self, validator: usize) -> u64 {
        self.0.lock().tips.get(&validator).copied().unwrap_or_default()
    }

    /// The highest of all.
    pub fn highest(&self) -> u64 {
        self.0.lock().tips.values().copied().max().unwrap_or_default()
    }

    /// How many commits were noted so far.
    pub fn len(&self) -> usize {
        self.0.lock().commits.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The commits from number `index` on.
    pub fn from(&self, index: usize) -> Vec<Commit> {
        self.0.lock().commits.get(index..).unwrap_or_default().to_vec()
    }

    /// When `validator` committed something from `since` on, in order.
    pub fn moments(&self, validator: usize, since: Instant) -> Vec<Instant> {
        let book = self.0.lock();
        let recent = book.commits.iter().rev().take_while(|commit| since <= commit.at);
        let mut moments: Vec<_> = recent.filter(|commit| commit.validator == validator).map(|commit| commit.at).collect();
        moments.reverse();
        moments
    }

    /// Heights a second that `validator` committed between two moments.
    pub fn rate(&self, validator: usize, from: Instant, until: Instant) -> f64 {
        let count = self.moments(validator, from).iter().filter(|at| **at < until).count();
        count as f64 / until.duration_since(from).max(Duration::from_millis(1)).as_secs_f64()
    }

    /// Every block that anybody committed at `from` or above.
    pub fn decided(&self, from: u64) -> Vec<(u64, B256)> {
        self.0.lock().decided.range(from..).map(|(height, hash)| (*height, *hash)).collect()
    }

    /// Heights at which two blocks were committed.
    pub fn forks(&self) -> Vec<String> {
        self.0.lock().forks.clone()
    }
}

/// Height, hash and number of transactions, if this line of a log reports a commit.
pub fn committed(line: &str) -> Option<(u64, B256, u64)> {
    let fields = line.split_once(": block committed ")?.1;
    let field = |name: &str| fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    Some((field("height")?.parse().ok()?, field("hash")?.parse().ok()?, field("txs")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn commit(validator: usize, height: u64, hash: u8) -> Commit {
        Commit { validator, height, hash: B256::repeat_byte(hash), transactions: 0, at: Instant::now() }
    }

    #[test]
    fn a_line_of_the_log_is_understood() {
        let hash = B256::repeat_byte(7);
        let line =
            format!("2026-11-20T10:00:00.123Z INFO  actors::execution::actor: block committed gas=0 hash={hash} height=12 round=0 tree=a txs=3");
        assert_eq!(committed(&line).unwrap(), (12, hash, 3));
        assert_eq!(committed("2026-11-20T10:00:00.123Z INFO  x: api listens height=12"), None);
    }

    #[test]
    fn two_blocks_at_one_height_are_a_fork_whoever_committed_them_and_when() {
        let history = History::default();
        [commit(0, 1, 1), commit(1, 1, 1), commit(0, 2, 2)].into_iter().for_each(|commit| history.note(commit));
        assert!(history.forks().is_empty());
        history.note(commit(1, 2, 3));
        assert_eq!(history.forks().len(), 1);
        history.note(commit(0, 1, 9));
        assert_eq!(history.forks().len(), 2, "a rolled back height is one too");
        assert_eq!((history.tip(0), history.tip(1), history.highest()), (2, 2, 2));
    }
}
