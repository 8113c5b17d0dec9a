//! The gate before the first signature of a process.
//!
//! A disk restored from an old copy, or a second process with the same key, shows nowhere on our own disk. So after a process
//! start nothing of ours leaves until validators holding, with us, more than 2/3 of the power have said where they are and
//! what of us they hold. Without them nothing could be decided anyway. A network of one passes by itself.

use std::collections::BTreeSet;

use primitives::{Address, Certificate, ConsensusMessage, Height, Standing, ValidatorSet};

use crate::core::Crypto;

/// Messages of ours that one answer may hold; more are not looked at.
const MAX_CLAIMS_PER_ANSWER: usize = 2_048;

/// The answers so far.
#[derive(Debug, Default)]
pub(super) struct Gate {
    answered: BTreeSet<Address>,
    highest_tip: Height,
    claims: Vec<ConsensusMessage>,
    /// The highest height at which our key signed without this disk knowing of it.
    unknown: Option<Height>,
    /// The first height fetched while asking.
    first_fetched: Option<Height>,
}

/// Where we stand while we ask.
pub(super) struct Asker<'a> {
    pub us: Address,
    pub tip: Option<&'a Certificate>,
    pub set: &'a ValidatorSet,
}

/// What an answer showed besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Counted,
    /// Not from a validator, or its certificate proves nothing: it does not count.
    Worthless,
    /// Two valid certificates for one height: more than a third of the power is faulty.
    Fork(Certificate),
}

impl Gate {
    /// Takes an answer.
    pub fn answer(&mut self, by: Address, standing: Standing, asker: &Asker<'_>, crypto: &mut Crypto) -> Answered {
        if asker.set.get(&by).is_none() || by == asker.us {
            return Answered::Worthless;
        }
        let our_tip = height_of(asker.tip);
        if let Some(theirs) = standing.tip.filter(|theirs| our_tip <= theirs.height) {
            let conflicts = asker.tip.is_some_and(|ours| ours.height == theirs.height && ours.value != theirs.value);
            let is_news = our_tip < theirs.height;
            if (is_news || conflicts) && crypto.verify_certificate(&theirs, asker.set).is_err() {
                return Answered::Worthless;
            }
            if conflicts {
                return Answered::Fork(theirs);
            }
            self.highest_tip = self.highest_tip.max(theirs.height);
            // A height is signed only when the one before it is durable here.
            if our_tip.next() < theirs.height && theirs.signers().contains(&asker.us) {
                self.unknown = self.unknown.max(Some(theirs.height));
            }
        }
        let votes = standing.votes.into_iter().map(ConsensusMessage::Vote);
        let claims = votes.chain(standing.proposals.into_iter().map(ConsensusMessage::Proposal));
        for claim in claims.take(MAX_CLAIMS_PER_ANSWER) {
            self.claim(claim, asker, crypto);
        }
        self.answered.insert(by);
        Answered::Counted
    }

    /// Takes the certificate of a block that was fetched while we ask.
    pub fn fetched(&mut self, certificate: &Certificate, us: Address) {
        let first = *self.first_fetched.get_or_insert(certificate.height);
        // The first one may have been signed before a crash; above it, nothing was signed from this disk.
        if first < certificate.height && certificate.signers().contains(&us) {
            self.unknown = self.unknown.max(Some(certificate.height));
        }
    }

    fn claim(&mut self, claim: ConsensusMessage, asker: &Asker<'_>, crypto: &mut Crypto) {
        let is_ours = match &claim {
            ConsensusMessage::Vote(signed) => signed.message.validator == asker.us,
            ConsensusMessage::Proposal(signed) => signed.message.proposer == asker.us,
            ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => false,
        };
        if is_ours && height_of(asker.tip) < claim.height() && !self.claims.contains(&claim) && crypto.verify(&claim, asker.set) {
            self.claims.push(claim);
        }
    }

    /// Whether validators holding, with us, more than 2/3 of the power have answered.
    pub fn is_answered(&self, us: Address, set: &ValidatorSet) -> bool {
        let others: u64 = self.answered.iter().map(|validator| set.power_of(validator)).sum();
        set.quorum() <= others + set.power_of(&us)
    }

    /// The highest certified height among the answers.
    pub fn highest_tip(&self) -> Height {
        self.highest_tip
    }

