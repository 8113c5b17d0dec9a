//! Who holds the system's lock on a file, when the file itself does not say so.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
};

/// The process that has locked `file`; none where the system does not tell.
pub(crate) fn holder(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    find(&fs::read_to_string("/proc/locks").ok()?, metadata.dev(), metadata.ino())
}

/// Finds the lock in lines such as `7: FLOCK  ADVISORY  WRITE 4711 fd:01:123456 0 EOF`.
fn find(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        // Who waits for a lock has an arrow instead.
        let is_held = words.next() == Some("FLOCK");
        let (pid, at) = (words.nth(2)?, words.next()?);
        // A process that we cannot see has no number here.
        pid.parse().ok().filter(|pid| is_held && at == place && 0 < *pid)
    })
}

fn major(device: u64) -> u64 {
    ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff)
}

fn minor(device: u64) -> u64 {
    (device & 0xff) | ((device >> 12) & 0xff_ff_ff_00)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 1 fd:01:7 0 EOF\n2: FLOCK  ADVISORY  WRITE 42 fd:01:7 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 43 fd:01:7 0 EOF\n3: FLOCK  ADVISORY  WRITE 0 00:1a:8 0 EOF\nrubbish";
        assert_eq!(find(locks, 0xfd01, 7), Some(42));
        assert_eq!(find(locks, 0xfd02, 7), None);
        assert_eq!(find(locks, 0x1a, 8), None);
    }

    #[test]
    fn a_lock_of_this_process_is_its_own() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(holder(&file), None);
        file.lock().unwrap();
        // Not every system tells, and not every file system tells the truth.
        assert!(holder(&file).is_none_or(|pid| pid == std::process::id()));
    }
}
