//! Questions of other validators that the host has not answered yet.

use std::collections::BTreeMap;

use primitives::NodeId;

/// Questions that wait at the same time; the oldest gives way.
const MAX_QUESTIONS: usize = 1_024;

/// Who asked what, by the number under which the host knows it.
#[derive(Debug, Default)]
pub struct Questions {
    next: u64,
    open: BTreeMap<u64, (NodeId, u64)>,
}

impl Questions {
    /// `peer` asked; `nonce` goes back with the answer.
    pub fn ask(&mut self, peer: NodeId, nonce: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open.insert(number, (peer, nonce));
        if MAX_QUESTIONS < self.open.len() {
            self.open.pop_first();
        }
        number
    }

    /// Whom to answer, and with which nonce.
    pub fn answer(&mut self, number: u64) -> Option<(NodeId, u64)> {
        self.open.remove(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_is_answered_once_and_to_whom_asked_it() {
        let mut questions = Questions::default();
        let peer = NodeId(primitives::Address::repeat_byte(1));
        let number = questions.ask(peer, 7);
        assert_eq!(questions.answer(number), Some((peer, 7)));
        assert_eq!(questions.answer(number), None);
    }

    #[test]
    fn a_flood_of_questions_keeps_the_newest() {
        let mut questions = Questions::default();
        let peer = NodeId(primitives::Address::ZERO);
        let numbers: Vec<u64> = (0..=MAX_QUESTIONS as u64).map(|nonce| questions.ask(peer, nonce)).collect();
        assert_eq!(questions.answer(numbers[0]), None);
        assert_eq!(questions.answer(numbers[1]), Some((peer, 1)));
    }
}
