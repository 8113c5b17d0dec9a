//! Everyone's reading glasses for what is committed: blocks, certificates, receipts, state.
//!
//! A [`Ledger`] outlives the storage actor behind it: while that restarts, reads fail with `Closed` and succeed again after. It is
//! opened on a database that has its genesis, so one that shows no block is closed, never empty.

use std::sync::Arc;

use alloy_rlp::Decodable;
use arc_swap::ArcSwapOption;
use consensus::core::Evidence;
use execution::{Account, Receipt, StateReader};
use primitives::{Address, B256, Body, Bytes, Certificate, Header, Height, Round, U256};
use storage::{AsOf, Keyspace, Lease, LogQuery, ReadError, Row, Undecided, View, keys};

/// Rows of the mempool that are read back at once.
const MAX_POOLED_ROWS: usize = 1 << 20;
/// Rows of the peer book: more than it ever has.
const MAX_PEER_ROWS: usize = 1 << 16;
/// Undecided bodies that one block drops.
const MAX_UNDECIDED_ROWS: usize = 1_024;

/// Read access to the committed chain. Clones read the same chain.
#[derive(Clone, Default)]
pub struct Ledger {
    lease: Arc<ArcSwapOption<Lease>>,
}

/// Where a committed block ends the chain.
#[derive(Clone, Debug)]
pub struct Head {
    pub header: Header,
    pub hash: B256,
}

/// Bytes in the database that cannot be what they must be.
fn corrupt(what: &str, error: impl std::fmt::Display) -> ReadError {
    ReadError::Io(format!("{what} is damaged: {error}"))
}

impl Ledger {
    /// The storage actor has opened the database.
    pub(crate) fn opened(&self, lease: Lease) {
        self.lease.store(Some(Arc::new(lease)));
    }

    /// The storage actor is about to close it.
    pub(crate) fn closed(&self) {
        self.lease.store(None);
    }

    pub fn is_open(&self) -> bool {
        // A writer that crashed has closed it without saying so here.
        self.lease().is_ok_and(|lease| lease.view().is_ok())
    }

    fn lease(&self) -> Result<Arc<Lease>, ReadError> {
        self.lease.load_full().ok_or(ReadError::Closed)
    }

    /// The height of the last committed block.
    pub fn tip(&self) -> Result<Height, ReadError> {
        self.lease()?.height().ok_or(ReadError::Closed)
    }

    /// The last committed block.
    pub fn head(&self) -> Result<Head, ReadError> {
        let tip = self.lease()?.tip().ok_or(ReadError::Closed)?;
        let header = self.header(tip.height)?.ok_or_else(|| corrupt("the header of the tip", "it is missing"))?;
        Ok(Head { header, hash: tip.hash })
    }

    pub fn header(&self, height: Height) -> Result<Option<Header>, ReadError> {
        let bytes = self.lease()?.get(Keyspace::Headers, &keys::height(height))?;
        bytes.map(|bytes| Header::decode(&mut &bytes[..]).map_err(|error| corrupt("a header", error))).transpose()
    }

    /// The block with its metadata.
    pub fn body(&self, height: Height) -> Result<Option<Body>, ReadError> {
        let bytes = self.encoded_body(height)?;
        bytes.map(|bytes| Body::decode(&bytes).map_err(|error| corrupt("a body", error))).transpose()
    }

    /// What `Body::encode` wrote.
    pub fn encoded_body(&self, height: Height) -> Result<Option<Bytes>, ReadError> {
        self.lease()?.get(Keyspace::Bodies, &keys::height(height))
    }

    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, ReadError> {
        let bytes = self.lease()?.get(Keyspace::Certificates, &keys::height(height))?;
        bytes.map(|bytes| rmp_serde::from_slice(&bytes).map_err(|error| corrupt("a certificate", error))).transpose()
    }

    pub fn height_of(&self, hash: &B256) -> Result<Option<Height>, ReadError> {
        Ok(self.lease()?.get(Keyspace::HeaderIndex, &keys::hash(hash))?.and_then(|bytes| keys::parse_height(&bytes)))
    }

    /// Height and index of a committed transaction.
    pub fn location(&self, hash: &B256) -> Result<Option<(Height, u32)>, ReadError> {
        let lease = self.lease()?;
        let found = lease.get(Keyspace::Transactions, &keys::hash(hash))?.and_then(|bytes| keys::parse_location(&bytes));
        // The row can be read a moment before its block is published, when nobody may see that block yet.
        Ok(found.filter(|(height, _)| lease.height().is_some_and(|tip| *height <= tip)))
    }

    pub fn receipts(&self, height: Height) -> Result<Option<Vec<Receipt>>, ReadError> {
        let bytes = self.lease()?.get(Keyspace::Receipts, &keys::height(height))?;
        bytes.map(|bytes| execution::decode_receipts(&bytes).map_err(|error| corrupt("a list of receipts", error))).transpose()
    }

