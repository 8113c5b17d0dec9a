//! Proof that a height was decided.

use std::collections::HashSet;

use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{Domain, Height, Round, Signable, Signature, ValidatorSet, Vote, VoteKind};

/// One validator's precommit, without what the certificate says for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSignature {
    pub validator: Address,
    pub signature: Signature,
}

/// More than 2/3 of a validator set precommitted the same block in the same round.
///
/// Canonical form: signatures sorted by address, each validator once. Two honest nodes may hold different certificates
/// for one height; each is valid by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub height: Height,
    pub round: Round,
    /// Hash of the decided block.
    pub value: B256,
    pub signatures: Vec<CommitSignature>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate is not canonical: {validator} is out of order or named twice")]
    OutOfOrder { validator: Address },
    #[error("{validator} is not a validator of height {height}")]
    Stranger { validator: Address, height: Height },
    #[error("the signature of {validator} does not hold")]
    BadSignature { validator: Address },
    #[error("the signatures carry power {signed}, but {quorum} is needed")]
    TooLittlePower { signed: u64, quorum: u64 },
}

impl Certificate {
    /// Brings the signatures into canonical order.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.signatures.sort_by_key(|signature| signature.validator);
        self.signatures.dedup_by_key(|signature| signature.validator);
        self
    }

    /// The precommit that `validator` signed if it is part of this certificate.
    pub fn vote_of(&self, validator: Address) -> Vote {
        Vote { kind: VoteKind::Precommit, height: self.height, round: self.round, value: Some(self.value), validator }
    }

    /// Checks order, membership, every signature and the power. `set` is the validator set of [`Certificate::height`].
    pub fn verify(&self, set: &ValidatorSet, domain: &Domain) -> Result<(), CertificateError> {
        self.verify_beside(None, set, domain)
    }

    /// As [`Certificate::verify`]. `known` holds: a signature that it has, too, is not checked again (30 us each).
    pub fn verify_beside(&self, known: Option<&Self>, set: &ValidatorSet, domain: &Domain) -> Result<(), CertificateError> {
        let known = known.filter(|known| (known.height, known.round, known.value) == (self.height, self.round, self.value));
        let mut previous = None;
        let mut signed = 0u64;
        for signed_by in &self.signatures {
            let CommitSignature { validator, signature } = signed_by;
            if previous.is_some_and(|previous| *validator <= previous) {
                return Err(CertificateError::OutOfOrder { validator: *validator });
            }
            previous = Some(*validator);
            let member = set.get(validator).ok_or(CertificateError::Stranger { validator: *validator, height: self.height })?;
            let is_known = known.is_some_and(|known| known.signatures.contains(signed_by));
            if !is_known && !member.public_key.verify(self.vote_of(*validator).digest(domain), signature) {
                return Err(CertificateError::BadSignature { validator: *validator });
            }
            signed += member.power;
        }
        if signed < set.quorum() {
            return Err(CertificateError::TooLittlePower { signed, quorum: set.quorum() });
        }
        Ok(())
    }

    /// Who signed.
    pub fn signers(&self) -> HashSet<Address> {
        self.signatures.iter().map(|signature| signature.validator).collect()
    }
}

/// The RLP form inside the consensus metadata: [height, round, value, [[validator, signature], ...]].
#[derive(RlpEncodable, RlpDecodable)]
pub(crate) struct Encoded {
    height: u64,
    round: u32,
    value: B256,
    signatures: Vec<EncodedSignature>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct EncodedSignature {
    validator: Address,
    signature: Bytes,
}

impl From<&Certificate> for Encoded {
    fn from(certificate: &Certificate) -> Self {
        let signatures = certificate
            .signatures
            .iter()
            .map(|signed| EncodedSignature { validator: signed.validator, signature: signed.signature.to_bytes().into() })
            .collect();
        Self { height: certificate.height.0, round: certificate.round.0, value: certificate.value, signatures }
    }
}

impl TryFrom<Encoded> for Certificate {
    type Error = alloy_rlp::Error;

