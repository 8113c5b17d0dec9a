//! What is known of one node.

use std::time::Duration;

use primitives::{Address, NodeId};
use serde::{Deserialize, Serialize};
use wire::AddressRecord;

use super::Range;

/// The wait after the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two attempts to reach a node.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest wait for a node that speaks for a validator.
const LONGEST_WAIT_FOR_VALIDATOR: Duration = Duration::from_secs(2);

/// One node of the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it says that it is; believed.
    pub record: AddressRecord,
    /// Who told us; the node itself, as often as not.
    pub teller: NodeId,
    /// Whether we have ever reached it there. Others cannot make us forget such a node.
    pub is_tried: bool,
    /// The validator that it has proved to speak for.
    pub validator: Option<Address>,
    /// The operator gave it to us.
    pub is_given: bool,
    /// When there was last a session with it, in milliseconds since the Unix epoch; 0: never.
    pub last_seen_ms: u64,
    /// Failures since the last session that lasted.
    pub attempts: u32,
    /// When it may be dialled again.
    #[serde(skip)]
    pub next_ms: u64,
}

impl Entry {
    pub(super) fn new(record: AddressRecord, teller: NodeId) -> Self {
        Self { record, teller, is_tried: false, validator: None, is_given: false, last_seen_ms: 0, attempts: 0, next_ms: 0 }
    }

    pub fn node(&self) -> NodeId {
        self.record.node()
    }

    pub fn range(&self) -> Range {
        Range::of(self.record.address.ip())
    }

    /// Whether its place is kept, whoever else comes.
    pub fn is_reserved(&self) -> bool {
        self.validator.is_some() || self.is_given
    }

    /// Whether it may be dialled now. A clock that was put back makes nobody wait longer.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        let latest = now_ms + LONGEST_WAIT.as_millis() as u64;
        self.next_ms <= now_ms || latest < self.next_ms
    }

    /// An attempt failed; `jitter` in `[0, 1)` takes up to half of the wait away.
    pub(super) fn failed(&mut self, now_ms: u64, jitter: f64) {
        self.attempts = self.attempts.saturating_add(1);
        let cap = if self.validator.is_some() { LONGEST_WAIT_FOR_VALIDATOR } else { LONGEST_WAIT };
        let doubled = FIRST_WAIT.saturating_mul(1 << (self.attempts - 1).min(16));
        self.next_ms = now_ms + doubled.min(cap).mul_f64(0.5 + 0.5 * jitter).as_millis() as u64;
    }

    /// How little is lost with it: more for those who fail, and then for those not seen for long.
    pub(super) fn dispensability(&self) -> (u32, u64, NodeId) {
        (self.attempts, u64::MAX - self.last_seen_ms, self.node())
    }
}
