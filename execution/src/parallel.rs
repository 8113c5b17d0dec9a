//! Work on all cores, where there is enough of it.
//!
//! Waking rayon's threads, and their search for more work afterwards, costs tens of microseconds of CPU: more than most of a
//! small block's work. So little work stays on the thread it is on.

use rayon::prelude::*;

/// Items from which a [`map`] is spread over all cores; each is a signature to recover, 40 us.
const MAP_FROM: usize = 4;

/// `work` on each item, in order.
pub(crate) fn map<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync + Send) -> Vec<O> {
    if items.len() < MAP_FROM { items.iter().map(work).collect() } else { items.par_iter().map(work).collect() }
}

/// Both results; on two threads where `is_worth_it`.
pub(crate) fn both<A: Send, B: Send>(is_worth_it: bool, first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B + Send) -> (A, B) {
    if is_worth_it { rayon::join(first, second) } else { (first(), second()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_and_much_work_come_out_the_same_and_in_order() {
        for count in [0, 1, MAP_FROM - 1, MAP_FROM, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |item| item * 2), (0..count).map(|item| item * 2).collect::<Vec<_>>());
        }
        assert_eq!(both(false, || 1, || "b"), both(true, || 1, || "b"));
    }
}
