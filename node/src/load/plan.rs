//! What is to be sent, and when. Plain values.

use std::{str::FromStr, time::Duration};

use serde::{Serialize, Serializer};

/// How fast transactions leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// The clock decides: so many a second, whatever becomes of them.
    PerSecond(f64),
    /// The network decides: the next leaves when an earlier one is final.
    Max,
}

/// What each transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One wei to the next account
    Transfer,
    /// One unit of a fresh ERC-20 token to the next account
    Erc20,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rate: Rate,
    pub duration: Duration,
    pub kind: Kind,
    pub accounts: usize,
    /// How many others receive, in turn; none: each sender's neighbour receives.
    pub recipients: Option<u64>,
    /// Transactions in one request.
    pub batch: usize,
    /// Requests without an answer at a time.
    pub in_flight: usize,
    /// At rate `max`, transactions that left and are not final.
    pub window: usize,
    /// How long to wait at the end for what is not final.
    pub settle: Duration,
    /// The most a transaction pays, in wei per gas; otherwise it follows the base fee.
    pub fee_cap: Option<u128>,
}

/// At a given rate, as many may wait to become final: the memory of a run is bounded by this.
const MAX_WAITING: usize = 1 << 20;
/// For how many transactions a second accounts are funded when the rate is `max`.
const FUNDED_RATE: f64 = 5_000.0;

impl Plan {
    /// How many transactions leave in all; none when the network decides.
    pub fn total(&self) -> Option<u64> {
        match self.rate {
            Rate::PerSecond(rate) => Some(((rate * self.duration.as_secs_f64()) as u64).max(1)),
            Rate::Max => None,
        }
    }

    /// Whether everything leaves with requests before number `request`; never when the network decides.
    pub fn is_done_before(&self, request: u64) -> bool {
        self.total().is_some_and(|total| total <= request * self.batch as u64)
    }

    /// When request number `request` is due, from the start; none when the network decides.
    pub fn departure(&self, request: u64) -> Option<Duration> {
        match self.rate {
            Rate::PerSecond(rate) => Some(Duration::from_secs_f64((request * self.batch as u64) as f64 / rate)),
            Rate::Max => None,
        }
    }

    /// How many transactions may wait to become final.
    pub fn max_waiting(&self) -> usize {
        match self.rate {
            Rate::PerSecond(_) => MAX_WAITING,
            Rate::Max => self.window.max(self.batch),
        }
    }

    /// How many transactions each account has to pay for.
    pub fn transactions_per_account(&self) -> u64 {
        let total = self.total().unwrap_or((FUNDED_RATE * self.duration.as_secs_f64()) as u64 + self.window as u64);
        total.div_ceil(self.accounts as u64) + self.batch as u64
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let highest = 1_000_000.0;
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(rate) if 0.0 < rate && rate <= highest => Ok(Self::PerSecond(rate)),
            _ => Err(format!("write transactions a second, above 0 and at most {highest}, or max for as many as become final")),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::PerSecond(rate) => serializer.serialize_f64(*rate),
            Self::Max => serializer.serialize_str("max"),
        }
    }
}

/// Who signs which transaction, and where it goes.
///
/// Requests take turns at the nodes. Every account stays with one node, so that its transactions arrive there in order.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub nodes: usize,
    pub accounts: usize,
    pub batch: usize,
}

impl Order {
    /// The node of request number `request`.
    pub fn node(&self, request: u64) -> usize {
        (request % self.nodes as u64) as usize
    }

    /// The account of transaction number `number`, and how many that account has sent before.
    pub fn signer(&self, number: u64) -> (usize, u64) {
        let (nodes, batch) = (self.nodes as u64, self.batch as u64);
        let request = number / batch;
        let node = request % nodes;
        let at_node = request / nodes * batch + number % batch;
        let accounts = (self.accounts as u64 - node).div_ceil(nodes);
        ((node + nodes * (at_node % accounts)) as usize, at_node / accounts)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn plan(rate: Rate) -> Plan {
        let duration = Duration::from_secs(2);
        Plan {
            rate,
            duration,
            kind: Kind::Transfer,
            accounts: 10,
            recipients: None,
            batch: 1,
            in_flight: 8,
            window: 100,
            settle: duration,
            fee_cap: None,
        }
    }

    #[test]
    fn at_a_rate_the_clock_says_how_many_leave_and_when() {
        let plan = plan(Rate::PerSecond(250.0));
        assert_eq!((plan.total(), plan.departure(0), plan.departure(250)), (Some(500), Some(Duration::ZERO), Some(Duration::from_secs(1))));
        let batched = Plan { batch: 50, ..plan };
        assert_eq!(batched.departure(5), Some(Duration::from_secs(1)), "five batches of fifty before it");
        assert_eq!((batched.is_done_before(9), batched.is_done_before(10)), (false, true));
        let large = Plan { batch: 1_000, ..batched };
        assert!(large.is_done_before(1) && !large.is_done_before(0), "one batch takes all, and the next is due much later");
        assert_eq!(Plan { rate: Rate::PerSecond(0.1), ..large }.total(), Some(1), "one at least");
    }

    #[test]
    fn at_max_nothing_is_due_and_the_window_is_the_limit() {
        let plan = plan(Rate::Max);
        assert_eq!((plan.total(), plan.departure(9), plan.max_waiting()), (None, None, 100));
        assert_eq!(Plan { batch: 200, ..plan }.max_waiting(), 200, "one batch always fits");
    }

    #[test]
    fn a_rate_is_a_positive_number_or_max() {
        assert_eq!((Rate::from_str("2.5"), Rate::from_str("max")), (Ok(Rate::PerSecond(2.5)), Ok(Rate::Max)));
        for text in ["0", "-1", "NaN", "inf", "1e9", "fast", ""] {
            assert!(Rate::from_str(text).unwrap_err().contains("above 0"), "{text}");
        }
    }

    #[test]
    fn every_account_stays_with_its_node_and_its_nonces_have_no_gap() {
        for (nodes, accounts, batch) in [(1, 1, 1), (1, 10, 1), (3, 10, 1), (4, 4, 7), (2, 5, 100), (3, 100, 10)] {
            let order = Order { nodes, accounts, batch };
            let mut sent = vec![0; accounts];
            for number in 0..5_000 {
                let (account, before) = order.signer(number);
                assert_eq!(account % nodes, order.node(number / batch as u64), "{order:?}, {number}");
                assert_eq!(before, sent[account], "{order:?}, {number}");
                sent[account] += 1;
            }
            assert!(sent.iter().all(|sent| 0 < *sent), "{order:?}: {sent:?}");
        }
    }
}
