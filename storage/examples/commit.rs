//! How long a synced commit takes, and what each part of it adds.
//!
//! `commit [directory] [commits]`; the directory should be on the disk that counts.

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use primitives::{B256, Disk, Filesystem, Height};
use storage::{Batch, Config, Keyspace, Writer, keys};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let directory = match arguments.next() {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let commits = arguments.next().map_or(Ok(1_000), |number| number.parse())?;
    let at = |name: &str| directory.path().join(name);
    // First, while no freed memory of others can be reused.
    memory(&at("memory"), commits)?;
    println!("{:<58}{:>8}{:>8}{:>12}", "", "p50 us", "p99 us", "per second");
    tip_file(&at("tip"), commits)?;
    bare_engine(&at("bare-1"), 1, commits)?;
    bare_engine(&at("bare-16"), Keyspace::COUNT, commits)?;
    loose(&at("loose"), commits)?;
    heights(&at("empty"), "height batch without rows", 0, commits)?;
    heights(&at("small"), "height batch, a row in every keyspace", 1, commits)?;
    heights(&at("large"), "height batch, 64 rows in every keyspace", 64, commits / 10)?;
    for members in [2, 8, 32] {
        group(&at(&format!("group-{members}")), members, commits / 10)?;
    }
    reads(&at("reads"))
}

/// A record of 100 bytes written in place and synced: the floor.
fn tip_file(directory: &Path, commits: usize) -> Outcome {
    let mut file = Filesystem::at(directory).open(Path::new("file"))?;
    file.write_at(0, &[0; 8192])?;
    file.sync()?;
    measure("100 bytes in a preallocated file", 1, commits, |number| {
        file.write_at(4096 * (number % 2), &[number as u8; 100])?;
        Ok(file.sync()?)
    })
}

/// One small row in each of so many keyspaces, without leases, stamps and tip file.
fn bare_engine(directory: &Path, keyspaces: usize, commits: usize) -> Outcome {
    let database = fjall::Database::builder(directory).open()?;
    let open = |number: usize| database.keyspace(&format!("k{number}"), fjall::KeyspaceCreateOptions::default);
    let keyspaces = (0..keyspaces).map(open).collect::<Result<Vec<_>, _>>()?;
    measure(&format!("bare engine, a row in each of {} keyspaces", keyspaces.len()), 1, commits, |number| {
        let mut batch = database.batch().durability(Some(fjall::PersistMode::SyncAll));
        keyspaces.iter().for_each(|keyspace| batch.insert(keyspace, "height", number.to_be_bytes()));
        Ok(batch.commit()?)
    })
}

fn loose(directory: &Path, commits: usize) -> Outcome {
    let (mut writer, _) = Writer::open(directory, Config::default_for_validator())?;
    measure("loose batch with one row of 200 bytes", 1, commits, |number| {
        let mut batch = Batch::loose();
        batch.put(Keyspace::Mempool, number.to_be_bytes(), [7; 200]);
        writer.commit(&[batch])?;
        Ok(())
    })
}

fn heights(directory: &Path, name: &str, rows: u64, commits: usize) -> Outcome {
    let (mut writer, _) = Writer::open(directory, Config::default_for_validator())?;
    measure(name, 1, commits, |number| {
        writer.commit(&[block(number, rows)])?;
        Ok(())
    })?;
    let started = Instant::now();
    writer.close()?;
    let closed = started.elapsed();
    let (_writer, _) = Writer::open(directory, Config::default_for_validator())?;
    println!("    closed in {closed:.1?}, open again after {:.1?}", started.elapsed() - closed);
    Ok(())
}

/// A block and waiting transactions in one synced group.
fn group(directory: &Path, members: u64, commits: usize) -> Outcome {
    let (mut writer, _) = Writer::open(directory, Config::default_for_validator())?;
    measure(&format!("group of a height batch and {} loose ones, per batch", members - 1), members, commits, |number| {
        let mut batches = vec![block(number, 1)];
        for member in 1..members {
            let mut batch = Batch::loose();
            batch.put(Keyspace::Mempool, keys::location(Height(number), member as u32), [7; 200]);
            batches.push(batch);
        }
        writer.commit(&batches)?;
        Ok(())
    })
}

/// What borrowing a handle for each read costs.
fn reads(directory: &Path) -> Outcome {
    const READS: u32 = 1_000_000;
    let (mut writer, _) = Writer::open(directory, Config::default_for_validator())?;
    writer.commit(&[block(0, 64)])?;
    let lease = writer.leases().lease("example");
    let view = lease.view()?;
    let key = row_key(0, 7);
    let time = |read: &dyn Fn() -> Outcome| -> Result<Duration, Box<dyn Error>> {
        let started = Instant::now();
        (0..READS).try_for_each(|_| read())?;
        Ok(started.elapsed() / READS)
    };
    let by_lease = time(&|| Ok(lease.get(Keyspace::Accounts, &key).map(drop)?))?;
    let by_view = time(&|| Ok(view.get(Keyspace::Accounts, &key).map(drop)?))?;
    let making = time(&|| Ok(lease.view().map(drop)?))?;
    println!("point read from memory: {by_lease:?} by a lease, {by_view:?} by a view; a view is made in {making:?}");
    Ok(())
}

/// What four open databases keep in memory after so many small blocks.
fn memory(directory: &Path, commits: usize) -> Outcome {
    const NODES: usize = 4;
    let before = resident_kib()?;
    let mut writers = Vec::new();
    for node in 0..NODES {
        writers.push(Writer::open(&directory.join(node.to_string()), Config::default_for_validator())?.0);
    }
    let idle = resident_kib()?;
    for height in 0..commits as u64 {
        writers.iter_mut().try_for_each(|writer| writer.commit(&[block(height, 1)]).map(drop))?;
    }
    let grown = resident_kib()?;
    let each = |kib: u64| kib.saturating_sub(before) / NODES as u64;
    println!("resident KiB for each of {NODES} databases: {} when new, {} after {commits} blocks", each(idle), each(grown));
    Ok(())
}

fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn block(height: u64, rows: u64) -> Batch {
    let mut batch = Batch::for_height(Height(height), B256::left_padding_from(&height.to_be_bytes()));
    for keyspace in Keyspace::ALL {
        (0..rows).for_each(|row| batch.put(keyspace, row_key(height, row), [row as u8; 70]));
    }
    batch
}

/// Keys spread as hashes are.
fn row_key(height: u64, row: u64) -> [u8; 32] {
    let mut key = primitives::keccak256([height.to_be_bytes(), row.to_be_bytes()].concat()).0;
    key[0] |= 1;
    key
}

fn measure(name: &str, members: u64, commits: usize, mut commit: impl FnMut(u64) -> Outcome) -> Outcome {
    let mut times = Vec::with_capacity(commits);
    for number in 0..commits as u64 {
        let started = Instant::now();
        commit(number)?;
        times.push(started.elapsed());
    }
    times.sort();
    let total = times.iter().sum::<Duration>().as_secs_f64();
    let percentile = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
    println!("{name:<58}{:>8}{:>8}{:>12.0}", percentile(50), percentile(99), (times.len() as u64 * members) as f64 / total);
    Ok(())
}
