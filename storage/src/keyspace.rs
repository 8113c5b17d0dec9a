//! The keyspaces of a chain and how each is laid out on disk.

use std::fmt;

use fjall::{
    CompressionType, KeyspaceCreateOptions, KvSeparationOptions,
    config::{CompressionPolicy, HashRatioPolicy},
};

/// A part of the database with its own order of keys. Module [`crate::keys`] makes the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keyspace {
    /// Small facts by name. Names that begin with a zero byte belong to this crate.
    Meta,
    /// Height to header RLP.
    Headers,
    /// Height to the encoded [`primitives::Body`].
    Bodies,
    /// Height to the commit certificate.
    Certificates,
    /// Block hash to height.
    HeaderIndex,
    /// Transaction hash to height and index.
    Transactions,
    /// Height to the receipts of its block.
    Receipts,
    /// Address to account.
    Accounts,
    /// Address and slot key to value.
    Slots,
    /// Code hash to code.
    Code,
    /// Path to trie node.
    Trie,
    /// Transactions that wait, as the mempool keeps them.
    Mempool,
    /// The peer book.
    Peers,
    /// Block hash to the body of an undecided block.
    Undecided,
    /// Height and round to the hash of an undecided block.
    UndecidedRounds,
    /// Proof of somebody's equivocation.
    Evidence,
    /// What accounts, slots and trie nodes were before; module [`crate::history`].
    StateHistory,
    /// Which heights hold which logs; module [`crate::log_index`].
    LogIndex,
}

/// What a keyspace is mostly asked.
enum Access {
    /// Many small values, read one by one.
    Points,
    /// Large values, written once and read rarely.
    Bulk,
    /// Many small values, looked for by what comes next.
    Neighbours,
    /// Neither.
    Plain,
}

/// Values larger than this are kept beside the tables of bulk keyspaces, in bytes.
const SEPARATED_VALUE_BYTES: u32 = 4 << 10;

impl Keyspace {
    /// How many there are.
    pub const COUNT: usize = 18;

    /// Every keyspace, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Meta,
        Self::Headers,
        Self::Bodies,
        Self::Certificates,
        Self::HeaderIndex,
        Self::Transactions,
        Self::Receipts,
        Self::Accounts,
        Self::Slots,
        Self::Code,
        Self::Trie,
        Self::Mempool,
        Self::Peers,
        Self::Undecided,
        Self::UndecidedRounds,
        Self::Evidence,
        Self::StateHistory,
        Self::LogIndex,
    ];

    /// Its name on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Certificates => "certificates",
            Self::HeaderIndex => "header_index",
            Self::Transactions => "transactions",
            Self::Receipts => "receipts",
            Self::Accounts => "accounts",
            Self::Slots => "slots",
            Self::Code => "code",
            Self::Trie => "trie",
            Self::Mempool => "mempool",
            Self::Peers => "peers",
            Self::Undecided => "undecided",
            Self::UndecidedRounds => "undecided_rounds",
            Self::Evidence => "evidence",
            Self::StateHistory => "state_history",
            Self::LogIndex => "log_index",
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The format of data directories that has it since.
    pub(crate) fn since(self) -> u32 {
        match self {
            Self::StateHistory | Self::LogIndex => 2,
            _ => 1,
        }
    }

    fn access(self) -> Access {
        match self {
            Self::Accounts | Self::Slots | Self::Trie | Self::HeaderIndex | Self::Transactions => Access::Points,
            Self::Bodies | Self::Receipts => Access::Bulk,
            Self::StateHistory | Self::LogIndex => Access::Neighbours,
            _ => Access::Plain,
        }
    }

    pub(crate) fn is_busy(self) -> bool {
        matches!(self, Self::Accounts | Self::Slots | Self::Trie | Self::StateHistory)
    }

    /// How the keyspace is made when it does not exist yet.
    pub(crate) fn options(self) -> KeyspaceCreateOptions {
        // Memtables are sealed by the writer: module `memtables`.
        let options = KeyspaceCreateOptions::default().max_memtable_size(u64::MAX);
        match self.access() {
            // Hashes do not compress; a hash index in each block saves the binary search.
            Access::Points => options
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
                .data_block_hash_ratio_policy(HashRatioPolicy::all(0.75)),
            // Compactions would rewrite bodies again and again.
            Access::Bulk => options.with_kv_separation(Some(KvSeparationOptions::default().separation_threshold(SEPARATED_VALUE_BYTES))),
            Access::Neighbours => options.data_block_compression_policy(CompressionPolicy::all(CompressionType::None)),
            Access::Plain => options,
        }
    }
}

impl fmt::Display for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyspace_stands_at_its_own_number() {
        for (number, keyspace) in Keyspace::ALL.into_iter().enumerate() {
            assert_eq!(keyspace.index(), number);
        }
    }
}
