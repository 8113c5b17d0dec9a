//! Who is sent a transaction whole, and who is told its hash and asks for it.
//!
//! Whom it was submitted to sends it whole, at once: to everybody while peers are [`FEW`], because a transfer is hardly larger than an
//! announcement, a question and an answer, and waits for none of them; else to the square root of their number, those that propose
//! next first. Everybody else announces, so that each node is sent a transaction whole once.

/// Up to so many peers all are sent our own transactions whole.
pub const FEW: usize = 8;

/// Which of the peers are sent whole what was submitted here. `turns` says for each in how many turns it proposes; none: it is no
/// validator.
pub fn whole(turns: &[Option<usize>]) -> Vec<bool> {
    let count = if turns.len() <= FEW { turns.len() } else { turns.len().isqrt().max(1) };
    let mut order: Vec<usize> = (0..turns.len()).collect();
    order.sort_by_key(|place| (turns[*place].is_none(), turns[*place]));
    let mut whole = vec![false; turns.len()];
    order.into_iter().take(count).for_each(|place| whole[place] = true);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_peers_are_all_sent_it_whole() {
        assert_eq!(whole(&[None, Some(2), Some(0)]), [true; 3]);
        assert_eq!(whole(&[]), [] as [bool; 0]);
    }

    #[test]
    fn of_many_peers_those_that_propose_next_are() {
        let turns: Vec<Option<usize>> = (0..16).map(|place| (place % 2 == 0).then_some(16 - place)).collect();
        let chosen: Vec<usize> = whole(&turns).into_iter().enumerate().filter_map(|(place, is)| is.then_some(place)).collect();
        assert_eq!(chosen, [8, 10, 12, 14]);
    }

    #[test]
    fn without_validators_some_are_all_the_same() {
        assert_eq!(whole(&[None; 100]).into_iter().filter(|is| *is).count(), 10);
    }
}
