//! What shows that an attack took place: without it the quiet is nobody's merit.

use anyhow::{Result, ensure};

use super::attacker::Outcomes;

/// The attacks there are, in their order.
pub const ATTACKS: [&str; 5] = ["one account", "many accounts", "loops", "hoarders", "calls"];
/// Codes that say that a call did not run: no such method, a wrong parameter, too many requests.
const NOT_RUN: [&str; 3] = [" -32601 ", " -32602 ", " -32005 "];
/// What ends a call that has no end of its own: the time, or the gas.
const ENDS: [&str; 3] = [" -32002 ", "out of gas", "gas required exceeds allowance"];

/// One outcome, or one of several, that must appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The pool took transactions.
    Accepted,
    /// A rule refused transactions.
    Refused,
    /// Calls of this method ran.
    Ran(&'static str),
    /// Something without an end was ended.
    Ended,
}

/// Names that `only` is part of; an error when it is part of none.
pub fn wanted(only: Option<&str>) -> Result<Vec<&'static str>> {
    let wanted: Vec<_> = ATTACKS.into_iter().filter(|name| only.is_none_or(|only| name.contains(only))).collect();
    ensure!(!wanted.is_empty(), "no attack has {:?} in its name; there are {}", only.unwrap_or_default(), ATTACKS.join(", "));
    Ok(wanted)
}

/// What must have come of the attack `name`.
pub fn aims(name: &str) -> &'static [Aim] {
    match name {
        "one account" => &[Aim::Accepted, Aim::Refused],
        // How soon the pool is full is a matter of how many accounts there are.
        "many accounts" | "loops" | "hoarders" => &[Aim::Accepted],
        "calls" => &[Aim::Ran("eth_call"), Aim::Ran("eth_estimateGas"), Aim::Ran("debug_traceCall"), Aim::Ran("eth_createAccessList"), Aim::Ended],
        _ => &[],
    }
}

impl Aim {
    /// Whether `outcomes` have it.
    pub fn is_met(self, outcomes: &Outcomes) -> bool {
        outcomes.by_name.keys().any(|name| self.is_seen_in(name))
    }

    fn is_seen_in(self, outcome: &str) -> bool {
        let Some((what, answer)) = outcome.split_once(": ") else { return false };
        let said = format!(" {answer} ");
        match self {
            Self::Accepted => what == "transaction" && answer == "answered",
            Self::Refused => what == "transaction" && answer != "answered",
            Self::Ran(method) => what == method && !NOT_RUN.iter().any(|code| said.contains(code)),
            Self::Ended => what != "transaction" && ENDS.iter().any(|end| said.contains(end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(names: &[&str]) -> Outcomes {
        Outcomes { by_name: names.iter().map(|name| ((*name).to_owned(), 1)).collect(), ..Outcomes::default() }
    }

    #[test]
    fn transactions_that_are_all_refused_or_all_accepted_are_no_flood() {
        let (taken, refused) = ("transaction: answered", "transaction: -32000 insufficient funds for gas");
        assert!(aims("one account").iter().all(|aim| aim.is_met(&seen(&[taken, refused]))));
        assert!(!Aim::Accepted.is_met(&seen(&[refused])) && !Aim::Refused.is_met(&seen(&[taken])) && !Aim::Accepted.is_met(&seen(&[])));
    }

    #[test]
    fn a_method_that_is_not_there_or_is_limited_has_not_run() {
        for refusal in ["eth_call: -32601 the method eth_call does not exist/is not available", "eth_call: -32005 too many calls from one address"] {
            assert!(!Aim::Ran("eth_call").is_met(&seen(&[refusal])), "{refusal}");
        }
        assert!(Aim::Ran("eth_call").is_met(&seen(&["eth_call: 3 execution reverted"])));
        assert!(!Aim::Ran("eth_call").is_met(&seen(&["eth_estimateGas: answered"])));
    }

    #[test]
    fn a_call_without_an_end_is_ended_by_time_or_gas() {
        assert!(Aim::Ended.is_met(&seen(&["eth_call: -32002 # calls run or wait already"])));
        assert!(Aim::Ended.is_met(&seen(&["eth_call: -32000 out of gas"])));
        assert!(!Aim::Ended.is_met(&seen(&["eth_call: answered", "eth_call: 3 execution reverted"])));
    }

    #[test]
    fn a_name_that_nothing_has_is_refused() {
        assert_eq!(wanted(None).expect("all"), ATTACKS);
        assert_eq!(wanted(Some("accounts")).expect("one"), ["many accounts"]);
        let refused = wanted(Some("typo")).expect_err("nothing has it").to_string();
        assert!(refused.contains("\"typo\"") && refused.contains("hoarders"), "{refused}");
    }
}
