//! What a process costs, as the kernel counts it.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

/// What Linux shows to programs, on every architecture we run on (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;
/// Place in the statistics of a block device.
const SECTORS_WRITTEN: usize = 6;
/// Whatever the device's own sectors are.
const SECTOR_BYTES: u64 = 512;

/// CPU time that a process has used so far, in user space and in the kernel; zero when it is gone.
pub fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; what follows it does not.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_secs_f64((ticks(11) + ticks(12)) as f64 / TICKS_PER_SECOND)
}

/// Bytes written so far to the disk that holds `path`, by everybody; none where the kernel does not say.
///
/// What it says of a single process is of no use: it counts a large page of the cache whole for one byte written to it.
pub fn written_to_disk(path: &Path) -> Option<u64> {
    let device = fs::metadata(path).ok()?.dev();
    let text = fs::read_to_string(format!("/sys/dev/block/{}:{}/stat", rustix::fs::major(device), rustix::fs::minor(device))).ok()?;
    let sectors: u64 = text.split_whitespace().nth(SECTORS_WRITTEN)?.parse().ok()?;
    Some(sectors * SECTOR_BYTES)
}

/// Resident memory of a process in MiB; zero when it is gone.
pub fn rss_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_one_that_is_not_there_has_none() {
        assert!(rss_mib(std::process::id()) > 1.0);
        assert_eq!((rss_mib(u32::MAX), cpu(u32::MAX)), (0.0, Duration::ZERO));
    }
}