    /// Up to `max` contradictions as consensus wrote them.
    pub fn evidence(&self, max: usize) -> Result<Vec<Evidence>, ReadError> {
        let rows = self.lease()?.range::<&[u8]>(Keyspace::Evidence, .., max)?;
        rows.iter().map(|row| rmp_serde::from_slice(&row.value).map_err(|error| corrupt("a piece of evidence", error))).collect()
    }

    /// Waiting transactions as the mempool wrote them, by hash.
    pub fn pooled(&self) -> Result<Vec<(B256, Bytes)>, ReadError> {
        let rows = self.lease()?.range::<&[u8]>(Keyspace::Mempool, .., MAX_POOLED_ROWS)?;
        Ok(rows.into_iter().filter_map(|row| Some((keys::parse_hash(&row.key)?, row.value))).collect())
    }

    /// The peer book as it was written.
    pub fn peer_rows(&self) -> Result<Vec<Row>, ReadError> {
        self.lease()?.range::<&[u8]>(Keyspace::Peers, .., MAX_PEER_ROWS)
    }

    /// The block on disk that was proposed in `round` of an undecided height.
    pub fn undecided_at(&self, height: Height, round: Round) -> Result<Option<B256>, ReadError> {
        self.lease()?.undecided_at(height, round)
    }

    /// An undecided block on disk.
    pub fn undecided_body(&self, hash: &B256) -> Result<Option<Bytes>, ReadError> {
        self.lease()?.undecided_body(hash)
    }

    /// Undecided bodies on disk at or below `height`.
    pub fn undecided_up_to(&self, height: Height) -> Result<Vec<Undecided>, ReadError> {
        self.lease()?.undecided_up_to(height, MAX_UNDECIDED_ROWS)
    }

    /// The account at the head.
    pub fn account(&self, address: &Address) -> Result<Option<Account>, ReadError> {
        account(self.lease()?.get(Keyspace::Accounts, &keys::account(address))?)
    }

    /// The state at the head, fixed.
    pub fn state(&self) -> Result<StateView, ReadError> {
        Ok(StateView(self.view()?.at_tip()))
    }

    /// The state after the block at `height`, fixed.
    pub fn state_at(&self, height: Height) -> Result<StateView, ReadError> {
        Ok(StateView(self.view()?.as_of(height)?))
    }

    /// Heights from `first` to `last` that may hold a log that is wanted; one that is left out holds none.
    pub fn log_heights(&self, query: &LogQuery, first: Height, last: Height) -> Result<Vec<Height>, ReadError> {
        self.view()?.log_heights(query, first..=last)
    }

    /// Everything as it is at the tip, fixed.
    pub(crate) fn view(&self) -> Result<View, ReadError> {
        self.lease()?.view().map_err(|error| if error == ReadError::Empty { ReadError::Closed } else { error })
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger(tip {:?})", self.tip())
    }
}

fn account(bytes: Option<Bytes>) -> Result<Option<Account>, ReadError> {
    bytes.map(|bytes| Account::decode(&mut &bytes[..]).map_err(|error| corrupt("an account", error))).transpose()
}

/// The state at one height, for execution.
#[derive(Clone)]
pub struct StateView(AsOf);

fn translate(error: ReadError) -> execution::ReadError {
    match error {
        ReadError::Closed => execution::ReadError::Closed,
        ReadError::NotKept { asked, from, to } => execution::ReadError::NotKept { asked, from, to },
        other => execution::ReadError::Io(other.to_string()),
    }
}

impl StateReader for StateView {
    fn height(&self) -> Height {
        self.0.height()
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, execution::ReadError> {
        account(self.0.get(Keyspace::Accounts, &keys::account(address)).map_err(translate)?).map_err(translate)
    }

    fn slot(&self, address: &Address, slot: &B256) -> Result<U256, execution::ReadError> {
        let bytes = self.0.get(Keyspace::Slots, &keys::slot(address, slot)).map_err(translate)?;
        Ok(bytes.map_or(U256::ZERO, |bytes| U256::from_be_slice(&bytes)))
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, execution::ReadError> {
        self.0.get(Keyspace::Code, &keys::hash(hash)).map_err(translate)
    }

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, execution::ReadError> {
        Ok(self.0.get(Keyspace::Trie, key).map_err(translate)?.map(|bytes| bytes.to_vec()))
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, execution::ReadError> {
        if self.height().0 < number {
            return Ok(None);
        }
        let bytes = self.0.get(Keyspace::Headers, &keys::height(Height(number))).map_err(translate)?;
        Ok(bytes.map(primitives::keccak256))
    }
}
