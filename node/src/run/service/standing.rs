//! How a process stands, in one line.

use std::fmt;

use api::Signing;

use crate::{boot::Seen, terminal::Progress};

/// What `systemctl status` shows of a process that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub nodes: usize,
    pub height: u64,
    pub round: u32,
    pub peers: usize,
    /// Whether the key signs, and why not; none where each process of a network has its own.
    pub signing: Option<(Signing, String)>,
}

impl Standing {
    /// That of the node that is furthest.
    pub fn of(nodes: &[Seen]) -> Self {
        let tip = |node: &Seen| node.ledger.tip().unwrap_or_default();
        let best = nodes.iter().max_by_key(|node| tip(node));
        let consensus = best.map(|node| node.consensus.seen());
        Self {
            nodes: nodes.len(),
            height: best.map_or(0, |node| tip(node).0),
            round: consensus.as_ref().map_or(0, |seen| seen.round.0),
            peers: best.map_or(0, |node| node.peers.list().len()),
            signing: consensus.map(|seen| (seen.signing, seen.why.clone())),
        }
    }

    /// That of a network of processes, of which the furthest shows `progress`.
    pub fn of_processes(nodes: usize, progress: &Progress) -> Self {
        Self { nodes, height: progress.height, round: progress.round, peers: progress.peers, signing: None }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, height, round, peers, signing } = self;
        if *nodes > 1 {
            write!(f, "{nodes} nodes: ")?;
        }
        write!(f, "height {height} round {round}, {peers} {}", if *peers == 1 { "peer" } else { "peers" })?;
        match signing {
            None => Ok(()),
            Some((Signing::Enabled, _)) => f.write_str(", signing"),
            Some((Signing::None, _)) => f.write_str(", follows without a key"),
            Some((_, why)) => write!(f, ", not signing: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_one_line() {
        let standing = |nodes, peers, signing| Standing { nodes, height: 12, round: 1, peers, signing }.to_string();
        assert_eq!(standing(1, 3, Some((Signing::Enabled, String::new()))), "height 12 round 1, 3 peers, signing");
        assert_eq!(standing(1, 1, Some((Signing::None, String::new()))), "height 12 round 1, 1 peer, follows without a key");
        assert_eq!(standing(1, 0, Some((Signing::Observing, "no record".into()))), "height 12 round 1, 0 peers, not signing: no record");
        assert_eq!(standing(4, 3, None), "4 nodes: height 12 round 1, 3 peers");
    }
}
