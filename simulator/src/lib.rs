//! A network in one thread and in virtual time: hosts, signers and memory disks as the node runs them, with everything going
//! wrong that a seed can think of, and an observer who shares nothing with them.
//!
//! ```text
//!   World ── time, links, crashes ──▶ Life (one per machine and start) ──▶ Oracle
//!     queue of occurrences              Host + Signer + Store on a disk      what left, what was decided,
//!                                       that stops at a random operation     what a power cut would leave
//! ```
//!
//! The same scenario and seed always give the same run.

mod block;
mod fuse;
mod genesis;
mod life;
mod network;
mod oracle;
mod packet;
mod report;
mod sabotage;
mod scenario;
mod store;
mod world;

pub use oracle::{Kind, Violation};
pub use report::Report;
pub use sabotage::Sabotage;
pub use scenario::{Proposer, SCENARIOS, Scenario, named};

/// Runs `scenario` with everything that `seed` brings.
pub fn run(scenario: Scenario, seed: u64) -> Report {
    run_sabotaged(scenario, seed, None)
}

/// Runs `scenario` on nodes that are broken on purpose.
pub fn run_sabotaged(scenario: Scenario, seed: u64, sabotage: Option<Sabotage>) -> Report {
    world::World::new(scenario, seed, sabotage).run()
}

/// How many seeds of `scenario` it takes until the observer sees a violation of `kind` on sabotaged nodes; none if it never does.
pub fn seeds_until_seen(sabotage: Sabotage, scenario: &str, kind: Kind, seeds: std::ops::Range<u64>) -> Option<u64> {
    let (scenario, first) = (named(scenario)?, seeds.start);
    let is_seen = |seed: &u64| run_sabotaged(scenario, *seed, Some(sabotage)).violations.iter().any(|violation| violation.kind == kind);
    seeds.into_iter().find(is_seen).map(|seed| seed - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invariant_breaks_in_any_scenario() {
        for scenario in SCENARIOS {
            for seed in 0..3 {
                let report = run(*scenario, seed);
                assert!(report.violations.is_empty(), "{} seed {seed}: {:?}", scenario.name, report.violations);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        for name in ["storm", "twin-crashes"] {
            let runs = [(); 2].map(|()| named(name).map(|scenario| run(scenario, 7).figures()));
            assert_eq!(runs[0], runs[1]);
        }
    }

    #[test]
    fn every_sabotage_is_seen() {
        for (name, sabotage) in Sabotage::ALL {
            for (scenario, kind) in sabotage.proofs() {
                assert!(seeds_until_seen(sabotage, scenario, *kind, 0..40).is_some(), "{name} shows no {kind:?} in {scenario}");
            }
        }
    }
}
