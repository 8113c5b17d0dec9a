//! Whether somebody we dialled makes room for somebody better.

use std::{cmp::Reverse, time::Duration};

use primitives::NodeId;

/// A session that we dialled, with a node that is neither configured nor speaks for a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    pub node: NodeId,
    pub score: i64,
    pub round_trip: Option<Duration>,
}

/// Who leaves for a candidate with this score: the lowest score, of those the slowest. Nobody leaves for one that is no better.
pub fn leaver(seated: &[Seated], candidate: i64) -> Option<NodeId> {
    let slowness = |seated: &Seated| seated.round_trip.unwrap_or(Duration::MAX);
    let worst = seated.iter().min_by_key(|seated| (seated.score, Reverse(slowness(seated)), seated.node))?;
    (worst.score < candidate).then_some(worst.node)
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::*;

    fn seated(byte: u8, score: i64, ms: u64) -> Seated {
        Seated { node: NodeId(Address::repeat_byte(byte)), score, round_trip: Some(Duration::from_millis(ms)) }
    }

    #[test]
    fn the_lowest_score_leaves_for_a_better_one_and_of_equals_the_slowest() {
        let all = [seated(1, 5, 900), seated(2, -3, 10), seated(3, -3, 20), seated(4, 0, 1)];
        assert_eq!(leaver(&all, 0), Some(NodeId(Address::repeat_byte(3))));
    }

    #[test]
    fn nobody_leaves_for_one_that_is_no_better() {
        assert_eq!(leaver(&[seated(1, 0, 1)], 0), None);
        assert_eq!(leaver(&[], 10), None);
    }
}
