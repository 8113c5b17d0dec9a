#![allow(clippy::unwrap_used)]
use super::testing::*;

#[test]
fn four_hosts_decide_a_hundred_heights() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(100));
    assert!(world.agrees());
}
