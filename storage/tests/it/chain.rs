//! A chain whose contents follow from the height, so that every test knows what must be there.

use std::path::Path;

use primitives::{B256, Height, keccak256};
use storage::{Batch, Config, Keyspace, Lease, Opened, Tip, Writer, keys};
use tempfile::TempDir;

/// Accounts that every block changes.
const ACCOUNTS: u64 = 5;
/// Slots of which every block changes the next one.
const SLOTS: u64 = 7;

/// A directory for one test, in memory where the system offers that: no test here cuts the power, and thousands of syncs take minutes.
pub fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub fn config() -> Config {
    Config { cache_bytes: 1 << 20, reopen_bytes: 4 << 20, ..Config::default_for_validator() }
}

/// Tables are written every few blocks.
pub fn flushing() -> Config {
    Config { memtable_bytes: 4 << 10, ..config() }
}

pub fn open(directory: &Path) -> (Writer, Opened) {
    Writer::open(directory, config()).unwrap()
}

pub fn tip(height: u64) -> Tip {
    Tip { height: Height(height), hash: keccak256(height.to_be_bytes()) }
}

/// The block at `height`: rows of its own, and rows that every block overwrites.
pub fn block(height: u64) -> Batch {
    let Tip { height: number, hash } = tip(height);
    let mut batch = Batch::for_height(number, hash);
    batch.put(Keyspace::Headers, keys::height(number), hash.to_vec());
    batch.put(Keyspace::Bodies, keys::height(number), body(height));
    batch.put(Keyspace::HeaderIndex, keys::hash(&hash), keys::height(number));
    for account in 0..ACCOUNTS {
        batch.put(Keyspace::Accounts, account.to_be_bytes(), height.to_be_bytes());
    }
    batch.put(Keyspace::Slots, [(height % SLOTS) as u8], height.to_be_bytes());
    batch
}

/// Some are so large that the engine keeps them beside its tables.
pub fn body(height: u64) -> Vec<u8> {
    vec![height as u8; if height.is_multiple_of(8) { 5_000 } else { 300 }]
}

/// A loose batch with one row.
pub fn note(key: &str) -> Batch {
    let mut batch = Batch::loose();
    batch.put(Keyspace::Mempool, key, "waiting");
    batch
}

pub fn grow(writer: &mut Writer, to: u64) {
    let from = writer.tip().map_or(0, |tip| tip.height.0 + 1);
    for height in from..=to {
        writer.commit(&[block(height)]).unwrap();
    }
}

/// Whether everything up to `height` is there, and nothing else.
pub fn is_whole(lease: &Lease, height: u64) -> bool {
    let has_block = |number: u64| {
        let tip = tip(number);
        lease.get(Keyspace::Headers, &keys::height(tip.height)).unwrap() == Some(tip.hash.to_vec().into())
            && lease.get(Keyspace::Bodies, &keys::height(tip.height)).unwrap() == Some(body(number).into())
            && lease.get(Keyspace::HeaderIndex, &keys::hash(&tip.hash)).unwrap() == Some(keys::height(tip.height).to_vec().into())
    };
    let has_account = |account: u64| lease.get(Keyspace::Accounts, &account.to_be_bytes()).unwrap() == Some(height.to_be_bytes().to_vec().into());
    let has_slot = |number: u64| lease.get(Keyspace::Slots, &[(number % SLOTS) as u8]).unwrap() == Some(number.to_be_bytes().to_vec().into());
    let last = lease.last(Keyspace::Headers).unwrap().and_then(|row| keys::parse_height(&row.key));
    (0..=height).all(has_block)
        && (0..ACCOUNTS).all(has_account)
        && (height.saturating_sub(SLOTS - 1)..=height).all(has_slot)
        && last == Some(Height(height))
}

pub fn hash(byte: u8) -> B256 {
    B256::with_last_byte(byte)
}
