//! What happens to a network in a run.

use crate::network::Weather;

/// A kind of run. The seed decides the rest.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Validators of the genesis, of equal power.
    pub validators: usize,
    /// How long trouble lasts, in virtual milliseconds; then everything heals.
    pub trouble_ms: u64,
    pub weather: Weather,
    /// Now and then the network parts for a while.
    pub parts: bool,
    /// A machine does about so many things (actions and disk operations) before it crashes; none: it does not crash.
    pub crash_after: Option<u64>,
    /// Now and then consensus alone is restarted, with its signer alive.
    pub restarts_consensus: bool,
    /// The third validator's machine is restored from a copy of its disk that was made a while before.
    pub restores_copy: bool,
    /// No key has a record: it is made when a majority answers that the chain has no history.
    pub is_fresh: bool,
    /// The first validator's key runs twice.
    pub has_twin: bool,
    /// What the second validator does when it is to propose.
    pub proposer: Proposer,
    /// Heights that every honest node must gain after the healing.
    pub heights_after: u64,
    /// Within so many virtual milliseconds.
    pub bound_ms: u64,
}

/// How a validator proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposer {
    Honest,
    /// Never proposes.
    Silent,
    /// Proposes blocks that break a rule.
    Rubbish,
    /// Sends bodies that are not what it proposed.
    WrongBody,
}

const QUIET: Scenario = Scenario {
    name: "quiet",
    validators: 4,
    trouble_ms: 500,
    weather: Weather::FAIR,
    parts: false,
    crash_after: None,
    restarts_consensus: false,
    restores_copy: false,
    is_fresh: false,
    has_twin: false,
    proposer: Proposer::Honest,
    heights_after: 3,
    bound_ms: 60_000,
};

const TROUBLED: Scenario = Scenario { trouble_ms: 8_000, weather: Weather::ROUGH, ..QUIET };

/// All kinds of runs.
pub const SCENARIOS: &[Scenario] = &[
    QUIET,
    Scenario { name: "fresh", is_fresh: true, ..QUIET },
    Scenario { name: "rough", ..TROUBLED },
    Scenario { name: "lossy", weather: Weather::LOSSY, ..TROUBLED },
    Scenario { name: "parted", parts: true, ..TROUBLED },
    Scenario { name: "crashes", crash_after: Some(300), ..TROUBLED },
    Scenario { name: "storm", crash_after: Some(120), weather: Weather::LOSSY, parts: true, restarts_consensus: true, ..TROUBLED },
    Scenario { name: "restarts", restarts_consensus: true, ..TROUBLED },
    Scenario { name: "restored", restores_copy: true, ..TROUBLED },
    Scenario { name: "twin", has_twin: true, ..TROUBLED },
    Scenario { name: "twin-crashes", has_twin: true, crash_after: Some(300), parts: true, ..TROUBLED },
    Scenario { name: "silent", proposer: Proposer::Silent, crash_after: Some(600), ..TROUBLED },
    Scenario { name: "rubbish", proposer: Proposer::Rubbish, crash_after: Some(600), ..TROUBLED },
    Scenario { name: "wrong-body", proposer: Proposer::WrongBody, ..TROUBLED },
    Scenario { name: "seven", validators: 7, crash_after: Some(400), parts: true, ..TROUBLED },
];

/// The scenario of that name.
pub fn named(name: &str) -> Option<Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name).copied()
}
