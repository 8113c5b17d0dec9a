//! What is read from the machine: time on the wall, time on the processors, memory in use.

use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

/// What doing something once has cost, in nanoseconds.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Of all threads of this process together: what counts on a machine that has other work.
    pub cpu_ns: f64,
    pub wall_ns: f64,
}

pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch { wall: Instant::now(), cpu: cpu() }
    }

    /// The cost since the start, divided among so many.
    pub fn each(&self, count: usize) -> Cost {
        let each = |time: Duration| time.as_nanos() as f64 / count as f64;
        Cost { cpu_ns: each(cpu().saturating_sub(self.cpu)), wall_ns: each(self.wall.elapsed()) }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Memory of this process that is in RAM, in bytes.
pub fn resident_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is read from /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc/self/status has no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// The value below which this part of all values lies.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

pub fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

pub fn millis(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e6
}
