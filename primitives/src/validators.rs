//! Who may vote, and with what power.

use std::{collections::HashMap, sync::Arc};

use alloy_primitives::{Address, B256, keccak256};
use alloy_rlp::{Encodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{Height, PublicKey, Round, limits};

/// One validator of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    pub address: Address,
    pub public_key: PublicKey,
    /// Voting power, at least 1.
    pub power: u64,
}

/// The validators of one height, sorted by power (highest first), then address. Cheap to clone, never empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<Validator>", into = "Vec<Validator>")]
pub struct ValidatorSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    validators: Vec<Validator>,
    index: HashMap<Address, usize>,
    total_power: u64,
    hash: B256,
}

/// Why a list of validators is not a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    #[error("there are no validators; at least one is needed")]
    Empty,
    #[error("there are {count} validators; at most {max} are possible")]
    TooMany { count: usize, max: usize },
    #[error("validator {address} has no power; give it at least 1 or remove it")]
    NoPower { address: Address },
    #[error("validator {address} is listed twice; list it once with the sum of its power")]
    Twice { address: Address },
    #[error("validator {address} does not belong to its public key, whose address is {expected}")]
    WrongKey { address: Address, expected: Address },
    #[error("the total power exceeds {max}; scale all powers down")]
    TooMuchPower { max: u64 },
}

#[derive(RlpEncodable)]
struct Entry {
    address: Address,
    public_key: alloy_primitives::Bytes,
    power: u64,
}

impl ValidatorSet {
    /// A set from validators in any order.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        check(&validators)?;
        validators.sort_by(|a, b| b.power.cmp(&a.power).then(a.address.cmp(&b.address)));
        let index = validators.iter().enumerate().map(|(position, validator)| (validator.address, position)).collect();
        let total_power = validators.iter().map(|validator| validator.power).sum();
        let hash = hash(&validators);
        Ok(Self(Arc::new(Inner { validators, index, total_power, hash })))
    }

    /// How many validators there are.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.validators.len()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Validator> {
        self.0.validators.iter()
    }

    pub fn get(&self, address: &Address) -> Option<&Validator> {
        self.0.index.get(address).map(|position| &self.0.validators[*position])
    }

    /// The validator at `position` of the sorted set.
    pub fn at(&self, position: usize) -> Option<&Validator> {
        self.0.validators.get(position)
    }

    /// Its power, or 0 for a stranger.
    pub fn power_of(&self, address: &Address) -> u64 {
        self.get(address).map_or(0, |validator| validator.power)
    }

    pub fn total_power(&self) -> u64 {
        self.0.total_power
    }

    /// The smallest power that is more than two thirds of the total.
    pub fn quorum(&self) -> u64 {
        self.0.total_power / 3 * 2 + (self.0.total_power % 3) * 2 / 3 + 1
    }

    /// How many validators may fail at once if all have equal power.
    pub fn faults_tolerated(&self) -> usize {
        (self.len() - 1) / 3
    }

    /// The proposer: number (height + round) mod n.
    pub fn proposer(&self, height: Height, round: Round) -> &Validator {
        let count = self.len() as u64;
        let position = (height.0 % count + u64::from(round.0) % count) % count;
        &self.0.validators[position as usize]
    }

    /// keccak of the RLP list of (address, public key, power) in this order; what the consensus metadata names.
    pub fn hash(&self) -> B256 {
        self.0.hash
    }
}

impl TryFrom<Vec<Validator>> for ValidatorSet {
    type Error = ValidatorSetError;

    fn try_from(validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        Self::new(validators)
    }
}

impl From<ValidatorSet> for Vec<Validator> {
    fn from(set: ValidatorSet) -> Self {
        set.0.validators.clone()
    }
}

