//! What should move while a node runs. When it does not, an event and the snapshot say so; nobody is restarted for it.
//!
//! | actor        | probe     | moves with                        | expected to move                |
//! |--------------|-----------|-----------------------------------|---------------------------------|
//! | `consensus`  | `height`  | each decided block                | always                          |
//! | `sync`       | `height`  | each block that is caught up with | while behind the best peer      |
//! | `p2p.dialer` | `peers`   | somebody who is connected         | while nobody is and some should |

use std::time::Duration;

use actors::{heads::Heads, ledger::Ledger, p2p::Peers, sync::SyncView};
use primitives::Genesis;
use supervision::ChildSpec;

/// Without a block for this long beyond the pace, a chain stands still.
const STILL: Duration = Duration::from_secs(5);
/// Without progress for this long, catching up stands still.
const SYNC_STILL: Duration = Duration::from_secs(10);
/// Without any peer for this long, a node is alone.
const ALONE: Duration = Duration::from_secs(15);
/// From this many heights behind a node is to catch up; fewer are the next blocks on their way.
const BEHIND_FROM: u64 = 3;

pub fn height(spec: ChildSpec, heads: &Heads, genesis: &Genesis) -> ChildSpec {
    let heights = heads.heights();
    spec.probe("height", genesis.consensus.empty_block_interval + STILL, move || Some(heights.borrow().0))
}

pub fn catching_up(spec: ChildSpec, ledger: &Ledger, sync: &SyncView) -> ChildSpec {
    let (ledger, sync) = (ledger.clone(), sync.clone());
    spec.probe("height", SYNC_STILL, move || {
        let tip = ledger.tip().ok()?;
        (BEHIND_FROM <= sync.behind(tip)).then_some(tip.0)
    })
}

/// `others`: how many validators there are beside this node.
pub fn company(spec: ChildSpec, peers: &Peers, others: usize) -> ChildSpec {
    let peers = peers.clone();
    spec.probe("peers", ALONE, move || (0 < others && peers.list().is_empty()).then_some(0))
}
