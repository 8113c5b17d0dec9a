//! Whom to dial, and when. No I/O; time is what the caller says it is.

use std::time::Duration;

use primitives::{NodeId, PeerAddress};

use super::super::Redial;

/// The configured peers and how reaching them went.
#[derive(Debug)]
pub(super) struct Targets {
    list: Vec<Target>,
    redial: Redial,
}

#[derive(Debug)]
struct Target {
    address: PeerAddress,
    /// Who lives there, once known.
    node: Option<NodeId>,
    failures: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be dialled at this time.
    Waiting(Duration),
    Dialling,
    /// Connected since then.
    Connected(Duration),
    /// It is this node itself.
    Us,
}

impl Targets {
    pub fn new(peers: Vec<PeerAddress>, redial: Redial) -> Self {
        let target = |address: PeerAddress| {
            let node = address.node;
            Target { address, node, failures: 0, phase: Phase::Waiting(Duration::ZERO) }
        };
        Self { list: peers.into_iter().map(target).collect(), redial }
    }

    /// The operator wants this one now: it is dialled at the next look, whatever happened before, and for ever.
    pub fn want(&mut self, address: PeerAddress) {
        let now = Phase::Waiting(Duration::ZERO);
        match self.list.iter_mut().find(|target| target.address == address) {
            Some(target) if matches!(target.phase, Phase::Waiting(_)) => (target.phase, target.failures) = (now, 0),
            Some(_) => {}
            None => self.list.push(Target { node: address.node, address, failures: 0, phase: now }),
        }
    }

    /// Whether it is one of these, as far as is known.
    pub fn has(&self, node: &NodeId) -> bool {
        self.list.iter().any(|target| target.node.as_ref() == Some(node))
    }

    /// Those to dial now, with their index. They count as being dialled until [`Targets::reached`] or [`Targets::failed`].
    /// `jitter` gives numbers in `[0, 1)`.
    pub fn due(&mut self, now: Duration, is_connected: impl Fn(&NodeId) -> bool, mut jitter: impl FnMut() -> f64) -> Vec<(usize, PeerAddress)> {
        let mut due = Vec::new();
        for (index, target) in self.list.iter_mut().enumerate() {
            target.look(now, target.node.as_ref().is_some_and(&is_connected), &self.redial, &mut jitter);
            if matches!(target.phase, Phase::Waiting(until) if until <= now) {
                target.phase = Phase::Dialling;
                due.push((index, target.address.clone()));
            }
        }
        due
    }

    /// `node` lives there and there is a session with it.
    pub fn reached(&mut self, index: usize, node: NodeId, now: Duration) {
        if let Some(target) = self.list.get_mut(index) {
            target.node = Some(node);
            target.phase = Phase::Connected(now);
        }
    }

    /// An attempt failed. Says how often in a row, and how long to wait.
    pub fn failed(&mut self, index: usize, now: Duration, jitter: f64) -> (u32, Duration) {
        let Some(target) = self.list.get_mut(index) else { return (0, Duration::ZERO) };
        target.retry(now, &self.redial, jitter)
    }

    /// Where that peer is said to be.
    pub fn address(&self, index: usize) -> Option<&PeerAddress> {
        self.list.get(index).map(|target| &target.address)
    }

    /// It is our own address.
    pub fn is_us(&mut self, index: usize) {
        if let Some(target) = self.list.get_mut(index) {
            target.phase = Phase::Us;
        }
    }
}

impl Target {
    /// Compares what we believe with what is.
    fn look(&mut self, now: Duration, is_connected: bool, redial: &Redial, jitter: &mut impl FnMut() -> f64) {
        match (self.phase, is_connected) {
            (Phase::Waiting(_), true) => self.phase = Phase::Connected(now),
            (Phase::Connected(since), true) if since + redial.stable <= now => self.failures = 0,
            (Phase::Connected(since), false) if since + redial.stable <= now => self.phase = Phase::Waiting(now),
            (Phase::Connected(_), false) => {
                self.retry(now, redial, jitter());
            }
            _ => {}
        }
    }

