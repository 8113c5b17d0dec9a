//! A block with all that executing it produced.

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, ReceiptEnvelope, TxReceipt,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256};
use alloy_trie::EMPTY_ROOT_HASH;
use primitives::{Block, Body, Header, Metadata, RecoveredTransaction, Transaction};
use revm::database::{BundleAccount, BundleState};

use crate::{
    Account, Chain, StateChanges, StateReader,
    execute::Run,
    parallel,
    receipt::{Receipt, receipts},
    trie::{AccountUpdate, StateTrie, TrieError},
};

/// Transactions from which the state root and the other two are computed at once.
const ROOTS_TOGETHER_FROM: usize = 64;

/// An executed block: undecided, or decided and being written.
#[derive(Debug)]
pub struct Executed {
    pub hash: B256,
    pub block: Block,
    pub metadata: Metadata,
    /// The block and its metadata as bytes, as proposed, journalled and stored.
    pub body: Body,
    /// Who sent each transaction.
    pub senders: Vec<Address>,
    pub receipts: Vec<Receipt>,
    /// What the block changes in its parent's state.
    pub changes: StateChanges,
    pub(crate) trie: StateTrie,
}

/// What a proposer chooses.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Unix seconds.
    pub timestamp: u64,
    pub metadata: Metadata,
    pub fee_recipient: Address,
}

impl Executed {
    pub fn header(&self) -> &Header {
        &self.block.header
    }

    pub fn number(&self) -> u64 {
        self.block.header.number
    }

    pub fn gas_used(&self) -> u64 {
        self.block.header.gas_used
    }

    pub fn logs_bloom(&self) -> Bloom {
        self.block.header.logs_bloom
    }

    /// Hashes of the transactions, in order.
    pub fn transaction_hashes(&self) -> impl ExactSizeIterator<Item = B256> {
        self.block.body.transactions.iter().map(|transaction| *transaction.tx_hash())
    }

    /// The transactions with their senders, in order.
    pub fn transactions(&self) -> impl ExactSizeIterator<Item = RecoveredTransaction> {
        let senders = self.senders.iter().copied();
        self.block.body.transactions.iter().zip(senders).map(|(transaction, sender)| RecoveredTransaction::new_unchecked(transaction.clone(), sender))
    }
}

/// The header of a block on `parent`, without what only its execution tells.
pub(crate) fn blank_header(chain: &Chain, parent: &Header, parent_hash: B256, attributes: &Attributes) -> Header {
    let timestamp = attributes.timestamp;
    Header {
        parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: attributes.fee_recipient,
        difficulty: U256::ZERO,
        number: parent.number + 1,
        gas_limit: chain.gas_limit,
        timestamp,
        extra_data: Bytes::new(),
        mix_hash: attributes.metadata.mix_hash(),
        nonce: B64::ZERO,
        base_fee_per_gas: Some(chain.next_base_fee(parent)),
        withdrawals_root: Some(EMPTY_ROOT_HASH),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(chain.next_excess_blob_gas(parent, timestamp)),
        parent_beacon_block_root: Some(attributes.metadata.hash()),
        ..Header::default()
    }
}

/// The block that `run` makes of `header`: fills in every root and result.
pub(crate) fn complete(
    chain: &Chain,
    header: Header,
    metadata: Metadata,
    run: Run,
    state: &dyn StateReader,
    mut trie: StateTrie,
) -> Result<Executed, TrieError> {
    let transactions: Vec<&Transaction> = run.included.iter().map(|transaction| transaction.inner()).collect();
    let mut changes = StateChanges::default();
    let (state_root, (transactions_root, receipts_root)) = parallel::both(
        ROOTS_TOGETHER_FROM <= transactions.len(),
        || {
            let updates = updates(&run.bundle, state)?;
            trie.apply(header.number, updates, state, &mut changes)
        },
        || (calculate_transaction_root(&transactions), calculate_receipt_root(&run.outcomes)),
    );
    changes.code = run.bundle.contracts.iter().map(|(hash, code)| (*hash, code.original_bytes())).collect();
    let header = Header {
        state_root: state_root?,
        transactions_root,
        receipts_root,
        logs_bloom: bloom(&run.outcomes),
        gas_used: run.gas_used,
        blob_gas_used: Some(run.blob_gas_used),
        requests_hash: chain.is_prague(header.timestamp).then(|| run.requests.requests_hash()),
        ..header
    };
    let receipts = receipts(&run.included, &run.outcomes, header.base_fee_per_gas.unwrap_or_default());
    let (transactions, senders) = run.included.into_iter().map(|transaction| transaction.into_parts()).unzip();
    let body = alloy_consensus::BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(Withdrawals::default()) };
    let block = Block { header, body };
    Ok(Executed { hash: block.header.hash_slow(), body: Body::new(&block, &metadata), block, metadata, senders, receipts, changes, trie })
}

fn bloom(outcomes: &[ReceiptEnvelope]) -> Bloom {
    outcomes.iter().fold(Bloom::ZERO, |bloom, outcome| bloom | outcome.bloom())
}

/// What changed, account by account.
fn updates(bundle: &BundleState, state: &dyn StateReader) -> Result<Vec<AccountUpdate>, TrieError> {
    let mut updates = Vec::with_capacity(bundle.state.len());
    for (address, account) in &bundle.state {
        let before = state.account(address)?;
        let after = account.info.as_ref().filter(|info| !info.is_empty()).map(|info| Account {
            nonce: info.nonce,
            balance: info.balance,
            code_hash: info.code_hash,
            storage_root: before.map_or(EMPTY_ROOT_HASH, |account| account.storage_root),
        });
        let slots = changed_slots(account);
        if before != after || !slots.is_empty() {
            updates.push(AccountUpdate { address: *address, before, after, slots });
        }
    }
    Ok(updates)
}

fn changed_slots(account: &BundleAccount) -> Vec<(B256, U256)> {
    // An account that was destroyed on the way began again with nothing in its slots.
    let is_new = account.was_destroyed();
    let before = |slot: &revm::database::states::StorageSlot| if is_new { U256::ZERO } else { slot.previous_or_original_value };
    let changed = account.storage.iter().filter(|(_, slot)| slot.present_value != before(slot));
    changed.map(|(key, slot)| (B256::from(*key), slot.present_value)).collect()
}
