//! How much a peer may say of what does not go to consensus, by class. Far above what an honest peer says at full speed. No I/O.
//!
//! Over the limit a message is dropped, because whoever misses it asks again; who goes on as if nothing had happened is left.

use std::time::Duration;

use wire::Message;

use super::{
    bucket::{Bucket, Rate},
    quota::Verdict,
};

const MIB: u64 = 1 << 20;

/// What a message is about, as far as its cost is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// Pings, their answers, tips and proofs: small, a few a second and one for each block.
    Signs,
    /// Streams of proposed blocks.
    Parts,
    /// Transactions, and what is said about them.
    Transactions,
    /// Questions whose answers are far larger.
    Requests,
    /// Where other nodes are.
    Addresses,
    /// Decided blocks that we asked for.
    Blocks,
}

/// What one session may say in one class.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// Messages.
    messages: Rate,
    /// Bytes of their frames.
    bytes: Rate,
}

const fn allowance(messages: u64, message_burst: u64, bytes: u64, byte_burst: u64) -> Allowance {
    Allowance { messages: Rate { per_second: messages, burst: message_burst }, bytes: Rate { per_second: bytes, burst: byte_burst } }
}

impl Class {
    pub const ALL: [Self; 6] = [Self::Signs, Self::Parts, Self::Transactions, Self::Requests, Self::Addresses, Self::Blocks];

    /// The class of a message; none for what goes to consensus and has a quota of its own, and for the last word.
    pub fn of(word: &Message) -> Option<Self> {
        match word {
            Message::Consensus(_)
            | Message::CurrentRequest(_)
            | Message::StandingRequest(_)
            | Message::Standing(_)
            | Message::Evidence(_)
            | Message::Goodbye(_) => None,
            Message::Ping(_) | Message::Pong(_) | Message::Status(_) | Message::ValidatorProof(_) => Some(Self::Signs),
            Message::PartsStart(_) | Message::Part(_) => Some(Self::Parts),
            Message::Transactions(_) | Message::HaveTransactions(_) | Message::GetTransactions(_) => Some(Self::Transactions),
            Message::GetParts(_) | Message::GetBlocks(_) => Some(Self::Requests),
            Message::GetAddrs(_) | Message::Addrs(_) => Some(Self::Addresses),
            Message::BlockChunk(_) => Some(Self::Blocks),
        }
    }

    /// The word for it in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signs => "flood_signs",
            Self::Parts => "flood_parts",
            Self::Transactions => "flood_transactions",
            Self::Requests => "flood_requests",
            Self::Addresses => "flood_addresses",
            Self::Blocks => "flood_blocks",
        }
    }

    /// Of peers with a right to a seat. A validator may stream several of the largest blocks (32 MiB, 560 parts) in one breath, and
    /// its link one after the other at 1 Gbit/s; tips come with each block, and blocks come 100 times a second at the very most.
    const fn seated(self) -> Allowance {
        match self {
            Self::Signs => allowance(1_024, 4_096, MIB, 4 * MIB),
            Self::Parts => allowance(8_192, 32_768, 128 * MIB, 512 * MIB),
            // Each in a message of its own, at several times the speed that four validators decide them with.
            Self::Transactions => allowance(32_768, 65_536, 128 * MIB, 512 * MIB),
            Self::Requests => allowance(512, 2_048, 4 * MIB, 16 * MIB),
            Self::Addresses => allowance(16, 128, MIB, 4 * MIB),
            Self::Blocks => allowance(16_384, 65_536, 256 * MIB, 2_048 * MIB),
        }
    }

    /// Of strangers: a full node that follows and passes on what its users send. Blocks are limited by what we ask for: 32 of
    /// 33 MiB at a time, so that the limit guards against those that nobody asked for.
    const fn strange(self) -> Allowance {
        match self {
            Self::Signs => allowance(256, 1_024, MIB / 4, MIB),
            Self::Parts => allowance(512, 2_048, 16 * MIB, 80 * MIB),
            Self::Transactions => allowance(1_024, 4_096, 4 * MIB, 16 * MIB),
            Self::Requests => allowance(128, 512, MIB, 4 * MIB),
            Self::Addresses => allowance(8, 64, MIB / 4, MIB),
            Self::Blocks => allowance(8_192, 32_768, 64 * MIB, 1_536 * MIB),
        }
    }
}

/// One class of one session.
#[derive(Clone, Debug)]
struct Meter {
    messages: Bucket,
    bytes: Bucket,
    /// How much more may be dropped before the peer is left: as much again.
    spare_messages: Bucket,
    spare_bytes: Bucket,
}