    /// The highest height at which our key signed without this disk knowing of it: an older copy was put back, or a second
    /// process runs with this key. Not every certificate holds our signature, so nothing follows from none.
    pub fn signed_elsewhere(&self) -> Option<Height> {
        self.unknown
    }

    /// Verified messages of ours above `tip` that others hold.
    pub fn claims_above(&self, tip: Height) -> Vec<ConsensusMessage> {
        self.claims.iter().filter(|claim| tip < claim.height()).cloned().collect()
    }
}

fn height_of(tip: Option<&Certificate>) -> Height {
    tip.map(|certificate| certificate.height).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::testing::{certificate, crypto, key, set, vote};
    use primitives::VoteKind;

    fn standing(tip: Option<u64>) -> Standing {
        Standing { tip: tip.map(|height| certificate(height, 7, &[1, 2, 3])), votes: vec![], proposals: vec![] }
    }

    fn ask(gate: &mut Gate, by: u8, standing: Standing) -> Answered {
        let (set, us) = (set(4), key(1).address());
        gate.answer(key(by).address(), standing, &Asker { us, tip: None, set: &set }, &mut crypto(1))
    }

    #[test]
    fn three_of_four_pass_it_and_two_do_not() {
        let mut gate = Gate::default();
        ask(&mut gate, 2, standing(None));
        ask(&mut gate, 2, standing(None));
        ask(&mut gate, 9, standing(None));
        assert!(!gate.is_answered(key(1).address(), &set(4)));
        ask(&mut gate, 3, standing(Some(5)));
        assert!(gate.is_answered(key(1).address(), &set(4)) && gate.highest_tip() == Height(5));
    }

    #[test]
    fn a_certificate_with_our_signature_far_above_our_tip_shows_a_restored_copy() {
        let mut gate = Gate::default();
        ask(&mut gate, 2, standing(Some(1)));
        assert_eq!(gate.signed_elsewhere(), None, "the first height may have been signed before the crash");
        ask(&mut gate, 3, standing(Some(5)));
        assert_eq!(gate.signed_elsewhere(), Some(Height(5)));
    }

    #[test]
    fn a_fetched_certificate_with_our_signature_shows_a_restored_copy() {
        let (mut gate, us) = (Gate::default(), key(1).address());
        gate.fetched(&certificate(2, 7, &[1, 2, 3]), us);
        assert_eq!(gate.signed_elsewhere(), None, "the first height may have been signed before the crash");
        gate.fetched(&certificate(3, 7, &[2, 3, 4]), us);
        assert_eq!(gate.signed_elsewhere(), None, "others signed it");
        gate.fetched(&certificate(4, 7, &[1, 2, 3]), us);
        assert_eq!(gate.signed_elsewhere(), Some(Height(4)));
    }

    #[test]
    fn one_validator_passes_by_itself() {
        assert!(Gate::default().is_answered(key(1).address(), &set(1)));
    }

    #[test]
    fn a_forged_tip_does_not_count() {
        let mut gate = Gate::default();
        let forged = Standing { tip: Some(certificate(5, 7, &[1, 2])), ..standing(None) };
        assert_eq!(ask(&mut gate, 2, forged), Answered::Worthless);
        assert_eq!(gate.highest_tip(), Height::GENESIS);
    }

    #[test]
    fn only_what_we_signed_is_a_claim() {
        let mut gate = Gate::default();
        let ours = vote(1, VoteKind::Prevote, 1, 0, None);
        let mut forged = vote(1, VoteKind::Prevote, 1, 1, None);
        forged.signature = ours.signature;
        let votes = vec![ours.clone(), forged, vote(3, VoteKind::Prevote, 1, 0, None)];
        ask(&mut gate, 2, Standing { votes, ..standing(None) });
        assert_eq!(gate.claims_above(Height(0)), [ConsensusMessage::Vote(ours)]);
        assert!(gate.claims_above(Height(1)).is_empty());
    }

    #[test]
    fn two_certificates_for_our_tip_are_a_fork() {
        let (set, ours) = (set(4), certificate(5, 8, &[1, 2, 3]));
        let asker = Asker { us: key(1).address(), tip: Some(&ours), set: &set };
        let answered = Gate::default().answer(key(2).address(), standing(Some(5)), &asker, &mut crypto(1));
        assert!(matches!(answered, Answered::Fork(_)));
    }
}