    fn retry(&mut self, now: Duration, redial: &Redial, jitter: f64) -> (u32, Duration) {
        self.failures = self.failures.saturating_add(1);
        let doublings = (self.failures - 1).min(16);
        let wait = redial.first.saturating_mul(1 << doublings).min(redial.cap).mul_f64(0.5 + 0.5 * jitter);
        self.phase = Phase::Waiting(now + wait);
        (self.failures, wait)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::Address;

    use super::*;

    const NODE: NodeId = NodeId(Address::repeat_byte(1));

    fn targets() -> Targets {
        Targets::new(vec!["10.0.0.1:4130".parse().unwrap()], Redial::VALIDATOR)
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn is_due(targets: &mut Targets, now: Duration, is_connected: bool) -> bool {
        !targets.due(now, |_| is_connected, || 0.999).is_empty()
    }

    #[test]
    fn a_peer_is_dialled_at_once_and_only_once_at_a_time() {
        let mut targets = targets();
        assert!(is_due(&mut targets, secs(0), false));
        assert!(!is_due(&mut targets, secs(100), false));
    }

    #[test]
    fn waits_double_up_to_the_cap_for_ever() {
        let mut targets = targets();
        let waits: Vec<u128> = (0..40).map(|_| targets.failed(0, secs(0), 1.0).1.as_millis()).collect();
        assert_eq!(waits[..7], [50, 100, 200, 400, 800, 1_600, 2_000]);
        assert!(waits[7..].iter().all(|wait| *wait == 2_000));
        assert!(!is_due(&mut targets, secs(1), false));
        assert!(is_due(&mut targets, secs(2), false));
    }

    #[test]
    fn jitter_shortens_a_wait_by_up_to_half() {
        assert_eq!(targets().failed(0, secs(0), 0.0).1, Duration::from_millis(25));
    }

    #[test]
    fn a_peer_that_is_connected_is_left_alone_and_dialled_again_when_it_is_lost() {
        let mut targets = targets();
        assert!(is_due(&mut targets, secs(0), false));
        targets.reached(0, NODE, secs(0));
        assert!(!is_due(&mut targets, secs(61), true));
        assert!(is_due(&mut targets, secs(62), false));
    }

    #[test]
    fn a_session_that_did_not_last_counts_as_a_failure() {
        let mut targets = targets();
        for second in 0..20 {
            targets.due(secs(10 * second), |_| false, || 0.999);
            targets.reached(0, NODE, secs(10 * second));
            assert!(!is_due(&mut targets, secs(10 * second) + Duration::from_millis(10), false), "after {second} sessions");
        }
    }

    #[test]
    fn a_peer_that_came_to_us_is_not_dialled() {
        let mut targets = Targets::new(vec![format!("{NODE}@10.0.0.1:4130").parse().unwrap()], Redial::VALIDATOR);
        assert!(!is_due(&mut targets, secs(0), true));
    }

    #[test]
    fn whom_the_operator_wants_is_dialled_at_once_whatever_happened_before() {
        let mut targets = targets();
        (0..9).for_each(|_| _ = targets.failed(0, secs(0), 1.0));
        assert!(!is_due(&mut targets, secs(1), false));
        targets.want("10.0.0.1:4130".parse().unwrap());
        assert!(is_due(&mut targets, secs(1), false));
        targets.want(format!("{NODE}@10.0.0.2:4130").parse().unwrap());
        assert!(targets.has(&NODE) && is_due(&mut targets, secs(1), false));
    }

    #[test]
    fn our_own_address_is_dialled_once() {
        let mut targets = targets();
        assert!(is_due(&mut targets, secs(0), false));
        targets.is_us(0);
        assert!(!is_due(&mut targets, secs(1_000), false));
    }
}
