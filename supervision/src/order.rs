//! The order in which children start and stop.

use std::collections::{BTreeMap, BTreeSet};

/// What the order is made of: a child and the names it waits for.
pub(crate) struct Node<'a> {
    pub name: &'a str,
    /// `needs` and `after` together: the order does not tell them apart.
    pub waits_for: Vec<&'a str>,
    /// A door stops first, before anybody behind it.
    pub door: bool,
}

/// Static children, by the order of their declaration, in the order in which they start, and stop.
pub(crate) struct Orders {
    pub start: Vec<usize>,
    pub stop: Vec<usize>,
}

/// A tree that cannot be ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("two children or groups are named {name}")]
    Twice { name: String },
    #[error("{child} waits for {missing}, which does not exist")]
    Unknown { child: String, missing: String },
    #[error("these children wait for each other: {}", names.join(", "))]
    Cycle { names: Vec<String> },
}

/// The indices of `nodes` in start order. Where the edges leave a choice, the order of declaration decides.
pub(crate) fn start_order(nodes: &[Node<'_>]) -> Result<Vec<usize>, TreeError> {
    names_are_unique(nodes)?;
    let index = nodes.iter().enumerate().map(|(i, node)| (node.name, i)).collect();
    let mut waits = Vec::with_capacity(nodes.len());
    for node in nodes {
        waits.push(edges(node, &index)?);
    }
    let mut order = Vec::with_capacity(nodes.len());
    let mut placed = BTreeSet::new();
    while order.len() < nodes.len() {
        let next = (0..nodes.len()).find(|i| !placed.contains(i) && waits[*i].is_subset(&placed));
        let Some(next) = next else {
            let names = (0..nodes.len()).filter(|i| !placed.contains(i)).map(|i| nodes[i].name.to_owned());
            return Err(TreeError::Cycle { names: names.collect() });
        };
        placed.insert(next);
        order.push(next);
    }
    Ok(order)
}

/// The stop order that belongs to a start order: its reverse, doors first.
pub(crate) fn stop_order(nodes: &[Node<'_>], start_order: &[usize]) -> Vec<usize> {
    let (doors, rest): (Vec<usize>, Vec<usize>) = start_order.iter().rev().partition(|i| nodes[**i].door);
    doors.into_iter().chain(rest).collect()
}

/// Refuses a name that occurs twice.
pub(crate) fn names_are_unique<'a>(nodes: impl IntoIterator<Item = &'a Node<'a>>) -> Result<(), TreeError> {
    let mut names = BTreeSet::new();
    match nodes.into_iter().find(|node| !names.insert(node.name)) {
        Some(node) => Err(TreeError::Twice { name: node.name.to_owned() }),
        None => Ok(()),
    }
}

fn edges(node: &Node<'_>, index: &BTreeMap<&str, usize>) -> Result<BTreeSet<usize>, TreeError> {
    let unknown = |missing: &str| TreeError::Unknown { child: node.name.to_owned(), missing: missing.to_owned() };
    node.waits_for.iter().map(|name| index.get(name).copied().ok_or_else(|| unknown(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(name: &'a str, waits_for: &[&'a str]) -> Node<'a> {
        Node { name, waits_for: waits_for.to_vec(), door: name.starts_with("door") }
    }

    fn names<'a>(nodes: &[Node<'a>], order: &[usize]) -> Vec<&'a str> {
        order.iter().map(|i| nodes[*i].name).collect()
    }

    #[test]
    fn edges_decide_and_declaration_breaks_ties() -> Result<(), TreeError> {
        let nodes = [node("c", &["b"]), node("b", &["a"]), node("x", &[]), node("a", &[])];
        let order = start_order(&nodes)?;
        assert_eq!(names(&nodes, &order), ["x", "a", "b", "c"]);
        Ok(())
    }

    #[test]
    fn stop_is_the_reverse_with_the_doors_first() -> Result<(), TreeError> {
        let nodes = [node("a", &[]), node("door1", &["a"]), node("b", &["door1"]), node("door2", &["b"])];
        let stop = stop_order(&nodes, &start_order(&nodes)?);
        assert_eq!(names(&nodes, &stop), ["door2", "door1", "b", "a"]);
        Ok(())
    }

    #[test]
    fn what_cannot_be_ordered_is_refused_by_name() {
        let cycle = start_order(&[node("a", &["b"]), node("b", &["a"]), node("c", &[])]);
        assert_eq!(cycle, Err(TreeError::Cycle { names: vec!["a".into(), "b".into()] }));
        let unknown = start_order(&[node("a", &["z"])]);
        assert_eq!(unknown, Err(TreeError::Unknown { child: "a".into(), missing: "z".into() }));
        let twice = start_order(&[node("a", &[]), node("a", &[])]);
        assert_eq!(twice, Err(TreeError::Twice { name: "a".into() }));
    }
}
