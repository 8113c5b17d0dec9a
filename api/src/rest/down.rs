//! What is down, for whoever was not answered because of it.

use supervision::{ChildState, Snapshot};

/// The actors of the tree that do not run, each with its state: `storage restarting, mempool suspended`; none when all run. Actors that
/// others own, as sessions, come and go.
pub(super) fn down(snapshot: &Snapshot) -> Option<String> {
    let actors = snapshot.children.iter().filter(|child| child.parent.is_none() && child.state != ChildState::Running);
    let words: Vec<String> = actors.map(|child| format!("{} {}", child.name, format!("{:?}", child.state).to_lowercase())).collect();
    (!words.is_empty()).then(|| words.join(", "))
}
