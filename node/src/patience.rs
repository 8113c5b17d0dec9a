//! How long one message may take an actor before it counts as hung and is replaced, and how often that may be.
//!
//! | actors                                | hang limit                       | because                                                 |
//! |---------------------------------------|----------------------------------|---------------------------------------------------------|
//! | `consensus`, `execution`, `proposals` | two thirds of a propose timeout  | others wait in their round for what these do            |
//! | the other ones, except                | 4 s                              | no round waits for them; healed within 5 s              |
//! | `storage`, `signer`                   | that of `supervision`, 5 s       | exclusive: stuck, they end the process                  |
//!
//! Work that blocks by its nature, as a commit or the sync of the journal, is declared and has a limit of its own (30 s, 60 s), and
//! time spent waiting for another actor counts as that one's. What is left of a message takes milliseconds. A machine so busy that
//! the supervisor itself is late replaces nobody.
//!
//! The ways in and out, `api`, `p2p.listener` and `p2p.dialer`, are opened again and again, about once a second: the sessions that there are go
//! on without them, and a process that ended for their sake would take a validator from the chain and give nobody a better door.

use std::time::Duration;

use supervision::{Backoff, Budget, ChildSpec};

/// The proposer of a round falls silent when one of these hangs.
const IN_A_ROUND: [&str; 3] = ["consensus", "execution", "proposals"];
/// Stuck, these are not replaced.
pub(crate) const EXCLUSIVE: [&str; 2] = ["storage", "signer"];
/// Whose end is never worth that of the process.
const WAYS_IN: [&str; 3] = ["api", "p2p.listener", "p2p.dialer"];
/// The limit of those who hold nobody up.
const BESIDE: Duration = Duration::from_secs(4);
/// Nobody is given less, however hasty the network is: a message may wait for its thread.
const LEAST: Duration = Duration::from_secs(1);
/// A way in is opened again after this long at most.
const OPEN_AGAIN: Duration = Duration::from_secs(1);
/// More often than [`OPEN_AGAIN`] allows.
const NEVER_SPENT: Budget = Budget { restarts: 120, window: Duration::from_secs(60) };

/// Gives the child called `name` its limits, in a network that waits so long for a proposal.
pub fn give(name: &str, spec: ChildSpec, propose: Duration) -> ChildSpec {
    let spec = if WAYS_IN.contains(&name) { spec.backoff(Backoff { cap: OPEN_AGAIN, ..Backoff::default() }).budget(NEVER_SPENT) } else { spec };
    match hang_limit(name, propose) {
        Some(limit) => spec.hang_limit(limit),
        None => spec,
    }
}

/// None: the usual one.
fn hang_limit(name: &str, propose: Duration) -> Option<Duration> {
    if EXCLUSIVE.contains(&name) {
        return None;
    }
    Some(if IN_A_ROUND.contains(&name) { (propose * 2 / 3).clamp(LEAST, BESIDE) } else { BESIDE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::ROWS;

    #[test]
    fn who_holds_up_a_round_is_replaced_before_the_round_is_given_up() {
        let secs = Duration::from_secs;
        for name in IN_A_ROUND {
            assert_eq!(hang_limit(name, secs(3)), Some(secs(2)), "{name}");
            assert_eq!(hang_limit(name, secs(60)), Some(BESIDE), "{name}, in a patient network");
            assert_eq!(hang_limit(name, Duration::from_millis(100)), Some(LEAST), "{name}, in a hasty network");
        }
        assert_eq!((hang_limit("api", secs(3)), hang_limit("storage", secs(3))), (Some(BESIDE), None));
    }

    #[test]
    fn a_door_that_cannot_be_opened_spends_no_budget() {
        let backoff = Backoff { cap: OPEN_AGAIN, ..Backoff::default() };
        let mut waited = Duration::ZERO;
        // The shortest that jitter makes of it, for a door that fails at once each time.
        let retries = (0..).take_while(|retry| {
            waited += backoff.delay(*retry, 0.0);
            waited < NEVER_SPENT.window
        });
        assert!(retries.count() < NEVER_SPENT.restarts);
    }

    #[test]
    fn every_name_is_in_the_tree() {
        for name in IN_A_ROUND.iter().chain(&EXCLUSIVE).chain(&WAYS_IN) {
            assert!(ROWS.iter().any(|row| row.name == *name), "{name} has no row");
        }
    }
}
