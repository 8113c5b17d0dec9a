//! The one door for what peers do wrong and right.

use std::{fmt::Display, net::IpAddr, time::Duration};

use primitives::NodeId;
use tracing::{debug, warn};
use wire::Farewell;

use super::{
    Peer, Peers,
    conduct::{Culprit, Deed, Offence, Rudeness, Sentence, Suspect},
};

impl Peers {
    /// A peer did something wrong. Ends its session and bans it when that was too much; says whether its session ends.
    pub fn offence(&self, node: &NodeId, offence: Offence, detail: impl Display) -> bool {
        self.metrics().offence(offence.name());
        // Whoever is neither here nor just gone cannot be told from a validator.
        let Some(peer) = self.get(node).or_else(|| self.departed(node)) else { return false };
        // What it had said before it was cut is not held against it again.
        if peer.left_for().is_some() {
            return true;
        }
        let suspect = self.suspect(&peer);
        let (score, address) = (|| self.score(&peer).total(), peer.remote().map(|remote| remote.to_string()).unwrap_or_default());
        match self.conduct().judge(&suspect, offence) {
            Sentence::Noted => {
                debug!(peer = %node, offence = offence.name(), %detail, "peer offended");
                return false;
            }
            Sentence::Cut => warn!(peer = %node, address, offence = offence.name(), %detail, score = score(), "peer cut"),
            Sentence::Banned { node: long, ip } => {
                self.metrics().ban("node");
                warn!(peer = %node, address, offence = offence.name(), %detail, score = score(), banned_for = ?long, "peer cut and banned");
                ip.into_iter().for_each(|long| self.address_banned(peer.remote().map(|remote| remote.ip()), long));
            }
        }
        if peer.leave(offence.name()) {
            self.metrics().eviction(offence.name());
            self.part(&peer, offence.farewell());
        }
        true
    }

    /// Something new and good came from a peer, so many times.
    pub fn useful(&self, node: &NodeId, deed: Deed, times: u64) {
        if 0 < times {
            self.conduct().useful(*node, deed, times);
        }
    }

    /// Nobody at `culprit` has a session for so long: those that there are end.
    pub fn ban(&self, culprit: Culprit, long: Duration, reason: &str) {
        self.conduct().ban(culprit, long, reason);
        self.metrics().ban(if matches!(culprit, Culprit::Node(_)) { "node" } else { "ip" });
        warn!(%culprit, reason, banned_for = ?long, "banned by the operator");
        let is_meant = |peer: &Peer| match culprit {
            Culprit::Node(node) => peer.node() == node,
            ip => peer.remote().is_some_and(|remote| Culprit::at(remote.ip()) == ip),
        };
        for peer in self.list().iter().filter(|peer| is_meant(peer) && peer.leave("banned")) {
            self.metrics().eviction("banned");
            self.part(peer, Farewell::Banned);
        }
    }

    /// Ends a ban; says whether there was one.
    pub fn unban(&self, culprit: &Culprit) -> bool {
        self.conduct().lift(culprit)
    }

    /// Whether nobody shakes hands with whoever comes from `ip`.
    pub(super) fn is_banned_address(&self, ip: IpAddr) -> bool {
        self.conduct().banned(&Culprit::at(ip)).is_some()
    }

    /// A handshake of somebody at `ip` failed.
    pub(super) fn was_rude(&self, ip: IpAddr, rudeness: Rudeness) {
        if let Some(long) = self.conduct().was_rude(ip, rudeness, self.is_shared(ip)) {
            self.address_banned(Some(ip), long);
        }
    }

    fn address_banned(&self, ip: Option<IpAddr>, long: Duration) {
        self.metrics().ban("ip");
        let address = ip.map(|ip| Culprit::at(ip).to_string()).unwrap_or_default();
        warn!(address, banned_for = ?long, "address banned");
    }

    fn suspect(&self, peer: &Peer) -> Suspect {
        let ip = peer.remote().map(|remote| remote.ip());
        Suspect { node: peer.node(), ip, has_seat: self.has_seat(peer), is_shared: ip.is_some_and(|ip| self.is_shared(ip)) }
    }

    /// Whether somebody with a right to a seat is at this address, as far as we know.
    fn is_shared(&self, ip: IpAddr) -> bool {
        let is_there = |peer: &Peer| peer.remote().is_some_and(|remote| Culprit::at(remote.ip()) == Culprit::at(ip));
        self.is_configured_address(ip) || self.list().iter().any(|peer| is_there(peer) && self.has_seat(peer))
    }
}