    fn try_from(encoded: Encoded) -> Result<Self, alloy_rlp::Error> {
        let signatures = encoded
            .signatures
            .into_iter()
            .map(|signed| {
                let signature = Signature::from_bytes(&signed.signature).map_err(|_| alloy_rlp::Error::Custom("malformed signature"))?;
                Ok(CommitSignature { validator: signed.validator, signature })
            })
            .collect::<Result<_, alloy_rlp::Error>>()?;
        Ok(Self { height: Height(encoded.height), round: Round(encoded.round), value: encoded.value, signatures })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{SecretKey, Signed, Validator};

    const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes([byte; 32]).unwrap()
    }

    fn set() -> ValidatorSet {
        let validator = |byte| Validator { address: key(byte).address(), public_key: key(byte).public_key(), power: 1 };
        ValidatorSet::new((1..=4).map(validator).collect()).unwrap()
    }

    fn by(signers: &[u8]) -> Certificate {
        let mut certificate = Certificate { height: Height(5), round: Round(0), value: B256::repeat_byte(1), signatures: vec![] };
        for byte in signers {
            let signed = Signed::new(certificate.vote_of(key(*byte).address()), &key(*byte), &DOMAIN);
            certificate.signatures.push(CommitSignature { validator: key(*byte).address(), signature: signed.signature });
        }
        certificate
    }

    #[test]
    fn three_of_four_are_enough_and_two_are_not() {
        assert_eq!(by(&[1, 2, 3]).canonical().verify(&set(), &DOMAIN), Ok(()));
        assert_eq!(by(&[1, 2]).canonical().verify(&set(), &DOMAIN), Err(CertificateError::TooLittlePower { signed: 2, quorum: 3 }));
    }

    #[test]
    fn one_validator_does_not_count_twice() {
        let mut certificate = by(&[1, 2]).canonical();
        certificate.signatures.push(certificate.signatures[1].clone());
        assert!(matches!(certificate.verify(&set(), &DOMAIN), Err(CertificateError::OutOfOrder { .. })));
    }

    #[test]
    fn strangers_and_forgeries_are_refused() {
        assert!(matches!(by(&[1, 2, 3, 9]).canonical().verify(&set(), &DOMAIN), Err(CertificateError::Stranger { .. })));
        let mut forged = by(&[1, 2, 3]).canonical();
        forged.signatures[0].signature = forged.signatures[1].signature;
        assert!(matches!(forged.verify(&set(), &DOMAIN), Err(CertificateError::BadSignature { .. })));
        let mut moved = by(&[1, 2, 3]).canonical();
        moved.round = Round(1);
        assert!(matches!(moved.verify(&set(), &DOMAIN), Err(CertificateError::BadSignature { .. })));
    }

    #[test]
    fn only_what_a_known_certificate_says_of_the_same_decision_is_taken_from_it() {
        let mut forged = by(&[1, 2, 3]).canonical();
        forged.signatures[0].signature = forged.signatures[1].signature;
        // A certificate that is taken on trust, to see what is: the same signatures, and nothing else.
        let verify = |certificate: &Certificate, known: &Certificate| certificate.verify_beside(Some(known), &set(), &DOMAIN);
        assert_eq!(verify(&forged, &forged), Ok(()));
        assert_eq!(verify(&by(&[1, 2, 3, 4]).canonical(), &by(&[1, 2, 3]).canonical()), Ok(()));
        assert!(matches!(verify(&forged, &by(&[1, 2, 3]).canonical()), Err(CertificateError::BadSignature { .. })));
        assert!(matches!(verify(&Certificate { round: Round(1), ..forged.clone() }, &forged), Err(CertificateError::BadSignature { .. })));
    }

    #[test]
    fn another_chain_s_certificate_is_worthless() {
        let elsewhere = Domain { chain_id: 2, ..DOMAIN };
        assert!(by(&[1, 2, 3]).canonical().verify(&set(), &elsewhere).is_err());
    }
}
