//! What counts when signer, ledger and peers disagree.
//!
//! With p = promise, w = height of the journal, t = tip of the ledger, all of them heights (rounds never enter: comparing a
//! round with a height means nothing):
//!
//! | situation                                              | verdict                                                        |
//! |--------------------------------------------------------|----------------------------------------------------------------|
//! | fewer than 2/3 of the power answered                   | [`Action::AskNetwork`]                                          |
//! | p = w = t + 1, or w = t + 1 and p = t                  | [`Action::Sign`], replay w                                      |
//! | p <= t                                                 | [`Action::Sign`] at t + 1                                       |
//! | p > t, journal of p missing, damaged or older          | [`Action::Abstain`] through p                                   |
//! | t < p - 1, journal of p intact                         | [`Action::SyncFirst`] to p - 1, replay, sign at p               |
//! | one promise slot bad, w at or above the good one       | promise <= w: as if p = w                                       |
//! | one slot bad and no such journal; both bad; no promise | [`OnMissing`], never a guess                                    |
//! | a peer holds a vote of ours that the journal lacks     | [`Action::Abstain`] through its height                          |
//! | every peer's tip far below p                           | [`Action::Refuse`]                                              |
//! | no record at all, and nobody shows a certificate       | [`Action::Begin`]: at genesis                                   |
//! | p = 0 as it was made, the network is no longer young   | [`OnMissing`]: perhaps the home was made again                  |

use primitives::Height;

use super::promise::Found;

/// Heights that are decided by others before a key without a record signs again, unless the policy is to refuse.
pub const OBSERVED_HEIGHTS: u64 = 10;

/// Heights that a network may have when a key that was made with it signs for the first time, without watching first.
const YOUNG_HEIGHTS: u64 = 1_000;

/// What is on the disk of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub promise: Found,
    pub promise_file: String,
    pub journal: JournalFound,
    pub journal_file: String,
    /// There are promises for other chains or keys; they say nothing here.
    pub has_others: bool,
}

/// The journal of the highest height that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalFound {
    Missing,
    Intact(Height),
    Damaged(Height),
}

/// `signing.on_missing`: what to do without a record when the chain has a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    Refuse,
    Observe,
    Recover,
}

/// What validators holding, with us, more than 2/3 of the power have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The highest certified height among the answers.
    pub highest_tip: Height,
    /// The highest height at which an answer holds a message of ours that our journal lacks.
    pub regressed: Option<Height>,
}

/// All that a verdict rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    pub record: Record,
    /// Tip of the ledger.
    pub tip: Height,
    /// None until enough validators have answered.
    pub network: Option<Network>,
    pub policy: OnMissing,
    /// How far the promise may be above every peer's tip, in heights.
    pub max_ahead: u64,
}

/// What this key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing yet: too few validators have answered.
    AskNetwork,
    /// The network is at genesis, and so are we: make a first promise, sign from height 1.
    Begin,
    /// Sign from `height` on; replay its journal first if there is one.
    Sign { height: Height, replay: bool },
    /// Follow the chain to `ledger`, replay the journal of the next height, sign there.
    SyncFirst { ledger: Height },
    /// Sign nothing at `through` or below; above it as usual.
    Abstain { through: Height },
    /// Follow the chain; sign from `from` on.
    Observe { from: Height },
    /// Follow the chain, sign from `from` on; if the chain stands before for want of our vote, sign in rounds above all that
    /// were reported.
    Recover { from: Height },
    /// Sign nothing until the operator has decided.
    Refuse,
}

/// An [`Action`] with what its reader needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub action: Action,
    /// For alerts and manuals; none when all is well.
    pub code: Option<&'static str>,
    /// Both values, and the files they come from.
    pub text: String,
    /// What the operator may run.
    pub commands: Vec<String>,
}

