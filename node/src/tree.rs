//! The drawing of the supervision tree, as data.
//!
//! ```text
//!   storage ─┬─ execution ── mempool
//!            ├─ proposals
//!            ├─ p2p.store
//!            ├─ p2p.gossip ── p2p.listener, p2p.dialer ─ ─ sync, evidence ─ ─ consensus
//!   signer ──┴──────────────────────────────────────────────────────┘
//!   api      after everybody; stays when they restart
//! ```
//!
//! Those of `p2p` are a group: when one of them has spent its restarts, all begin anew before the node gives up.
//!
//! *Needs*: stops or suspends when that one is down, and comes back after it. *After*: order only. Adding an actor is one
//! folder, one `pub mod` line and one row here.

use supervision::ChildSpec;

/// One child and its edges.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub needs: &'static [&'static str],
    pub after: &'static [&'static str],
}

/// Every child of a node.
pub const ROWS: &[Row] = &[
    Row { name: "storage", needs: &[], after: &[] },
    Row { name: "signer", needs: &[], after: &[] },
    Row { name: "mempool", needs: &["storage"], after: &[] },
    Row { name: "proposals", needs: &["storage"], after: &[] },
    Row { name: "execution", needs: &["storage"], after: &["mempool", "proposals"] },
    Row { name: "p2p.gossip", needs: &[], after: &["storage"] },
    Row { name: "p2p.listener", needs: &[], after: &[] },
    Row { name: "p2p.dialer", needs: &[], after: &[] },
    Row { name: "p2p.store", needs: &["storage"], after: &["p2p.gossip"] },
    Row { name: "sync", needs: &["storage"], after: &["p2p.gossip"] },
    Row { name: "evidence", needs: &["storage"], after: &["p2p.gossip"] },
    Row { name: "consensus", needs: &["signer"], after: &["execution", "mempool", "proposals", "p2p.gossip", "sync", "evidence"] },
    Row { name: "api", needs: &[], after: &["consensus"] },
];

/// Gives the child called `name` its edges.
pub fn place(name: &str, spec: ChildSpec) -> ChildSpec {
    match ROWS.iter().find(|row| row.name == name) {
        Some(row) => spec.needs(row.needs).after(row.after),
        None => spec,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_leads_to_a_row() {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        for edge in ROWS.iter().flat_map(|row| row.needs.iter().chain(row.after)) {
            assert!(names.contains(edge), "{edge} has no row");
        }
    }

    #[test]
    fn the_actors_of_the_p2p_part_have_rows() {
        for name in actors::p2p::CHILDREN {
            assert!(ROWS.iter().any(|row| row.name == name), "{name} has no row");
        }
    }
}
