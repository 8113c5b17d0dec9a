//! Who is connected and who is kept out, as operators see it.

use std::collections::HashMap;

use api::{BanStatus, Direction, PeerLimits, PeerStatus, PeersPage, QueuedBytes, ScoreParts, Volume};
use wire::{Lane, Role};

use super::Sources;
use crate::p2p::{Culprit, Peer, Traffic};

/// The body of `GET /v1/peers`.
pub(super) fn page(sources: &Sources) -> PeersPage {
    let peers = sources.peers.list();
    let statuses = peers.iter().map(|peer| status(sources, peer)).collect();
    let banned = sources.peers.conduct().bans().into_iter().map(|(ban, left)| BanStatus {
        who: ban.culprit.to_string(),
        seconds_left: left.as_secs(),
        reason: ban.reason,
        by_operator: ban.is_by_operator,
        times: ban.times.into(),
    });
    PeersPage { peers: statuses, banned: banned.collect(), limits: limits(sources, &peers) }
}

fn status(sources: &Sources, peer: &Peer) -> PeerStatus {
    let (record, parts) = (sources.peers.conduct().record(&peer.node()), sources.peers.score(peer));
    let queued = |lane| peer.queued_bytes(lane) as u64;
    PeerStatus {
        id: peer.node().to_string(),
        address: peer.remote().map(|address| address.to_string()).unwrap_or_default(),
        direction: if peer.role() == Role::Dialler { Direction::Outbound } else { Direction::Inbound },
        validator: peer.validator(),
        configured: peer.is_configured(),
        height: sources.sync.tip_of(&peer.node()),
        rtt_ms: peer.round_trip().map(|round_trip| round_trip.as_millis() as u64),
        clock_offset_ms: peer.clock_offset_ms(),
        connected_seconds: sources.clock.monotonic().saturating_sub(peer.since()).as_secs(),
        queued_bytes: QueuedBytes {
            votes: queued(Lane::Votes),
            proposals: queued(Lane::Proposals),
            transactions: queued(Lane::Transactions),
            bulk: queued(Lane::Bulk),
        },
        inbound: volume(peer.inbound()),
        outbound: volume(peer.outbound()),
        score: parts.total(),
        score_parts: ScoreParts { latency: parts.latency, usefulness: parts.usefulness, uptime: parts.uptime, offences: parts.offences },
        offences: record.offences().iter().map(|(offence, count)| (offence.name().to_owned(), *count)).collect(),
    }
}

fn volume(Traffic { messages, bytes }: Traffic) -> Volume {
    Volume { messages, bytes }
}

fn limits(sources: &Sources, peers: &[Peer]) -> PeerLimits {
    let (count, most) = (|is: &dyn Fn(&Peer) -> bool| peers.iter().filter(|peer| is(peer)).count() as u64, sources.peers.limits());
    let mut at: HashMap<Culprit, u64> = HashMap::new();
    for remote in peers.iter().filter(|peer| peer.role() == Role::Acceptor).filter_map(Peer::remote) {
        *at.entry(Culprit::at(remote.ip())).or_default() += 1;
    }
    PeerLimits {
        inbound: count(&|peer| peer.role() == Role::Acceptor),
        outbound: count(&|peer| peer.role() == Role::Dialler),
        strangers: count(&|peer| !sources.peers.has_seat(peer)),
        max_strangers: most.max_strangers as u64,
        most_per_ip: at.into_values().max().unwrap_or_default(),
        max_per_ip: most.max_per_ip as u64,
    }
}
