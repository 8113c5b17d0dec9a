//! How long it takes to find a rare log among many, and what indexing them costs.
//!
//! `logs [directory] [heights] [logs per height]`; a million logs when nothing is said.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use primitives::{Address, B256, Height, U256, keccak256};
use storage::{Batch, Config, Keyspace, LogQuery, View, Writer};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One log of so many has the rare receiver.
const ONE_IN: u64 = 100_000;
const CONTRACT: Address = Address::repeat_byte(0xc0);
const TRANSFER: B256 = B256::repeat_byte(0xdd);
/// How often each question is asked.
const ASKED: u32 = 20;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = match arguments.next() {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let mut number = |otherwise: u64| arguments.next().map_or(Ok(otherwise), |number| number.parse());
    let (heights, logs) = (number(10_000)?, number(100)?);
    let (mut writer, _) = Writer::open(directory.path(), Config::default_for_validator())?;
    let lease = writer.leases().lease("example");
    writer.commit(&[Batch::for_height(Height(0), B256::ZERO)])?;
    let (mut plain, mut indexing, mut rows) = (Duration::ZERO, Duration::ZERO, 0);
    for height in 1..=heights {
        let logs = (0..logs).map(|index| topics((height - 1) * logs + index)).collect::<Vec<_>>();
        let mut batch = Batch::for_height(Height(height), B256::from(U256::from(height)));
        // About what receipts of so many logs take up.
        batch.put(Keyspace::Receipts, height.to_be_bytes(), vec![height as u8; logs.len() * 250]);
        let started = Instant::now();
        batch.index_logs(&lease.view()?, logs.iter().map(|topics| (&CONTRACT, topics.as_slice())))?;
        indexing += started.elapsed();
        rows += batch.len() - 1;
        let started = Instant::now();
        writer.commit(&[batch])?;
        plain += started.elapsed();
    }
    let total = (heights * logs) as f64;
    println!("{total} logs at {heights} heights: {:.2} rows a log, {:.2} us to index it", rows as f64 / total, indexing.as_secs_f64() * 1e6 / total);
    println!(
        "commit of a height: {:.1?}; the database takes {} MiB",
        plain / heights as u32,
        writer.usage().map_or(0, |usage| usage.disk_bytes >> 20)
    );
    questions(&lease.view()?, Height(heights))
}

/// A transfer from somebody to somebody, once in a while to the rare one.
fn topics(log: u64) -> [B256; 3] {
    let somebody = |salt: u64| B256::from(U256::from_be_slice(&keccak256((log * 2 + salt).to_be_bytes())[..2]));
    let receiver = if log.is_multiple_of(ONE_IN) { rare() } else { somebody(1) };
    [TRANSFER, somebody(0), receiver]
}

fn rare() -> B256 {
    B256::repeat_byte(0xab)
}

fn questions(view: &View, last: Height) -> Outcome<()> {
    let all = || LogQuery { addresses: vec![CONTRACT], topics: [vec![TRANSFER], vec![], vec![], vec![]] };
    let with = |place: usize, values: Vec<B256>| {
        let mut query = all();
        query.topics[place] = values;
        query
    };
    let somebody = |number: u64| B256::from(U256::from(number));
    println!("{:<58}{:>9}{:>12}", "question over all heights", "heights", "took");
    ask(view, last, "a rare receiver of a common event of a contract", &with(2, vec![rare()]))?;
    ask(view, last, "the rare receiver alone", &LogQuery { addresses: vec![], topics: [vec![], vec![], vec![rare()], vec![]] })?;
    ask(view, last, "a receiver of 15 logs", &with(2, vec![somebody(7)]))?;
    ask(view, last, "any of 10 receivers", &with(2, (0..10).map(somebody).collect()))?;
    ask(view, last, "any of 1,000 receivers", &with(2, (0..1_000).map(somebody).collect()))?;
    ask(view, last, "who is not there", &with(2, vec![B256::repeat_byte(0xee)]))?;
    ask(view, last, "everything of a contract (every height)", &all())
}

fn ask(view: &View, last: Height, name: &str, query: &LogQuery) -> Outcome<()> {
    let started = Instant::now();
    let mut found = Vec::new();
    for _ in 0..ASKED {
        found = view.log_heights(query, Height(1)..=last)?;
    }
    println!("{name:<58}{:>9}{:>12.1?}", found.len(), started.elapsed() / ASKED);
    Ok(())
}
