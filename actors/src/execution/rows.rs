//! The one batch that a height writes.

use execution::{Changes, encode_receipts};
use primitives::Certificate;
use storage::{Batch, Keyspace, ReadError, Retention, Undecided, View, keys};

use crate::changes::{put_state, rlp};

/// Block, metadata, certificate, state, trie, receipts and indexes of a decided block; included transactions leave the pool's
/// rows, and `undecided` bodies of this height and below are dropped. What the state was in `before`, at the height below, is kept.
pub(super) fn rows(
    changes: &Changes,
    certificate: &Certificate,
    undecided: &[Undecided],
    before: &View,
    retention: Retention,
) -> Result<Batch, ReadError> {
    let (block, height) = (&changes.block, changes.height);
    let key = keys::height(height);
    let mut batch = Batch::for_height(height, changes.hash);
    batch.put(Keyspace::Headers, key, rlp(block.header()));
    batch.put(Keyspace::Bodies, key, block.body.encode());
    batch.put(Keyspace::Certificates, key, rmp_serde::to_vec(certificate).expect("a certificate always has a MessagePack form"));
    batch.put(Keyspace::HeaderIndex, keys::hash(&changes.hash), key);
    batch.put(Keyspace::Receipts, key, encode_receipts(&block.receipts));
    for (index, hash) in (0u32..).zip(block.transaction_hashes()) {
        batch.put(Keyspace::Transactions, keys::hash(&hash), keys::location(height, index));
        batch.remove(Keyspace::Mempool, keys::hash(&hash));
    }
    put_state(&mut batch, &block.changes);
    batch.drop_undecided(undecided);
    let logs = block.receipts.iter().flat_map(|receipt| &receipt.logs);
    batch.index_logs(before, logs.map(|log| (&log.address, log.topics())))?;
    batch.keep_history(before, retention)?;
    Ok(batch)
}
