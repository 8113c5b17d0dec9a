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