impl Meter {
    fn new(allowance: Allowance) -> Self {
        let (messages, bytes) = (Bucket::new(allowance.messages), Bucket::new(allowance.bytes));
        Self { spare_messages: messages.clone(), spare_bytes: bytes.clone(), messages, bytes }
    }

    fn judge(&mut self, bytes: u64, now: Duration) -> Verdict {
        if self.messages.has(1, now) && self.bytes.has(bytes, now) {
            self.messages.take(1, now);
            self.bytes.take(bytes, now);
            return Verdict::Deliver;
        }
        let is_patient = self.spare_messages.take(1, now) && self.spare_bytes.take(bytes, now);
        if is_patient { Verdict::Drop } else { Verdict::Leave }
    }
}

/// All classes of one session.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    has_seat: bool,
    meters: [Meter; Class::ALL.len()],
}

impl Meters {
    pub fn new(has_seat: bool) -> Self {
        let allowance = |class: Class| if has_seat { class.seated() } else { class.strange() };
        Self { has_seat, meters: Class::ALL.map(|class| Meter::new(allowance(class))) }
    }

    /// One more message of so many bytes, by a peer with a right to a seat or without.
    pub fn judge(&mut self, class: Class, bytes: usize, has_seat: bool, now: Duration) -> Verdict {
        if has_seat != self.has_seat {
            *self = Self::new(has_seat);
        }
        self.meters[class as usize].judge(bytes as u64, now)
    }
}

#[cfg(test)]
mod tests {
    use primitives::limits::{MAX_BODY_BYTES, MAX_CHUNK_BYTES};

    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    /// How many of so many messages at one moment are delivered, dropped and one too many.
    fn say(meters: &mut Meters, class: Class, bytes: usize, count: usize, has_seat: bool, now: Duration) -> [usize; 3] {
        let verdicts: Vec<_> = (0..count).map(|_| meters.judge(class, bytes, has_seat, now)).collect();
        [Verdict::Deliver, Verdict::Drop, Verdict::Leave].map(|wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count())
    }

    #[test]
    fn over_the_limit_words_are_lost_and_far_over_it_the_peer() {
        let mut meters = Meters::new(false);
        assert_eq!(say(&mut meters, Class::Requests, 100, 2_000, false, NOW), [512, 512, 976]);
        assert_eq!(say(&mut meters, Class::Signs, 100, 1_000, false, NOW), [1_000, 0, 0], "each class has its own");
        assert_eq!(say(&mut meters, Class::Requests, 100, 200, false, NOW + Duration::from_secs(1)), [128, 72, 0]);
    }

    #[test]
    fn bytes_count_as_well_as_messages() {
        let mut meters = Meters::new(false);
        let [delivered, dropped, too_many] = say(&mut meters, Class::Transactions, 64 << 10, 1_000, false, NOW);
        assert_eq!([delivered, dropped, too_many], [256, 256, 488]);
    }

    #[test]
    fn a_validator_may_stream_the_largest_block_again_and_again() {
        let (mut meters, parts) = (Meters::new(true), MAX_BODY_BYTES / MAX_CHUNK_BYTES + 1);
        for tenth in 0..100 {
            let now = NOW + Duration::from_millis(260 * tenth);
            assert_eq!(say(&mut meters, Class::Parts, MAX_CHUNK_BYTES + 200, parts, true, now), [parts, 0, 0], "block {tenth}");
        }
    }

    #[test]
    fn transactions_at_full_speed_each_for_itself_are_all_taken() {
        let mut meters = Meters::new(true);
        for second in 0..60 {
            assert_eq!(say(&mut meters, Class::Transactions, 300, 20_000, true, NOW + Duration::from_secs(second)), [20_000, 0, 0]);
        }
    }

    #[test]
    fn a_stranger_may_send_all_blocks_that_were_asked_of_it() {
        let chunks = 32 * (MAX_BODY_BYTES / MAX_CHUNK_BYTES + 1);
        assert_eq!(say(&mut Meters::new(false), Class::Blocks, MAX_CHUNK_BYTES + 200, chunks, false, NOW), [chunks, 0, 0]);
    }

    #[test]
    fn who_proves_to_be_a_validator_has_the_quota_of_one() {
        let mut meters = Meters::new(false);
        say(&mut meters, Class::Parts, 100, 4_000, false, NOW);
        assert_eq!(say(&mut meters, Class::Parts, 100, 4_000, true, NOW), [4_000, 0, 0]);
    }
}