/// What this key may do, given `facts`.
pub fn verdict(facts: &Facts) -> Verdict {
    let Some(network) = facts.network else {
        return facts.says(Action::AskNetwork, None, "waiting until more than 2/3 of the power has answered".into(), &[]);
    };
    let judged = match promised(&facts.record) {
        Promised::At(promise) => judge(facts, promise, &network),
        Promised::Never if network.highest_tip == Height::GENESIS && network.regressed.is_none() && facts.tip == Height::GENESIS => {
            return facts.says(Action::Begin, None, "no record, and nobody shows a certificate: at genesis".into(), &[]);
        }
        // A home as it was made: of somebody who comes a moment late, or of one whose machine was made again from that home.
        Promised::Nothing if YOUNG_HEIGHTS < network.highest_tip.0 => {
            return missing(facts, &network, "E-SIGN-NO-RECORD", "the record of what this key signed is as it was made");
        }
        Promised::Nothing => judge(facts, Height::GENESIS, &network),
        Promised::Never => return missing(facts, &network, "E-SIGN-NO-RECORD", "there is no record of what this key signed"),
        Promised::Unknown => return missing(facts, &network, "E-SIGN-PROMISE-DAMAGED", "the promise cannot be read, or not all of it"),
    };
    match network.regressed {
        Some(height) if height > facts.tip && judged.action != Action::Refuse => regressed(facts, height, &judged),
        _ => judged,
    }
}

enum Promised {
    At(Height),
    /// Written when the network was made, and nothing since.
    Nothing,
    Never,
    Unknown,
}

/// The height up to which the record proves that this key may have signed.
fn promised(record: &Record) -> Promised {
    match (record.promise, record.journal) {
        (Found::Whole(Height::GENESIS), JournalFound::Missing) => Promised::Nothing,
        (Found::Whole(height), _) => Promised::At(height),
        (Found::OneSlot(good), JournalFound::Intact(journal)) if good <= journal => Promised::At(journal),
        (Found::Missing, JournalFound::Missing) => Promised::Never,
        _ => Promised::Unknown,
    }
}

fn judge(facts: &Facts, promise: Height, network: &Network) -> Verdict {
    let tip = facts.tip;
    if network.highest_tip.0.saturating_add(facts.max_ahead) < promise.0 {
        let text = format!("the promise is at height {promise}, but no peer has a certificate above {}", network.highest_tip);
        return facts.says(Action::Refuse, Some("E-SIGN-AHEAD-OF-NETWORK"), text, &["status"]);
    }
    // At or below the tip everything is decided: what is missing there is missed by nobody.
    let pending = match facts.record.journal {
        JournalFound::Damaged(height) if height > tip && height >= promise => return abstain(facts, height, "E-SIGN-JOURNAL-DAMAGED", "is damaged"),
        JournalFound::Intact(height) if height > tip && height >= promise => Some(height),
        _ => None,
    };
    match (pending, facts.record.journal) {
        (Some(journal), _) if journal == tip.next() => {
            facts.says(Action::Sign { height: journal, replay: true }, None, "replay the journal".into(), &[])
        }
        (Some(journal), _) => {
            let ledger = journal.previous().unwrap_or_default();
            let text = format!("the ledger ends at {tip}, the journal is of height {journal}: the ledger was lost or rolled back");
            facts.says(Action::SyncFirst { ledger }, Some("E-SIGN-LEDGER-BEHIND"), text, &["status", "wait --height <N>"])
        }
        (None, _) if promise <= tip => facts.says(Action::Sign { height: tip.next(), replay: false }, None, "go on".into(), &[]),
        (None, JournalFound::Missing) => abstain(facts, promise, "E-SIGN-JOURNAL-MISSING", "is missing"),
        (None, JournalFound::Damaged(_)) => abstain(facts, promise, "E-SIGN-JOURNAL-DAMAGED", "is damaged"),
        (None, JournalFound::Intact(journal)) => abstain(facts, promise, "E-SIGN-JOURNAL-OLD", &format!("is of height {journal} only")),
    }
}

fn abstain(facts: &Facts, through: Height, code: &'static str, what: &str) -> Verdict {
    let text = format!("this key signs at height {through}, and the journal that says what {what}: nothing is signed at {through} or below");
    facts.says(Action::Abstain { through }, Some(code), text, &["status"])
}

fn regressed(facts: &Facts, height: Height, judged: &Verdict) -> Verdict {
    let through = match judged.action {
        Action::Abstain { through } => through.max(height),
        _ => height,
    };
    let text =
        format!("a peer holds a message of this key at height {height} that the journal lacks: a restored copy, or a second process with this key");
    facts.says(Action::Abstain { through }, Some("E-SIGN-REGRESSED"), text, &["status"])
}

