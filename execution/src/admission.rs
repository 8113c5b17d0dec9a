//! Which transactions may wait for a block.

use alloy_consensus::{Transaction as _, Typed2718};
use alloy_eips::{
    eip2718::{Decodable2718, Encodable2718},
    eip7825::MAX_TX_GAS_LIMIT_OSAKA,
};
use alloy_primitives::{Bytes, U256};
use primitives::{RecoveredTransaction, Transaction, limits};
use revm::context_interface::cfg::gas::calculate_initial_tx_gas;

use crate::{Chain, ReadError, Senders, StateReader, parallel};

/// Longest code that makes a contract, in bytes (EIP-3860).
pub const MAX_INIT_CODE_BYTES: usize = 49_152;
/// How code begins that delegates to other code (EIP-7702): an account with it may still send.
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];
const BLOB_TYPE: u8 = 3;

/// Why a transaction is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inadmissible {
    #[error("the transaction is not canonical EIP-2718: {0}")]
    Malformed(String),
    #[error("the transaction has {bytes} bytes; at most {max} are accepted")]
    TooLarge { bytes: usize, max: usize },
    #[error("blob transactions are not accepted yet")]
    Blob,
    #[error("transactions of type {0} are not accepted before their fork")]
    BeforeItsFork(u8),
    #[error("the transaction is for chain {found}; this is chain {expected}")]
    ChainId { expected: u64, found: u64 },
    #[error("the signature does not hold, or is not canonical (low s)")]
    Signature,
    #[error("intrinsic gas too low: {needed} is needed before the first opcode, the limit is {gas_limit}")]
    IntrinsicGas { needed: u64, gas_limit: u64 },
    #[error("the gas limit {gas_limit} exceeds the {max} that a transaction can have")]
    GasLimit { gas_limit: u64, max: u64 },
    #[error("max priority fee per gas {tip} is higher than max fee per gas {cap}")]
    TipAboveCap { tip: u128, cap: u128 },
    #[error("the nonce is the highest there is")]
    NonceMax,
    #[error("a type 4 transaction needs at least one authorization")]
    NoAuthorization,
    #[error("the init code has {bytes} bytes; at most {max} are possible")]
    InitCode { bytes: usize, max: usize },
    #[error("nonce too low: next nonce {expected}, tx nonce {got}")]
    NonceTooLow { expected: u64, got: u64 },
    #[error("insufficient funds for gas * price + value: have {have}, need {need}")]
    Balance { have: U256, need: U256 },
    #[error("the sender is a contract")]
    SenderHasCode,
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads raw transactions, checks all that needs no state, and recovers who sent them, on all cores.
///
/// `timestamp` is that of the last block, in Unix seconds: it tells which forks are active.
pub fn admit(chain: &Chain, senders: &Senders, timestamp: u64, raw: &[Bytes]) -> Vec<Result<RecoveredTransaction, Inadmissible>> {
    let checked = parallel::map(raw, |raw| decode(raw).and_then(|transaction| check(chain, timestamp, &transaction).map(|()| transaction)));
    let good: Vec<Transaction> = checked.iter().filter_map(|result| result.as_ref().ok().cloned()).collect();
    let mut recovered = senders.recover(&good).into_iter();
    let with_sender = |transaction| match recovered.next() {
        Some(Ok(sender)) => Ok(RecoveredTransaction::new_unchecked(transaction, sender)),
        _ => Err(Inadmissible::Signature),
    };
    let mut with_sender = with_sender;
    checked.into_iter().map(|result| result.and_then(&mut with_sender)).collect()
}

/// Reads one EIP-2718 transaction; anything but its canonical bytes is refused.
pub fn decode(raw: &[u8]) -> Result<Transaction, Inadmissible> {
    if limits::MAX_TRANSACTION_BYTES < raw.len() {
        return Err(Inadmissible::TooLarge { bytes: raw.len(), max: limits::MAX_TRANSACTION_BYTES });
    }
    if raw.first() == Some(&BLOB_TYPE) {
        return Err(Inadmissible::Blob);
    }
    let mut rest = raw;
    let transaction = Transaction::decode_2718(&mut rest).map_err(|error| Inadmissible::Malformed(error.to_string()))?;
    if transaction.encoded_2718() != raw {
        return Err(Inadmissible::Malformed("it has another encoding".into()));
    }
    Ok(transaction)
}

