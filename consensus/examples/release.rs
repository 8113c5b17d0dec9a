//! What a release costs on this disk: `cargo run --release -p consensus --example release -- DIRECTORY`.

use std::{
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use consensus::{
    Entry,
    entry::{Step, TimeoutEntry},
    signer::{Action, Identity, Incarnation, Signer},
};
use primitives::{Address, B256, Filesystem, Height, Round};

const HEIGHTS: u64 = 200;
const RELEASES: u32 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: release DIRECTORY")?;
    let identity = Identity { genesis: B256::ZERO, key: Address::ZERO };
    let life = Incarnation(1);
    let mut signer = Signer::open(Arc::new(Filesystem::at(&directory)), identity, B256::ZERO)?;
    signer.settle(Action::Begin)?;
    signer.take_over(life)?;
    let (mut first, mut later) = (Vec::new(), Vec::new());
    let start = signer.promised().unwrap_or_default().0 + 1;
    for height in (start..start + HEIGHTS).map(Height) {
        signer.start_height(life, height)?;
        for release in 0..RELEASES {
            let begun = Instant::now();
            for round in 0..5 {
                signer.append(life, &Entry::Timeout(TimeoutEntry { height, round: Round(round), step: Step::Propose }))?;
            }
            signer.release(life, Vec::new())?;
            if release == 0 { first.push(begun.elapsed()) } else { later.push(begun.elapsed()) }
        }
        signer.committed(height);
    }
    let mut out = std::io::stdout();
    writeln!(out, "first release of a height  p50 {:>6} us  p99 {:>6} us", at(&mut first, 50), at(&mut first, 99))?;
    writeln!(out, "every later release        p50 {:>6} us  p99 {:>6} us", at(&mut later, 50), at(&mut later, 99))?;
    Ok(())
}

fn at(times: &mut [Duration], percent: usize) -> u128 {
    times.sort();
    times.get((times.len() - 1) * percent / 100).map_or(0, Duration::as_micros)
}