fn missing(facts: &Facts, network: &Network, code: &'static str, what: &str) -> Verdict {
    let highest = network.highest_tip.max(network.regressed.unwrap_or_default()).max(facts.tip);
    let others = if facts.record.has_others { "; records of other chains or keys are there and say nothing here" } else { "" };
    let text = format!("{what}, and the network is at height {highest}{others}");
    let from = Height(highest.0.saturating_add(OBSERVED_HEIGHTS));
    let action = match facts.policy {
        OnMissing::Refuse => Action::Refuse,
        OnMissing::Observe => Action::Observe { from },
        OnMissing::Recover => Action::Recover { from },
    };
    facts.says(action, Some(code), text, &["status"])
}

impl Facts {
    fn says(&self, action: Action, code: Option<&'static str>, text: String, commands: &[&str]) -> Verdict {
        let Record { promise, promise_file, journal, journal_file, .. } = &self.record;
        let text = format!("{text} (promise {promise:?} in {promise_file}, journal {journal:?} in {journal_file}, ledger tip {})", self.tip);
        Verdict { action, code, text, commands: commands.iter().map(|command| format!("axolotl {command}")).collect() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use Action::{Abstain, AskNetwork, Begin, Observe, Recover, Refuse, Sign, SyncFirst};
    use Found::{OneSlot, Unreadable, Whole};
    use JournalFound::{Damaged, Intact};

    const NO_PROMISE: Found = Found::Missing;
    const NO_JOURNAL: JournalFound = JournalFound::Missing;

    fn facts(promise: Found, journal: JournalFound, tip: u64) -> Facts {
        let record = Record { promise, promise_file: "signing/p".into(), journal, journal_file: "wal/w".into(), has_others: false };
        let network = Some(Network { highest_tip: Height(50), regressed: None });
        Facts { record, tip: Height(tip), network, policy: OnMissing::Refuse, max_ahead: 100 }
    }

    fn h(height: u64) -> Height {
        Height(height)
    }

    #[test]
    fn sign_state_ledger_mismatch_verdicts() {
        let replay = |height| (Sign { height: h(height), replay: true }, None);
        let next = |height| (Sign { height: h(height), replay: false }, None);
        let abstain = |through, code| (Abstain { through: h(through) }, Some(code));
        let cases = [
            ("all agree", facts(Whole(h(7)), Intact(h(7)), 6), replay(7)),
            ("crash before the promise", facts(Whole(h(6)), Intact(h(7)), 6), replay(7)),
            ("heights without a word of ours", facts(Whole(h(3)), Intact(h(7)), 6), replay(7)),
            ("crash after the commit", facts(Whole(h(7)), Intact(h(7)), 7), next(8)),
            ("journals of decided heights are not missed", facts(Whole(h(7)), NO_JOURNAL, 7), next(8)),
            ("nor their damage", facts(Whole(h(7)), Damaged(h(7)), 9), next(10)),
            ("journal of the promise missing", facts(Whole(h(7)), NO_JOURNAL, 6), abstain(7, "E-SIGN-JOURNAL-MISSING")),
            ("missing, ledger far behind", facts(Whole(h(7)), NO_JOURNAL, 0), abstain(7, "E-SIGN-JOURNAL-MISSING")),
            ("journal older", facts(Whole(h(7)), Intact(h(6)), 6), abstain(7, "E-SIGN-JOURNAL-OLD")),
            ("journal damaged", facts(Whole(h(7)), Damaged(h(7)), 6), abstain(7, "E-SIGN-JOURNAL-DAMAGED")),
            ("damaged before its promise", facts(Whole(h(6)), Damaged(h(7)), 6), abstain(7, "E-SIGN-JOURNAL-DAMAGED")),
            ("ledger lost", facts(Whole(h(7)), Intact(h(7)), 0), (SyncFirst { ledger: h(6) }, Some("E-SIGN-LEDGER-BEHIND"))),
            ("ledger rolled back", facts(Whole(h(7)), Intact(h(7)), 5), (SyncFirst { ledger: h(6) }, Some("E-SIGN-LEDGER-BEHIND"))),
            ("one slot bad, journal newer", facts(OneSlot(h(6)), Intact(h(7)), 6), replay(7)),
            ("one slot bad, journal equal", facts(OneSlot(h(7)), Intact(h(7)), 6), replay(7)),
            ("one slot bad, no journal", facts(OneSlot(h(6)), NO_JOURNAL, 6), (Refuse, Some("E-SIGN-PROMISE-DAMAGED"))),
            ("one slot bad, journal older", facts(OneSlot(h(7)), Intact(h(6)), 6), (Refuse, Some("E-SIGN-PROMISE-DAMAGED"))),
            ("one slot bad, journal damaged", facts(OneSlot(h(6)), Damaged(h(7)), 6), (Refuse, Some("E-SIGN-PROMISE-DAMAGED"))),
            ("both slots bad", facts(Unreadable, Intact(h(7)), 6), (Refuse, Some("E-SIGN-PROMISE-DAMAGED"))),
            ("promise deleted", facts(NO_PROMISE, Intact(h(7)), 6), (Refuse, Some("E-SIGN-PROMISE-DAMAGED"))),
            ("no record", facts(NO_PROMISE, NO_JOURNAL, 0), (Refuse, Some("E-SIGN-NO-RECORD"))),
            ("far above every peer", facts(Whole(h(151)), Intact(h(151)), 150), (Refuse, Some("E-SIGN-AHEAD-OF-NETWORK"))),
            ("a little above every peer", facts(Whole(h(150)), Intact(h(150)), 149), replay(150)),
        ];
        for (name, facts, (action, code)) in cases {
            let verdict = verdict(&facts);
            assert_eq!((verdict.action, verdict.code), (action, code), "{name}: {}", verdict.text);
            assert!(verdict.text.contains("signing/p") && verdict.text.contains("wal/w"), "{name}");
            assert_eq!(verdict.code.is_some(), !verdict.commands.is_empty(), "{name}");
        }
    }

    #[test]
    fn without_answers_there_is_no_verdict() {
        let facts = Facts { network: None, ..facts(Whole(h(7)), Intact(h(7)), 6) };
        assert_eq!(verdict(&facts).action, AskNetwork);
    }

    #[test]
    fn at_genesis_a_key_without_a_record_signs_even_when_other_chains_have_records() {
        let mut facts = facts(NO_PROMISE, NO_JOURNAL, 0);
        facts.network = Some(Network { highest_tip: h(0), regressed: None });
        facts.record.has_others = true;
        assert_eq!(verdict(&facts).action, Begin);
        facts.network = Some(Network { highest_tip: h(0), regressed: Some(h(1)) });
        assert_eq!(verdict(&facts).action, Refuse);
    }

    #[test]
    fn a_record_as_it_was_made_is_believed_only_while_the_network_is_young() {
        let at = |highest_tip| {
            let network = Some(Network { highest_tip: h(highest_tip), regressed: None });
            verdict(&Facts { network, policy: OnMissing::Observe, ..facts(Whole(h(0)), NO_JOURNAL, highest_tip) }).action
        };
        assert_eq!(at(0), Sign { height: h(1), replay: false });
        assert_eq!(at(YOUNG_HEIGHTS), Sign { height: h(YOUNG_HEIGHTS + 1), replay: false });
        assert_eq!(at(YOUNG_HEIGHTS + 1), Observe { from: h(YOUNG_HEIGHTS + 1 + OBSERVED_HEIGHTS) });
    }

    #[test]
    fn the_policy_says_what_a_missing_record_means() {
        let with = |policy| verdict(&Facts { policy, ..facts(NO_PROMISE, NO_JOURNAL, 3) }).action;
        assert_eq!(with(OnMissing::Observe), Observe { from: h(60) });
        assert_eq!(with(OnMissing::Recover), Recover { from: h(60) });
    }

    #[test]
    fn a_message_of_ours_that_the_journal_lacks_forbids_its_height() {
        let regressed = |promise, journal, tip, height| {
            let network = Some(Network { highest_tip: h(50), regressed: Some(h(height)) });
            let verdict = verdict(&Facts { network, ..facts(promise, journal, tip) });
            (verdict.action, verdict.code)
        };
        assert_eq!(regressed(Whole(h(7)), Intact(h(7)), 6, 56), (Abstain { through: h(56) }, Some("E-SIGN-REGRESSED")));
        assert_eq!(regressed(Whole(h(60)), NO_JOURNAL, 6, 56), (Abstain { through: h(60) }, Some("E-SIGN-REGRESSED")));
        assert_eq!(regressed(Whole(h(7)), Intact(h(7)), 6, 6), (Sign { height: h(7), replay: true }, None));
    }
}
