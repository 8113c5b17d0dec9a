//! Signing and verifying for the core.

use primitives::{
    Address, B256, Certificate, CertificateError, CommitSignature, ConsensusMessage, Domain, Height, PolkaCertificate, Proposal, PublicKey,
    RoundCertificate, RoundCertificateKind, SecretKey, Signable, Signature, Signed, ValidatorSet, Vote, VoteKind,
};

use super::verified::Verified;

/// Our key, if we have one, and the memory of what was verified. What it signs stays inside of this crate until it is released.
#[derive(Debug)]
pub struct Crypto {
    key: Option<SecretKey>,
    address: Option<Address>,
    domain: Domain,
    verified: Verified,
}

/// Which share of the power a certificate must carry.
#[derive(Clone, Copy)]
enum Share {
    /// More than 2/3.
    Quorum,
    /// More than 1/3.
    Honest,
}

impl Crypto {
    /// `key` is none for a node that only follows.
    pub fn new(key: Option<SecretKey>, domain: Domain) -> Self {
        let address = key.as_ref().map(SecretKey::address);
        Self { key, address, domain, verified: Verified::default() }
    }

    /// The address we sign with.
    pub fn address(&self) -> Option<Address> {
        self.address
    }

    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Remembers signatures of `height` and the next from now on, and no others.
    pub(crate) fn advance(&mut self, height: Height) {
        self.verified.advance(height);
    }

    /// None without a key.
    pub(crate) fn sign_vote(&mut self, vote: Vote) -> Option<Signed<Vote>> {
        let height = vote.height;
        self.sign(height, vote)
    }

    /// None without a key.
    pub(crate) fn sign_proposal(&mut self, proposal: Proposal) -> Option<Signed<Proposal>> {
        let height = proposal.height;
        self.sign(height, proposal)
    }

    fn sign<T: Signable>(&mut self, height: Height, message: T) -> Option<Signed<T>> {
        let digest = message.digest(&self.domain);
        let signature = self.key.as_ref()?.sign(digest);
        self.verified.insert(height, digest, signature);
        Some(Signed { message, signature })
    }

    /// Whether every signature in `message` holds, its signers belong to `set` and, for a certificate, carry enough power.
    pub fn verify(&mut self, message: &ConsensusMessage, set: &ValidatorSet) -> bool {
        match message {
            ConsensusMessage::Vote(signed) => self.verify_vote(signed, set),
            ConsensusMessage::Proposal(signed) => self.verify_proposal(signed, set),
            ConsensusMessage::Polka(certificate) => self.verify_polka(certificate, set).is_ok(),
            ConsensusMessage::Round(certificate) => self.verify_round(certificate, set).is_ok(),
        }
    }

    /// Whether a validator of `set` signed this vote.
    pub fn verify_vote(&mut self, signed: &Signed<Vote>, set: &ValidatorSet) -> bool {
        let Some(validator) = set.get(&signed.message.validator) else { return false };
        self.holds(signed.message.height, signed.message.digest(&self.domain), &signed.signature, &validator.public_key)
    }

    /// Whether the proposer of its round signed this proposal.
    pub fn verify_proposal(&mut self, signed: &Signed<Proposal>, set: &ValidatorSet) -> bool {
        let proposer = set.proposer(signed.message.height, signed.message.round);
        proposer.address == signed.message.proposer
            && self.holds(signed.message.height, signed.message.digest(&self.domain), &signed.signature, &proposer.public_key)
    }

    /// Checks a commit certificate in canonical order against the set of its height.
    pub fn verify_certificate(&mut self, certificate: &Certificate, set: &ValidatorSet) -> Result<(), CertificateError> {
        let is_unordered = |pair: &[CommitSignature]| pair[1].validator <= pair[0].validator;
        if let Some(pair) = certificate.signatures.windows(2).find(|pair| is_unordered(pair)) {
            return Err(CertificateError::OutOfOrder { validator: pair[1].validator });
        }
        let votes = certificate.signatures.iter().map(|signed| (certificate.vote_of(signed.validator), signed.signature));
        self.tally(votes, set, Share::Quorum)
    }

    pub(crate) fn verify_polka(&mut self, polka: &PolkaCertificate, set: &ValidatorSet) -> Result<(), CertificateError> {
        let votes = polka.signatures.iter().map(|CommitSignature { validator, signature }| {
            let vote = Vote { kind: VoteKind::Prevote, height: polka.height, round: polka.round, value: Some(polka.value), validator: *validator };
            (vote, *signature)
        });
        self.tally(votes, set, Share::Quorum)
    }

    pub(crate) fn verify_round(&mut self, certificate: &RoundCertificate, set: &ValidatorSet) -> Result<(), CertificateError> {
        let share = match certificate.kind {
            RoundCertificateKind::Precommit => Share::Quorum,
            RoundCertificateKind::Skip => Share::Honest,
        };
        let is_precommit = certificate.kind == RoundCertificateKind::Precommit;
        if let Some(vote) = certificate.votes.iter().find(|vote| is_precommit && vote.kind != VoteKind::Precommit) {
            return Err(CertificateError::BadSignature { validator: vote.validator });
        }
        let votes = certificate.votes.iter().map(|vote| {
            let signed = Vote { kind: vote.kind, height: certificate.height, round: certificate.round, value: vote.value, validator: vote.validator };
            (signed, vote.signature)
        });
        self.tally(votes, set, share)
    }

    fn tally(&mut self, votes: impl Iterator<Item = (Vote, Signature)>, set: &ValidatorSet, share: Share) -> Result<(), CertificateError> {
        let mut seen = std::collections::HashSet::new();
        let mut signed = 0;
        for (vote, signature) in votes {
            let Vote { validator, height, .. } = vote;
            if !seen.insert(validator) {
                return Err(CertificateError::OutOfOrder { validator });
            }
            let member = set.get(&validator).ok_or(CertificateError::Stranger { validator, height })?;
            if !self.holds(height, vote.digest(&self.domain), &signature, &member.public_key) {
                return Err(CertificateError::BadSignature { validator });
            }
            signed += member.power;
        }
        let quorum = match share {
            Share::Quorum => set.quorum(),
            Share::Honest => set.total_power() / 3 + 1,
        };
        if signed < quorum { Err(CertificateError::TooLittlePower { signed, quorum }) } else { Ok(()) }
    }

    /// Whether `key` signed `digest`. The digest names the signer, so a remembered one needs no second check.
    pub(crate) fn holds(&mut self, height: Height, digest: B256, signature: &Signature, key: &PublicKey) -> bool {
        if self.verified.contains(height, digest, signature) {
            return true;
        }
        let holds = key.verify(digest, signature);
        if holds {
            self.verified.insert(height, digest, *signature);
        }
        holds
    }
}
