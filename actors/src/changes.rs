//! What execution changed, as rows of the database.

use alloy_rlp::Encodable;
use execution::{GenesisError, StateChanges, genesis_state};
use primitives::{Bytes, Genesis, Height, U256};
use storage::{Batch, Keyspace, keys};

/// The rows of block 0.
pub(crate) fn genesis_batch(genesis: &Genesis) -> Result<Batch, GenesisError> {
    let state = genesis_state(genesis)?;
    let mut batch = Batch::for_height(Height::GENESIS, state.hash);
    batch.put(Keyspace::Headers, keys::height(Height::GENESIS), alloy_rlp::encode(&state.header));
    batch.put(Keyspace::HeaderIndex, keys::hash(&state.hash), keys::height(Height::GENESIS));
    put_state(&mut batch, &state.changes);
    Ok(batch)
}

/// Accounts, slots, code and trie nodes.
pub(crate) fn put_state(batch: &mut Batch, changes: &StateChanges) {
    for (address, account) in &changes.accounts {
        match account {
            Some(account) => batch.put(Keyspace::Accounts, keys::account(address), alloy_rlp::encode(account)),
            None => batch.remove(Keyspace::Accounts, keys::account(address)),
        }
    }
    for ((address, slot), value) in &changes.slots {
        match *value {
            U256::ZERO => batch.remove(Keyspace::Slots, keys::slot(address, slot)),
            value => batch.put(Keyspace::Slots, keys::slot(address, slot), value.to_be_bytes_trimmed_vec()),
        }
    }
    for (hash, code) in &changes.code {
        batch.put(Keyspace::Code, keys::hash(hash), code.to_vec());
    }
    for (key, node) in &changes.nodes {
        match node {
            Some(node) => batch.put(Keyspace::Trie, key.as_slice(), node.to_vec()),
            None => batch.remove(Keyspace::Trie, key.as_slice()),
        }
    }
}

/// RLP of anything.
pub(crate) fn rlp(value: &impl Encodable) -> Bytes {
    alloy_rlp::encode(value).into()
}
