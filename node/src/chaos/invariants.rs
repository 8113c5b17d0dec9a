//! What must hold whatever fails, each judged from what was found.
//!
//! | invariant      | violated when                                                                                               |
//! |----------------|-------------------------------------------------------------------------------------------------------------|
//! | `no_fork`      | two validators show different blocks at a height, or one that does not stand on the block before            |
//! | `once`         | a validator's height falls, or a transaction is in two blocks                                               |
//! | `no_two_votes` | a node holds evidence that a validator signed two things, or does not say so in the end                     |
//! | `nothing_lost` | a transaction that a node took is not final in the end, or its receipt is not the same everywhere           |
//! | `chain_goes_on`| those who were not struck had no block for longer than the pace and one round that fails at all its timeouts |
//! | `health_true`  | `/readyz` is green while an actor is down or no block comes, or `/livez` is not                             |
//! | `healed`       | an actor is not back within its limit                                                                       |
//! | `end`          | somebody is not ready in the end, or has another state                                                      |

use std::time::Duration;

use serde::Serialize;

use super::{closing::Closing, record::Seen};

/// Pieces of evidence that are shown of one invariant.
const MAX_SHOWN: usize = 20;

/// Whether something held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Held,
    Violated,
    /// Nobody can say, and why stands beside it.
    Open,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invariant {
    pub name: &'static str,
    pub verdict: Verdict,
    /// What it was judged from.
    pub seen: String,
    /// What violates it.
    pub evidence: Vec<String>,
}

/// What became of the transactions of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transactions {
    pub submitted: u64,
    pub acknowledged: u64,
    pub finalised: u64,
    pub refused: u64,
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub seen: Seen,
    pub closing: Closing,
    /// None without a load.
    pub transactions: Option<Transactions>,
    /// The longest time without a block at those who were not struck, and the most that may be; no limit: not judged.
    pub gap: Duration,
    pub gap_limit: Option<Duration>,
    pub strikes: usize,
    /// Faults whose actor was not back in time.
    pub lost: Vec<String>,
    /// Somebody stopped the run early.
    pub is_interrupted: bool,
}

/// Judges all of them.
pub fn judge(found: &Findings) -> Vec<Invariant> {
    let Findings { seen, closing, .. } = found;
    let read = format!("{} blocks read", seen.agreement.read());
    let votes: Vec<String> = seen.equivocations.iter().chain(&closing.unread).cloned().collect();
    let probes = format!("{} probes, {} of them of a node with something to admit", seen.probes, seen.unwell);
    let end: Vec<String> = closing.unready.iter().chain(&closing.states).cloned().collect();
    let state = closing.state_root.as_deref().unwrap_or("no common state");
    vec![
        invariant("no_fork", read.clone(), seen.agreement.forks().to_vec()),
        invariant("once", read, seen.agreement.repeats().to_vec()),
        invariant("no_two_votes", format!("{} answers without evidence", seen.acquittals), votes),
        nothing_lost(found),
        chain_goes_on(found),
        invariant("health_true", probes, seen.lies.clone()),
        invariant("healed", format!("{} strikes", found.strikes), found.lost.clone()),
        invariant("end", format!("height {}, {state}", closing.height), end),
    ]
}

fn nothing_lost(found: &Findings) -> Invariant {
    let Findings { transactions, closing, is_interrupted, .. } = found;
    let Some(Transactions { acknowledged, finalised, refused, .. }) = *transactions else {
        return Invariant { verdict: Verdict::Open, ..invariant("nothing_lost", "nothing was sent".to_owned(), Vec::new()) };
    };
    let seen = format!("{acknowledged} acknowledged, {finalised} final, {refused} refused, {} receipts compared", closing.compared);
    let lost = acknowledged.saturating_sub(finalised);
    let lost_ones = (0 < lost && !is_interrupted).then(|| format!("{lost} of {acknowledged} acknowledged transactions are not final"));
    let judged = invariant("nothing_lost", seen, lost_ones.into_iter().chain(closing.receipts.iter().cloned()).collect());
    // What was under way when it was stopped had no time to become final.
    let is_open = judged.verdict == Verdict::Held && 0 < lost;
    if is_open { Invariant { verdict: Verdict::Open, seen: format!("{}; stopped early", judged.seen), ..judged } } else { judged }
}

