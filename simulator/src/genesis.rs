//! What all nodes of a run agree on.

use std::time::Duration;

use primitives::{B256, Domain, SecretKey, Validator, ValidatorSet, genesis::ConsensusParameters, genesis::Timeouts};

/// Unix time at which a run begins, in milliseconds.
pub const EPOCH_MS: u64 = 1_700_000_000_000;

/// The chain of a run.
pub struct Genesis {
    pub domain: Domain,
    pub keys: Vec<SecretKey>,
    /// The true set.
    pub validators: ValidatorSet,
    has_low_quorum: bool,
    pub parameters: ConsensusParameters,
}

impl Genesis {
    /// `count` validators of equal power.
    pub fn new(count: usize, has_low_quorum: bool) -> Self {
        let keys: Vec<SecretKey> = (1..=count as u8).map(|byte| SecretKey::from_bytes([byte; 32]).expect("a small number is a key")).collect();
        let validators = set(&keys, |_| 1);
        let ms = Duration::from_millis;
        let timeouts = Timeouts {
            propose: ms(120),
            propose_delta: ms(60),
            prevote: ms(60),
            prevote_delta: ms(30),
            precommit: ms(60),
            precommit_delta: ms(30),
            rebroadcast: ms(200),
            cap: ms(60_000),
        };
        let parameters = ConsensusParameters { block_interval: Duration::ZERO, empty_block_interval: ms(100), timeouts };
        Self { domain: Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(7) }, keys, validators, has_low_quorum, parameters }
    }
}

impl Genesis {
    /// The set that node number `index` is told: the true one, unless each half is to take itself for a quorum.
    pub fn told(&self, index: usize) -> ValidatorSet {
        let half = self.keys.len() / 2;
        let is_on_my_side = |other: usize| (other < half) == (index < half);
        if self.has_low_quorum { set(&self.keys, |other| if is_on_my_side(other) { 1_000 } else { 1 }) } else { self.validators.clone() }
    }
}

fn set(keys: &[SecretKey], power: impl Fn(usize) -> u64) -> ValidatorSet {
    let member = |(index, key): (usize, &SecretKey)| Validator { address: key.address(), public_key: key.public_key(), power: power(index) };
    ValidatorSet::new(keys.iter().enumerate().map(member).collect()).expect("keys differ and have power")
}
