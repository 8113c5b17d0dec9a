//! Actors that wait for each other in a ring: each asks the next from within a handler, and nobody can answer.
//!
//! A wait that is seen at two looks with the same number has stood all the time between them; a ring of such waits did
//! exist. It is told once, and ends by itself: every question has a time limit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::child::ChildId;
use crate::event::EventKind;
use crate::family::Family;
use crate::fence::Incarnation;

/// One open question: whose, and which.
type Wait = (ChildId, Incarnation, u64);

/// The rings that are known.
#[derive(Default)]
pub(crate) struct Cycles {
    /// Whether each has been told.
    known: BTreeMap<Vec<Wait>, bool>,
}

impl Cycles {
    /// Takes note of the rings that stand now, and gives back those to tell: seen for the second time.
    fn confirm(&mut self, standing: Vec<Vec<Wait>>) -> Vec<Vec<Wait>> {
        let mut tell = Vec::new();
        let before = std::mem::take(&mut self.known);
        for cycle in standing {
            let was_told = before.get(&cycle).copied();
            if was_told == Some(false) {
                tell.push(cycle.clone());
            }
            self.known.insert(cycle, was_told.is_some());
        }
        tell
    }
}

/// Rings in a graph of who waits for whom, each beginning with its lowest member. Every ring that stands is found, unless
/// it shares a member with one that is.
fn cycles<N: Ord + Copy>(edges: &BTreeMap<N, Vec<N>>) -> Vec<Vec<N>> {
    let (mut found, mut taken) = (Vec::new(), BTreeSet::new());
    for start in edges.keys().copied() {
        if !taken.contains(&start)
            && let Some(cycle) = way_back(edges, start)
        {
            taken.extend(cycle.iter().copied());
            found.push(cycle);
        }
    }
    found
}

/// The shortest way from `start` back to it.
fn way_back<N: Ord + Copy>(edges: &BTreeMap<N, Vec<N>>, start: N) -> Option<Vec<N>> {
    let mut came_from: BTreeMap<N, N> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(here) = next.pop_front() {
        for there in edges.get(&here).into_iter().flatten().copied() {
            if there == start {
                let mut way = vec![here];
                while let Some(before) = way.last().filter(|last| **last != start).and_then(|last| came_from.get(last)) {
                    way.push(*before);
                }
                way.reverse();
                return Some(way);
            }
            if let Entry::Vacant(unseen) = came_from.entry(there) {
                unseen.insert(here);
                next.push_back(there);
            }
        }
    }
    None
}

impl Family {
    /// What a tick has to tell besides who hangs: bursts of dead letters that are over, and rings of askers.
    pub fn tell_of_letters_and_cycles(&mut self) {
        for child in self.children.values() {
            child.port.vitals().due_letters();
        }
        let standing = self.standing_cycles();
        for cycle in self.cycles.confirm(standing) {
            self.tell_cycle(&cycle);
        }
    }

    fn standing_cycles(&self) -> Vec<Vec<Wait>> {
        let mut waits = Vec::new();
        let mut waiting = BTreeMap::new();
        for (id, child) in self.children.iter().filter(|(_, child)| child.cell().is_some()) {
            let open = child.pulse().waits();
            if !open.is_empty() {
                waiting.insert(Arc::as_ptr(child.port.vitals()), *id);
                waits.push((*id, child.incarnation(), open));
            }
        }
        // Only who waits too can be part of a ring.
        let mut edges: BTreeMap<ChildId, Vec<ChildId>> = BTreeMap::new();
        let mut numbers: BTreeMap<(ChildId, ChildId), Wait> = BTreeMap::new();
        for (id, incarnation, open) in waits {
            for (number, whom) in open {
                let Some(whom) = waiting.get(&Arc::as_ptr(&whom)) else { continue };
                edges.entry(id).or_default().push(*whom);
                numbers.entry((id, *whom)).or_insert((id, incarnation, number));
            }
        }
        let wait = |cycle: &Vec<ChildId>, i: usize| numbers.get(&(cycle[i], cycle[(i + 1) % cycle.len()])).copied();
        cycles(&edges).iter().map(|cycle| (0..cycle.len()).filter_map(|i| wait(cycle, i)).collect()).collect()
    }

    fn tell_cycle(&self, cycle: &[Wait]) {
        let names: Vec<String> = cycle.iter().filter_map(|(id, ..)| Some(self.children.get(id)?.name.to_string())).collect();
        tracing::warn!(children = ?names, "these wait for each other in a ring until a deadline ends it");
        if let Some((first, ..)) = cycle.first() {
            self.tell(*first, EventKind::AskCycle { children: names });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(edges: &[(u32, u32)]) -> Vec<Vec<u32>> {
        let mut graph: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (from, to) in edges {
            graph.entry(*from).or_default().push(*to);
        }
        cycles(&graph)
    }

    #[test]
    fn rings_of_any_length_are_found_and_chains_are_none() {
        assert_eq!(found(&[(1, 2), (2, 3)]), Vec::<Vec<u32>>::new());
        assert_eq!(found(&[(1, 1)]), [[1]]);
        assert_eq!(found(&[(2, 1), (1, 2)]), [[1, 2]]);
        assert_eq!(found(&[(0, 3), (3, 1), (1, 2), (2, 3)]), [[1, 2, 3]], "who waits for a ring is not in it");
        assert_eq!(found(&[(1, 9), (1, 2), (2, 1), (5, 6), (6, 5)]), [[1, 2], [5, 6]]);
    }

    #[test]
    fn a_ring_is_told_once_and_only_when_the_same_waits_stand() {
        let ring = |number| vec![(ChildId(1), Incarnation(1), number)];
        let mut cycles = Cycles::default();
        let told: Vec<usize> = [1, 2, 2, 2, 3, 3].map(|number| cycles.confirm(vec![ring(number)]).len()).to_vec();
        assert_eq!(told, [0, 0, 1, 0, 0, 1]);
    }
}