fn chain_goes_on(found: &Findings) -> Invariant {
    let ms = found.gap.as_millis();
    let Some(limit) = found.gap_limit else {
        let seen = format!("at most {ms} ms without a block at those not struck; more were struck than the others can do without");
        return Invariant { verdict: Verdict::Open, ..invariant("chain_goes_on", seen, Vec::new()) };
    };
    let seen = format!("at most {ms} ms without a block at those not struck, {} ms may be", limit.as_millis());
    let late = (limit < found.gap).then(|| format!("no block for {ms} ms at a validator that was not struck"));
    invariant("chain_goes_on", seen, late.into_iter().collect())
}

fn invariant(name: &'static str, seen: String, mut evidence: Vec<String>) -> Invariant {
    let verdict = if evidence.is_empty() { Verdict::Held } else { Verdict::Violated };
    let further = evidence.len().saturating_sub(MAX_SHOWN);
    evidence.truncate(MAX_SHOWN);
    if 0 < further {
        evidence.push(format!("and {further} more"));
    }
    Invariant { name, verdict, seen, evidence }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::B256;

    use super::{super::agreement::Block, *};

    fn well() -> Findings {
        let transactions = Transactions { submitted: 10, acknowledged: 10, finalised: 10, refused: 0 };
        Findings { transactions: Some(transactions), gap: Duration::from_secs(1), gap_limit: Some(Duration::from_secs(5)), ..Findings::default() }
    }

    fn violated(found: &Findings) -> Vec<&'static str> {
        judge(found).into_iter().filter(|invariant| invariant.verdict == Verdict::Violated).map(|invariant| invariant.name).collect()
    }

    #[test]
    fn a_run_in_which_nothing_was_found_violates_nothing() {
        assert!(judge(&well()).iter().all(|invariant| invariant.verdict == Verdict::Held), "{:?}", judge(&well()));
    }

    #[test]
    fn each_finding_violates_its_own_invariant() {
        let finding = |change: fn(&mut Findings)| {
            let mut found = well();
            change(&mut found);
            found
        };
        let fork = |found: &mut Findings| {
            let block = |byte| Block { height: 1, hash: B256::repeat_byte(byte), parent: B256::ZERO, transactions: Vec::new() };
            found.seen.agreement.block("a", block(1));
            found.seen.agreement.block("b", block(2));
        };
        assert_eq!(violated(&finding(fork)), ["no_fork"]);
        let fall = |found: &mut Findings| [5, 4].into_iter().for_each(|height| found.seen.agreement.tip(0, "a", height));
        assert_eq!(violated(&finding(fall)), ["once"]);
        assert_eq!(violated(&finding(|found| _ = found.seen.equivocations.insert("two prevotes".to_owned()))), ["no_two_votes"]);
        assert_eq!(violated(&finding(|found| found.closing.unread.push("a".to_owned()))), ["no_two_votes"], "who cannot be asked is not acquitted");
        assert_eq!(violated(&finding(|found| found.transactions.as_mut().unwrap().finalised = 9)), ["nothing_lost"]);
        assert_eq!(violated(&finding(|found| found.closing.receipts.push("a".to_owned()))), ["nothing_lost"]);
        assert_eq!(violated(&finding(|found| found.gap = Duration::from_secs(6))), ["chain_goes_on"]);
        assert_eq!(violated(&finding(|found| found.seen.lies.push("a".to_owned()))), ["health_true"]);
        assert_eq!(violated(&finding(|found| found.lost.push("a".to_owned()))), ["healed"]);
        assert_eq!(violated(&finding(|found| found.closing.unready.push("a".to_owned()))), ["end"]);
        assert_eq!(violated(&finding(|found| found.closing.states.push("a".to_owned()))), ["end"]);
    }

    #[test]
    fn what_nobody_can_judge_is_left_open() {
        let open = |found: &Findings| -> Vec<_> {
            judge(found).into_iter().filter(|invariant| invariant.verdict == Verdict::Open).map(|invariant| invariant.name).collect()
        };
        assert_eq!(open(&Findings { transactions: None, ..well() }), ["nothing_lost"]);
        assert_eq!(open(&Findings { gap_limit: None, gap: Duration::from_secs(60), ..well() }), ["chain_goes_on"]);
        let under_way = Transactions { submitted: 10, acknowledged: 10, finalised: 8, refused: 0 };
        assert_eq!(open(&Findings { transactions: Some(under_way), is_interrupted: true, ..well() }), ["nothing_lost"]);
    }
}
