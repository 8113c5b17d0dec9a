//! Journals written over with what they hold, so that what is read from them afterwards is what the next sync makes durable.
//!
//! A disk that runs full may say so only when it syncs. What was being written then counts as written though it never got there:
//! it can be read, and no later sync would say that it is missing. Written once more, it is new again, and either gets there or fails.
//! Besides, the engine keeps the end of a batch that found no room in a buffer, and writes it when it is closed: by then
//! there may be room, and the batch may be whole.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

/// What is written at once; where it is all zeros the file has a hole, which stays one.
const PIECE_BYTES: usize = 4096;

/// Writes every journal in `ledger` over with itself, and syncs it.
pub(crate) fn rewrite_journals(ledger: &Path) -> io::Result<()> {
    for entry in fs::read_dir(ledger)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            rewrite(&File::options().read(true).write(true).open(path)?)?;
        }
    }
    Ok(())
}

fn rewrite(file: &File) -> io::Result<()> {
    let (mut piece, mut offset) = (vec![0; PIECE_BYTES], 0);
    loop {
        let read = file.read_at(&mut piece, offset)?;
        if read == 0 {
            return file.sync_all();
        }
        if piece[..read].iter().any(|byte| *byte != 0) {
            file.write_all_at(&piece[..read], offset)?;
        }
        offset += read as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_journal_keeps_its_bytes_and_its_hole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("7.jnl");
        let file = File::create(&path).unwrap();
        file.set_len(64 << 20).unwrap();
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 100).map(|at| (at % 251) as u8).collect();
        file.write_all_at(&bytes, 0).unwrap();
        file.sync_all().unwrap();
        let before = fs::metadata(&path).unwrap().blocks();
        rewrite_journals(directory.path()).unwrap();
        let after = fs::read(&path).unwrap();
        assert_eq!((after.len(), &after[..bytes.len()]), (64 << 20, &bytes[..]));
        assert!(after[bytes.len()..].iter().all(|byte| *byte == 0));
        assert_eq!(fs::metadata(&path).unwrap().blocks(), before);
    }
}
