//! Stories of several nodes: what storage is handed, and when it cannot take it.

use super::super::{testing::*, *};

#[test]
fn a_block_is_committed_after_something_of_its_height_was_released() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(2));
    for node in &world.nodes {
        let mut open = None;
        for action in &node.wanted {
            match action {
                Action::Release(batch) => open = Some(batch.height),
                Action::Commit { certificate, .. } => assert_eq!(open, Some(certificate.height)),
                Action::OpenJournal { height } => assert!(open.is_none_or(|open| open < *height)),
                _ => {}
            }
        }
    }
}

#[test]
fn a_full_disk_parks_consensus_until_there_is_room() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    (0..4).for_each(|node| world.nodes[node].refuses = Some(NotReleased::NoSpace));
    world.pass(5_000);
    let heights: Vec<u64> = (0..4).map(|node| world.height(node)).collect();
    assert!((0..4).all(|node| world.host(node).status().parked));
    world.pass(5_000);
    assert_eq!(heights, (0..4).map(|node| world.height(node)).collect::<Vec<_>>());
    (0..4).for_each(|node| world.nodes[node].refuses = None);
    (0..4).for_each(|node| world.tell(node, Event::Retry));
    world.until(30_000, |world| world.all_at(heights[0] + 10));
}

#[test]
fn a_decided_block_that_storage_cannot_take_is_handed_over_again() {
    let mut world = World::of(1);
    world.start(0);
    while !world.nodes[0].wanted.iter().any(|action| matches!(action, Action::Commit { .. })) {
        world.step();
    }
    world.nodes[0].chain.pop();
    let height = world.host(0).status().height;
    world.tell(0, Event::Uncommitted { height, why: Uncommitted::NoSpace });
    assert!(world.host(0).status().parked);
    let actions = {
        let now = Now::default();
        world.nodes[0].host.as_mut().unwrap().handle(Event::Retry, now)
    };
    assert!(matches!(actions[..], [Action::Commit { .. }]));
}