impl PartialEq for ValidatorSet {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for ValidatorSet {}

fn check(validators: &[Validator]) -> Result<(), ValidatorSetError> {
    if validators.is_empty() {
        return Err(ValidatorSetError::Empty);
    }
    if limits::MAX_VALIDATORS < validators.len() {
        return Err(ValidatorSetError::TooMany { count: validators.len(), max: limits::MAX_VALIDATORS });
    }
    let mut seen = std::collections::HashSet::new();
    let mut total = 0u64;
    for validator in validators {
        let address = validator.address;
        let expected = validator.public_key.address();
        if address != expected {
            return Err(ValidatorSetError::WrongKey { address, expected });
        }
        if validator.power == 0 {
            return Err(ValidatorSetError::NoPower { address });
        }
        if !seen.insert(address) {
            return Err(ValidatorSetError::Twice { address });
        }
        total = total.saturating_add(validator.power);
    }
    if limits::MAX_TOTAL_POWER < total {
        return Err(ValidatorSetError::TooMuchPower { max: limits::MAX_TOTAL_POWER });
    }
    Ok(())
}

fn hash(validators: &[Validator]) -> B256 {
    let entries: Vec<Entry> = validators
        .iter()
        .map(|validator| Entry { address: validator.address, public_key: validator.public_key.to_bytes().into(), power: validator.power })
        .collect();
    let mut bytes = Vec::new();
    entries.encode(&mut bytes);
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::SecretKey;

    fn validator(byte: u8, power: u64) -> Validator {
        let public_key = SecretKey::from_bytes([byte; 32]).unwrap().public_key();
        Validator { address: public_key.address(), public_key, power }
    }

    fn set(powers: &[u64]) -> ValidatorSet {
        ValidatorSet::new(powers.iter().enumerate().map(|(i, power)| validator(i as u8 + 1, *power)).collect()).unwrap()
    }

    #[test]
    fn a_quorum_is_more_than_two_thirds_and_no_more_than_needed() {
        for total in 1..200u64 {
            let quorum = set(&[total]).quorum();
            assert!(quorum * 3 > total * 2 && (quorum - 1) * 3 <= total * 2, "total {total}, quorum {quorum}");
        }
    }

    #[test]
    fn the_order_given_does_not_matter() {
        let forward = ValidatorSet::new(vec![validator(1, 5), validator(2, 7), validator(3, 5)]).unwrap();
        let backward = ValidatorSet::new(vec![validator(3, 5), validator(2, 7), validator(1, 5)]).unwrap();
        assert_eq!(forward, backward);
        assert_eq!(forward.at(0).unwrap().power, 7);
    }

    #[test]
    fn every_validator_proposes_in_turn() {
        let set = set(&[1, 1, 1, 1]);
        let turns: std::collections::HashSet<Address> = (0..4).map(|round| set.proposer(Height(u64::MAX), Round(round)).address).collect();
        assert_eq!(turns.len(), 4);
        assert_eq!(set.proposer(Height(5), Round(2)), set.proposer(Height(6), Round(1)));
    }

    #[test]
    fn a_list_that_is_no_set_is_refused_by_name() {
        assert_eq!(ValidatorSet::new(vec![]), Err(ValidatorSetError::Empty));
        let twice = validator(1, 1);
        assert!(matches!(ValidatorSet::new(vec![twice.clone(), twice.clone()]), Err(ValidatorSetError::Twice { .. })));
        assert!(matches!(ValidatorSet::new(vec![validator(1, 0)]), Err(ValidatorSetError::NoPower { .. })));
        let wrong = Validator { address: Address::ZERO, ..twice };
        assert!(matches!(ValidatorSet::new(vec![wrong]), Err(ValidatorSetError::WrongKey { .. })));
        assert!(matches!(ValidatorSet::new(vec![validator(1, u64::MAX)]), Err(ValidatorSetError::TooMuchPower { .. })));
    }

    #[test]
    fn four_validators_tolerate_one_fault_and_three_none() {
        assert_eq!(set(&[1, 1, 1, 1]).faults_tolerated(), 1);
        assert_eq!(set(&[1, 1, 1]).faults_tolerated(), 0);
        assert_eq!(set(&[1; 7]).faults_tolerated(), 2);
    }
}