/// What is wrong with a transaction whatever the state. A fee cap below the base fee is not: it can wait.
pub fn check(chain: &Chain, timestamp: u64, transaction: &Transaction) -> Result<(), Inadmissible> {
    if let Some(found) = transaction.chain_id().filter(|found| *found != chain.chain_id) {
        return Err(Inadmissible::ChainId { expected: chain.chain_id, found });
    }
    if let Some(tip) = transaction.max_priority_fee_per_gas().filter(|tip| *tip > transaction.max_fee_per_gas()) {
        return Err(Inadmissible::TipAboveCap { tip, cap: transaction.max_fee_per_gas() });
    }
    if transaction.nonce() == u64::MAX {
        return Err(Inadmissible::NonceMax);
    }
    if transaction.is_create() && transaction.input().len() > MAX_INIT_CODE_BYTES {
        return Err(Inadmissible::InitCode { bytes: transaction.input().len(), max: MAX_INIT_CODE_BYTES });
    }
    check_authorizations(chain, timestamp, transaction)?;
    check_gas(chain, timestamp, transaction)
}

/// What is wrong with a transaction in this state. A nonce that is too high is not: others may come before it.
pub fn check_state(state: &dyn StateReader, transaction: &RecoveredTransaction) -> Result<(), Inadmissible> {
    let account = state.account(transaction.signer_ref())?.unwrap_or_default();
    if transaction.nonce() < account.nonce {
        return Err(Inadmissible::NonceTooLow { expected: account.nonce, got: transaction.nonce() });
    }
    let need = cost(transaction);
    if account.balance < need {
        return Err(Inadmissible::Balance { have: account.balance, need });
    }
    if account.code_hash == alloy_trie::KECCAK_EMPTY {
        return Ok(());
    }
    let code = state.code(&account.code_hash)?.unwrap_or_default();
    match code.starts_with(&DELEGATION) {
        true => Ok(()),
        false => Err(Inadmissible::SenderHasCode),
    }
}

/// The most a transaction can cost its sender, in wei: value and all its gas at its fee cap.
pub fn cost(transaction: &Transaction) -> U256 {
    let gas = U256::from(transaction.gas_limit()).saturating_mul(U256::from(transaction.max_fee_per_gas()));
    gas.saturating_add(transaction.value())
}

fn check_authorizations(chain: &Chain, timestamp: u64, transaction: &Transaction) -> Result<(), Inadmissible> {
    if !transaction.is_eip7702() {
        return Ok(());
    }
    if !chain.is_prague(timestamp) {
        return Err(Inadmissible::BeforeItsFork(transaction.ty()));
    }
    match transaction.authorization_list().is_none_or(|list| list.is_empty()) {
        true => Err(Inadmissible::NoAuthorization),
        false => Ok(()),
    }
}

fn check_gas(chain: &Chain, timestamp: u64, transaction: &Transaction) -> Result<(), Inadmissible> {
    let gas_limit = transaction.gas_limit();
    let max = if chain.is_osaka(timestamp) { chain.gas_limit.min(MAX_TX_GAS_LIMIT_OSAKA) } else { chain.gas_limit };
    if gas_limit > max {
        return Err(Inadmissible::GasLimit { gas_limit, max });
    }
    let needed = intrinsic_gas(chain, timestamp, transaction);
    if gas_limit < needed {
        return Err(Inadmissible::IntrinsicGas { needed, gas_limit });
    }
    Ok(())
}

/// Gas that a transaction needs before its first opcode, or that it pays at least (EIP-7623).
fn intrinsic_gas(chain: &Chain, timestamp: u64, transaction: &Transaction) -> u64 {
    let list = transaction.access_list();
    let accounts = list.map_or(0, |list| list.len());
    let slots = list.map_or(0, |list| list.iter().map(|item| item.storage_keys.len()).sum());
    let authorizations = transaction.authorization_list().map_or(0, |list| list.len());
    let gas = calculate_initial_tx_gas(
        chain.spec(timestamp),
        transaction.input(),
        transaction.is_create(),
        accounts as u64,
        slots as u64,
        authorizations as u64,
        None,
    );
    gas.initial_total_gas().max(gas.floor_gas())
}
