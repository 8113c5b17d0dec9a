//! What a power cut would leave, read byte by byte.

use std::{cell::Cell, path::Path};

use primitives::{Disk, Height, LossyDisk};

/// A disk that holds what a power cut would leave of `disk`: a backup.
pub fn copy(disk: &LossyDisk) -> LossyDisk {
    let backup = LossyDisk::new();
    disk.any_durable(|path, bytes| {
        let copied = backup.open(path).and_then(|mut file| file.write_at(0, bytes).and_then(|()| file.sync()));
        let named = backup.sync_directory(path.parent().unwrap_or(Path::new("")));
        copied.and(named).expect("a memory disk takes files");
        false
    });
    backup
}

/// Whether any durable file holds `body`, wherever it is kept: by itself, in a journal, in the ledger.
pub fn holds_body(disk: &LossyDisk, body: &[u8]) -> bool {
    let finder = memchr::memmem::Finder::new(body);
    disk.any_durable(|_, bytes| finder.find(bytes).is_some())
}

/// Whether a durable journal holds `signature`, and the durable promise is of `height` or above: what a message needs before it leaves.
pub fn may_leave(disk: &LossyDisk, height: Height, signature: &[u8]) -> bool {
    let finder = memchr::memmem::Finder::new(signature);
    let is_promised = disk.any_durable(|path, bytes| is_promise(path) && height.0 <= slot_height(bytes, 0).max(slot_height(bytes, 4096)));
    is_promised && disk.any_durable(|path, bytes| is_journal(path) && finder.find(bytes).is_some())
}

/// The durable promise of a disk, if there is no durable journal of that height or a later one beside it.
///
/// A first promise is made at height 0, before anything was signed. A promise has two slots 4096 bytes apart, the height at
/// byte 68 of each, big endian. A journal begins with two copies of its header, 4096 bytes apart, the height at byte 24 of each.
pub fn lacks_journal(disk: &LossyDisk) -> Option<Height> {
    let (promised, journalled) = (Cell::new(0), Cell::new(0));
    disk.any_durable(|path, bytes| {
        if is_promise(path) {
            promised.set(promised.get().max(slot_height(bytes, 0)).max(slot_height(bytes, 4096)));
        }
        if is_journal(path) {
            journalled.set(journalled.get().max(journal_height(bytes)));
        }
        false
    });
    (journalled.get() < promised.get()).then(|| Height(promised.get()))
}

fn is_promise(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "promise")
}

fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wal")
}

fn slot_height(bytes: &[u8], offset: usize) -> u64 {
    let height = bytes.get(offset + 68..offset + 76).and_then(|bytes| bytes.try_into().ok());
    height.map_or(0, u64::from_be_bytes)
}

fn journal_height(bytes: &[u8]) -> u64 {
    let copies = [bytes.get(24..32), bytes.get(4096 + 24..4096 + 32)];
    let heights = copies.into_iter().flatten().filter_map(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    heights.max().unwrap_or(0)
}
