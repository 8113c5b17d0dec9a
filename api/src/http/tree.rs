//! The supervision tree as a tree: children under their parents.

use serde::Serialize;
use std::collections::BTreeMap;
use supervision::{ChildSnapshot, Snapshot};

/// Names that are told to somebody who asked for one that is not there.
const MAX_NEARBY: usize = 5;
/// Letters in common at the beginning that make two names neighbours.
const NEARBY_FROM: usize = 2;

/// A whole tree.
#[derive(Debug, Serialize)]
pub(super) struct Tree {
    name: String,
    children: Vec<Branch>,
}

/// A child and those that it owns.
#[derive(Debug, Serialize)]
pub(super) struct Branch {
    #[serde(flatten)]
    child: ChildSnapshot,
    children: Vec<Branch>,
}

type Owned = BTreeMap<String, Vec<ChildSnapshot>>;

impl From<Snapshot> for Tree {
    fn from(snapshot: Snapshot) -> Self {
        let (mut top, mut owned) = (Vec::new(), Owned::new());
        for child in snapshot.children {
            match &child.parent {
                None => top.push(child),
                Some(parent) => owned.entry(parent.clone()).or_default().push(child),
            }
        }
        let mut children: Vec<Branch> = top.into_iter().map(|child| branch(child, &mut owned)).collect();
        // A snapshot is no single moment: whose parent was gone already stands by itself.
        while let Some((_, orphans)) = owned.pop_first() {
            children.extend(orphans.into_iter().map(|child| branch(child, &mut owned)));
        }
        Self { name: snapshot.name, children }
    }
}

fn branch(child: ChildSnapshot, owned: &mut Owned) -> Branch {
    let children = owned.remove(&child.name).unwrap_or_default();
    Branch { children: children.into_iter().map(|child| branch(child, owned)).collect(), child }
}

impl Tree {
    /// The child called `name` with all below it.
    pub fn find(self, name: &str) -> Option<Branch> {
        let mut rest = self.children;
        while let Some(branch) = rest.pop() {
            if branch.child.name == name {
                return Some(branch);
            }
            rest.extend(branch.children);
        }
        None
    }
}

/// The name that is meant by `wanted`: itself, or without its number that of the latest, `session/ab#2` by `session/ab`, because an address
/// ends before a `#`.
pub(super) fn meant(wanted: &str, snapshot: &Snapshot) -> Option<String> {
    let rank = |name: &str| match name.strip_prefix(wanted)? {
        "" => Some(u64::MAX),
        number => number.strip_prefix('#')?.parse().ok(),
    };
    snapshot.children.iter().filter_map(|child| Some((rank(&child.name)?, &child.name))).max().map(|(_, name)| name.clone())
}

/// Whose name is like `wanted`: those that contain it, then those that begin alike; without any, all that no other owns.
pub(super) fn nearby<'a>(wanted: &str, snapshot: &'a Snapshot) -> Vec<&'a str> {
    let likeness = |name: &str| match name.contains(wanted) || wanted.contains(name) {
        true => usize::MAX,
        false => name.chars().zip(wanted.chars()).take_while(|(ours, theirs)| ours == theirs).count(),
    };
    let mut names: Vec<(usize, &str)> = snapshot.children.iter().map(|child| (likeness(&child.name), child.name.as_str())).collect();
    names.retain(|(likeness, _)| NEARBY_FROM <= *likeness);
    if names.is_empty() {
        return snapshot.children.iter().filter(|child| child.parent.is_none()).map(|child| child.name.as_str()).collect();
    }
    names.sort_by(|(one, a), (other, b)| other.cmp(one).then(a.cmp(b)));
    names.into_iter().map(|(_, name)| name).take(MAX_NEARBY).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    /// A tree of children with their parents.
    fn snapshot(children: &[(&str, Option<&str>)]) -> Snapshot {
        let child = |(name, parent): &(&str, Option<&str>)| -> Value {
            json!({
                "name": name, "parent": parent, "state": "running", "needs": [], "after": [], "incarnation": 1, "restarts": 0, "hangs": 0, "last_exit": null,
                "mailbox_depth": 0, "mailbox_capacity": 1, "handled": 0, "dead_letters": 0, "uptime_ms": 0, "backoff_ms": 0, "busy_ms": 0, "busy_with": null,
                "waiting": false, "slow": false, "hang_limit_ms": 1, "exclusive": false, "probes": [],
            })
        };
        serde_json::from_value(json!({ "name": "node", "children": children.iter().map(child).collect::<Vec<_>>() })).unwrap()
    }

    fn names(branches: &Value) -> Vec<&str> {
        branches.as_array().unwrap().iter().map(|branch| branch["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn children_stand_under_their_parents_in_the_order_of_the_tree() {
        let snapshot =
            snapshot(&[("storage", None), ("p2p", None), ("p2p.session/a", Some("p2p")), ("p2p.session/b", Some("p2p")), ("x/1", Some("gone"))]);
        let tree = serde_json::to_value(Tree::from(snapshot.clone())).unwrap();
        assert_eq!(names(&tree["children"]), ["storage", "p2p", "x/1"]);
        assert_eq!(names(&tree["children"][1]["children"]), ["p2p.session/a", "p2p.session/b"]);
        assert_eq!((&tree["name"], &tree["children"][1]["children"][0]["state"]), (&json!("node"), &json!("running")));
        let find = |name| Tree::from(snapshot.clone()).find(name).map(|branch| (branch.child.name, branch.children.len()));
        assert_eq!(find("p2p"), Some(("p2p".to_owned(), 2)));
        assert_eq!(find("p2p.session/b"), Some(("p2p.session/b".to_owned(), 0)));
        assert_eq!(find("p2p.session"), None);
    }

    #[test]
    fn a_name_without_its_number_is_that_of_the_latest() {
        let snapshot =
            snapshot(&[("p2p", None), ("p2p.session/a#9", Some("p2p")), ("p2p.session/a#10", Some("p2p")), ("p2p.session/ab#11", Some("p2p"))]);
        for (wanted, expected) in [
            ("p2p", Some("p2p")),
            ("p2p.session/a", Some("p2p.session/a#10")),
            ("p2p.session/a#9", Some("p2p.session/a#9")),
            ("p2p.session", None),
            ("", None),
        ] {
            assert_eq!(meant(wanted, &snapshot).as_deref(), expected, "{wanted}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_has_neighbours() {
        let snapshot = snapshot(&[("storage", None), ("consensus", None), ("p2p.gossip", None), ("p2p.gossip.session/ab", Some("p2p.gossip"))]);
        for (wanted, expected) in [
            ("consnsus", vec!["consensus"]),
            ("gossip", vec!["p2p.gossip", "p2p.gossip.session/ab"]),
            ("p2p.gossip.session/cd", vec!["p2p.gossip", "p2p.gossip.session/ab"]),
            ("zzz", vec!["storage", "consensus", "p2p.gossip"]),
        ] {
            assert_eq!(nearby(wanted, &snapshot), expected, "{wanted}");
        }
    }
}
