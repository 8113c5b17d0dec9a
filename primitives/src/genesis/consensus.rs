//! Consensus parameters of a network.

use std::time::Duration;

use alloy_rlp::Encodable;

/// What every validator of a network must agree on about pace and patience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsensusParameters {
    /// Shortest time between blocks. Below one second timestamps may repeat.
    pub block_interval: Duration,
    /// When idle, a block is made at least this often.
    pub empty_block_interval: Duration,
    pub timeouts: Timeouts,
}

/// Tendermint's timeouts: each grows by its delta with every round, up to the cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub propose: Duration,
    pub propose_delta: Duration,
    pub prevote: Duration,
    pub prevote_delta: Duration,
    pub precommit: Duration,
    pub precommit_delta: Duration,
    /// How long a validator waits in a round before it sends its votes again.
    pub rebroadcast: Duration,
    /// At least 60 s.
    pub cap: Duration,
}

impl Default for ConsensusParameters {
    fn default() -> Self {
        Self { block_interval: Duration::from_secs(1), empty_block_interval: Duration::from_secs(2), timeouts: Timeouts::default() }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            propose: ms(3_000),
            propose_delta: ms(500),
            prevote: ms(1_000),
            prevote_delta: ms(500),
            precommit: ms(1_000),
            precommit_delta: ms(500),
            rebroadcast: ms(1_000),
            cap: ms(60_000),
        }
    }
}

impl Timeouts {
    /// Each timeout with its key, in the order of the canonical encoding.
    pub(super) fn entries(&self) -> [(&'static str, Duration); 8] {
        [
            ("propose", self.propose),
            ("propose_delta", self.propose_delta),
            ("prevote", self.prevote),
            ("prevote_delta", self.prevote_delta),
            ("precommit", self.precommit),
            ("precommit_delta", self.precommit_delta),
            ("rebroadcast", self.rebroadcast),
            ("cap", self.cap),
        ]
    }
}

impl ConsensusParameters {
    /// All durations in milliseconds, in a fixed order.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let ms = |duration: Duration| duration.as_millis() as u64;
        let mut values = vec![ms(self.block_interval), ms(self.empty_block_interval)];
        values.extend(self.timeouts.entries().map(|(_, duration)| ms(duration)));
        values.encode(out);
    }
}
