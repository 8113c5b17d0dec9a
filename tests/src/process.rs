//! What a process costs, as the kernel counts it.

use std::{fs, time::Duration};

/// What Linux shows to programs, on every architecture we run on (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time that a process has used so far, in user space and in the kernel; zero when it is gone.
pub fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; what follows it does not.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_secs_f64((ticks(11) + ticks(12)) as f64 / TICKS_PER_SECOND)
}

/// Bytes that a process has made the disk write so far, in whole pages; none when it is gone.
pub fn written_to_disk(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse().ok()).unwrap_or_default()
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
