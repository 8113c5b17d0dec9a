//! What waits for the socket of one link, and what of it goes next. No I/O.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Lane, QueueLimits};

/// Bytes handed to the socket in one turn. A vote that comes now waits behind no more than this.
pub const MAX_TURN_BYTES: usize = 128 << 10;
/// Bytes of small frames that a lane other than that of votes may send in one turn: a flush costs more than they do.
const SMALL_BYTES: usize = 16 << 10;

/// One queue for each lane, limited in bytes.
#[derive(Debug)]
pub(crate) struct Queues {
    lanes: [Queue; Lane::ALL.len()],
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    max_bytes: usize,
}

/// The lane has no room for the frame. The peer is slower than what is said to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{queued_bytes} of {max_bytes} bytes wait in the lane of {lane} already")]
pub struct Full {
    pub lane: Lane,
    pub queued_bytes: usize,
    pub max_bytes: usize,
}

impl Queues {
    pub fn new(limits: &QueueLimits) -> Self {
        let queue = |lane| Queue { frames: VecDeque::new(), bytes: 0, max_bytes: limits.of(lane) };
        Self { lanes: Lane::ALL.map(queue) }
    }

    /// Adds a frame to the end of its lane.
    pub fn push(&mut self, lane: Lane, frame: Bytes) -> Result<(), Full> {
        let queue = &mut self.lanes[lane as usize];
        if queue.max_bytes < queue.bytes + frame.len() {
            return Err(Full { lane, queued_bytes: queue.bytes, max_bytes: queue.max_bytes });
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        Ok(())
    }

    /// What goes in one turn, one after the other: all waiting votes, then one frame of each other lane, or several small ones,
    /// as far as they fit into [`MAX_TURN_BYTES`]. Empty when nothing waits.
    pub fn turn(&mut self) -> Vec<u8> {
        let mut turn = Vec::new();
        let [votes, others @ ..] = &mut self.lanes;
        while votes.move_one(&mut turn) {}
        // A vote that does not fit goes before anything else, in the next turn.
        if votes.frames.is_empty() {
            for queue in others {
                let end = turn.len() + SMALL_BYTES;
                while queue.move_one(&mut turn) && queue.frames.front().is_some_and(|next| turn.len() + next.len() <= end) {}
            }
        }
        turn
    }

    /// Bytes that wait in `lane`.
    pub fn queued_bytes(&self, lane: Lane) -> usize {
        self.lanes[lane as usize].bytes
    }

    /// Drops all but the votes; a goodbye is among them.
    pub fn keep_votes_only(&mut self) {
        self.lanes.iter_mut().skip(1).for_each(Queue::clear);
    }

    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(Queue::clear);
    }
}

impl Queue {
    /// Moves the first frame into `turn` if there is one and it fits.
    fn move_one(&mut self, turn: &mut Vec<u8>) -> bool {
        let fits = |frame: &mut Bytes| turn.len() + frame.len() <= MAX_TURN_BYTES || turn.is_empty();
        let Some(frame) = self.frames.pop_front_if(fits) else { return false };
        self.bytes -= frame.len();
        turn.extend_from_slice(&frame);
        true
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIMITS: QueueLimits = QueueLimits { votes: 1 << 20, proposals: 1 << 20, transactions: 1 << 20, bulk: 10 };

    fn queues(frames: &[(Lane, &'static str)]) -> Queues {
        let mut queues = Queues::new(&LIMITS);
        for (lane, frame) in frames {
            queues.push(*lane, Bytes::from_static(frame.as_bytes())).unwrap();
        }
        queues
    }

    #[test]
    fn a_turn_is_all_votes_then_a_little_of_each_other_lane() {
        let mut queues = queues(&[
            (Lane::Bulk, "b"),
            (Lane::Proposals, "p"),
            (Lane::Votes, "v"),
            (Lane::Proposals, "q"),
            (Lane::Transactions, "t"),
            (Lane::Votes, "w"),
        ]);
        assert_eq!(queues.turn(), b"vwpqtb");
        assert_eq!(queues.turn(), b"");
        assert!(Lane::ALL.into_iter().all(|lane| queues.queued_bytes(lane) == 0));
    }

    #[test]
    fn a_turn_has_a_limit_and_keeps_the_order_of_votes() {
        let mut queues = queues(&[]);
        let vote = |byte: u8| Bytes::from(vec![byte; 100 << 10]);
        queues.push(Lane::Votes, vote(1)).unwrap();
        queues.push(Lane::Votes, vote(2)).unwrap();
        queues.push(Lane::Proposals, vote(3).slice(..10)).unwrap();
        assert_eq!(queues.turn(), vote(1));
        assert_eq!(queues.turn(), [&vote(2)[..], &[3; 10]].concat());
    }

    #[test]
    fn small_frames_share_a_turn_and_large_ones_do_not() {
        let mut queues = queues(&[]);
        let part = |bytes: usize| Bytes::from(vec![7; bytes]);
        for bytes in [200, 1_000, SMALL_BYTES, 10] {
            queues.push(Lane::Proposals, part(bytes)).unwrap();
        }
        assert_eq!(queues.turn().len(), 1_200);
        assert_eq!(queues.turn().len(), SMALL_BYTES);
        assert_eq!(queues.turn().len(), 10);
    }

    #[test]
    fn a_part_waits_for_its_turn_and_is_never_cut() {
        let mut queues = queues(&[(Lane::Votes, "v")]);
        let part = Bytes::from(vec![3; MAX_TURN_BYTES]);
        queues.push(Lane::Proposals, part.clone()).unwrap();
        assert_eq!(queues.turn(), b"v");
        assert_eq!(queues.turn(), part);
    }

    #[test]
    fn a_full_lane_says_so_and_harms_no_other() {
        let mut queues = queues(&[(Lane::Bulk, "12345678")]);
        let full = Full { lane: Lane::Bulk, queued_bytes: 8, max_bytes: 10 };
        assert_eq!(queues.push(Lane::Bulk, Bytes::from_static(b"123")), Err(full));
        assert_eq!(queues.push(Lane::Bulk, Bytes::from_static(b"12")), Ok(()));
        assert_eq!(queues.push(Lane::Votes, Bytes::from_static(b"123")), Ok(()));
    }

    #[test]
    fn a_farewell_keeps_the_votes_only() {
        let mut queues = queues(&[(Lane::Votes, "v"), (Lane::Proposals, "p"), (Lane::Bulk, "b")]);
        queues.keep_votes_only();
        assert_eq!(queues.turn(), b"v");
        assert_eq!(queues.queued_bytes(Lane::Proposals), 0);
    }
}
