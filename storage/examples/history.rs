//! What keeping the past state costs: rows, bytes, time, and whether pruned rows leave the disk.
//!
//! `history [directory] [heights] [keys changed per height]`

use std::{
    error::Error,
    time::{Duration, Instant},
};

use primitives::{B256, Height, U256, keccak256};
use storage::{Batch, Config, Keyspace, Retention, Writer, keys};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Keys that blocks change at random, in each keyspace.
const POPULATION: u64 = 20_000;
/// Length of most changed values: branches of the trie.
const NODE_BYTES: usize = 532;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let mut number = |otherwise: u64| arguments.next().map_or(Ok(otherwise), |number| number.parse());
    let (heights, changed) = (number(2_000)?, number(100)?);
    println!("{heights} heights, each with {changed} changed accounts and {changed} changed trie nodes");
    println!("{:<14}{:>12}{:>12}{:>12}{:>12}{:>14}", "kept", "reading us", "commit us", "disk MiB", "rows left", "of these kept");
    for retention in [Retention::Heights(0), Retention::Heights(100), Retention::Archive] {
        run(&root, heights, changed, retention)?;
    }
    Ok(())
}

fn run(root: &std::path::Path, heights: u64, changed: u64, retention: Retention) -> Outcome<()> {
    let directory = tempfile::tempdir_in(root)?;
    let (mut writer, _) = Writer::open(directory.path(), Config::default_for_validator())?;
    let lease = writer.leases().lease("example");
    writer.commit(&[population()])?;
    let (mut reading, mut committing) = (Duration::ZERO, Duration::ZERO);
    for height in 1..=heights {
        let mut batch = block(height, changed);
        let started = Instant::now();
        batch.keep_history(&lease.view()?, retention)?;
        reading += started.elapsed();
        let started = Instant::now();
        writer.commit(&[batch])?;
        committing += started.elapsed();
    }
    let from = lease.view()?.kept_heights()?.from;
    let rows = lease.range::<&[u8]>(Keyspace::StateHistory, .., usize::MAX)?;
    let height = |row: &storage::Row| keys::parse_height(row.key.last_chunk::<8>()?);
    let kept = rows.iter().filter_map(height).filter(|height| from < *height).count();
    let each = |time: Duration| time.as_micros() as u64 / heights;
    let disk_mib = writer.usage().map_or(0, |usage| usage.disk_bytes >> 20);
    println!("{:<14}{:>12}{:>12}{disk_mib:>12}{:>12}{kept:>14}", format!("{retention:?}"), each(reading), each(committing), rows.len());
    Ok(())
}

fn population() -> Batch {
    let mut batch = Batch::for_height(Height(0), B256::ZERO);
    (0..POPULATION).for_each(|number| change(&mut batch, number, 0));
    batch
}

fn block(height: u64, changed: u64) -> Batch {
    let mut batch = Batch::for_height(Height(height), B256::from(U256::from(height)));
    for index in 0..changed {
        let number = keccak256((height * changed + index).to_be_bytes());
        change(&mut batch, u64::from_be_bytes([0, 0, 0, 0, 0, number[0], number[1], number[2]]) % POPULATION, height);
    }
    batch
}

fn change(batch: &mut Batch, number: u64, height: u64) {
    let name = keccak256(number.to_be_bytes());
    batch.put(Keyspace::Accounts, &name[..20], [&height.to_be_bytes()[..], &[1; 65]].concat());
    let path = [&[0, 6], &name[..3]].concat();
    batch.put(Keyspace::Trie, path, [&height.to_be_bytes()[..], &[1; NODE_BYTES - 8]].concat());
}
