//! From what is trusted to a block that was decided.

use alloy_primitives::B256;

use super::{Bundle, Refused, Step, Trust};
use crate::{Header, Height, Round, ValidatorSet};

/// A block that the network decided, and the trust that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub header: Header,
    /// None for the block that was trusted anyway.
    pub signed: Option<SignedBy>,
    pub trust: Trust,
}

/// Who has signed a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBy {
    pub round: Round,
    pub signers: usize,
    pub validators: usize,
    pub power: u64,
    pub quorum: u64,
    pub total_power: u64,
}

impl Trust {
    /// Follows bundles in ascending order of height, each from what the one before it proved.
    pub fn follow_all(&self, bundles: &[Bundle]) -> Result<Vec<Decided>, Refused> {
        let mut trust = self.clone();
        let mut decided = Vec::with_capacity(bundles.len());
        for bundle in bundles {
            let next = trust.follow(bundle)?;
            trust = next.trust.clone();
            decided.push(next);
        }
        Ok(decided)
    }

    /// The block of `bundle`, if the trusted validators decided it.
    pub fn follow(&self, bundle: &Bundle) -> Result<Decided, Refused> {
        let (height, hash) = (bundle.header.number, bundle.header.hash_slow());
        if height == self.height.0 {
            return self.recognise(&bundle.header);
        }
        let check = Check { height, hash };
        check.that(Step::Height, self.height.0 < height, format_args!("a height above {}", self.height), height)?;
        let validators = bundle.validators.as_ref().unwrap_or(&self.validators);
        self.check_validators(bundle, validators, &check)?;
        let signed = self.check_certificate(bundle, validators, &check)?;
        let validators = next_validators(bundle, validators, &check)?.clone();
        let trust = Self { domain: self.domain, height: Height(height), block: hash, validators };
        Ok(Decided { header: bundle.header.clone(), signed: Some(signed), trust })
    }

    /// The trusted block itself: its hash is all the proof that its header needs.
    pub fn recognise(&self, header: &Header) -> Result<Decided, Refused> {
        let hash = header.hash_slow();
        let check = Check { height: header.number, hash };
        check.that(Step::TrustedBlock, header.number == self.height.0 && hash == self.block, self.block, hash)?;
        Ok(Decided { header: header.clone(), signed: None, trust: self.clone() })
    }

    /// The header names the metadata, the metadata names the set, and the set is the trusted one.
    fn check_validators(&self, Bundle { header, metadata, .. }: &Bundle, validators: &ValidatorSet, check: &Check) -> Result<(), Refused> {
        let (named, found) = (header.parent_beacon_block_root, metadata.hash());
        let named_as = named.map_or("no metadata at all".to_owned(), |named| named.to_string());
        check.that(Step::Metadata, named == Some(found), named_as, found)?;
        let (named, trusted) = (metadata.validators_hash, self.validators.hash());
        check.that(Step::TrustedValidators, named == trusted, trusted, named)?;
        check.that(Step::Validators, validators.hash() == named, named, validators.hash())
    }

    fn check_certificate(&self, Bundle { certificate, .. }: &Bundle, validators: &ValidatorSet, check: &Check) -> Result<SignedBy, Refused> {
        let is_for_this = certificate.height.0 == check.height && certificate.value == check.hash;
        let found = format_args!("height {}, {}", certificate.height, certificate.value);
        check.that(Step::CertificateBlock, is_for_this, format_args!("height {}, {}", check.height, check.hash), found)?;
        let (quorum, total_power) = (validators.quorum(), validators.total_power());
        let expected = || format!("valid precommits with power {quorum} of {total_power}");
        certificate.verify(validators, &self.domain).map_err(|error| check.refused(Step::Signatures, expected(), error))?;
        let signers = certificate.signatures.len();
        let power = certificate.signatures.iter().map(|signature| validators.power_of(&signature.validator)).sum();
        Ok(SignedBy { round: certificate.round, signers, validators: validators.len(), power, quorum, total_power })
    }
}

/// The set that decides the next height; it is only given if it is another one.
fn next_validators<'a>(bundle: &'a Bundle, current: &'a ValidatorSet, check: &Check) -> Result<&'a ValidatorSet, Refused> {
    let named = bundle.metadata.next_validators_hash;
    let next = bundle.next_validators.as_ref().unwrap_or(current);
    let found = if bundle.next_validators.is_some() { next.hash().to_string() } else { format!("none given beside {}", next.hash()) };
    check.that(Step::NextValidators, next.hash() == named, named, found)?;
    Ok(next)
}

/// The block that is being checked.
struct Check {
    height: u64,
    hash: B256,
}

impl Check {
    fn that(&self, step: Step, holds: bool, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Result<(), Refused> {
        if holds { Ok(()) } else { Err(self.refused(step, expected, found)) }
    }

    fn refused(&self, step: Step, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Refused {
        Refused::new(step, format_args!("block {} ({})", self.height, self.hash), expected, found)
    }
}
