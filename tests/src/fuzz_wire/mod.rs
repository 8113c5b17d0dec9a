//! Bytes that nobody should send, to the parts of the wire that read strangers' bytes: the splitter of frames, the decoders of
//! all messages in both codecs, and both sides of the handshake.
//!
//! Seeds are the samples of `docs/wire.md`, so every kind of message is among them. A case is made from the seed, its target and
//! its number alone; whoever finds something can have it again.

mod bend;
mod decoder;
mod handshake;
mod seeds;
mod splitter;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::StdRng};

use self::seeds::Seeds;

/// Findings after which a target is left.
const MAX_FINDINGS: usize = 10;
/// No case may take longer, but for those that wait for a deadline.
const SLOW: Duration = Duration::from_secs(1);
/// The chain of the samples.
const CHAIN: u64 = 1337;

/// What is put to the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Splitter,
    Decoder,
    /// Hellos and proofs, without TLS around them.
    Introduction,
    /// All of it, over a connection that damages bytes.
    Handshake,
}

impl Target {
    const ALL: [Self; 4] = [Self::Splitter, Self::Decoder, Self::Introduction, Self::Handshake];

    fn name(self) -> &'static str {
        match self {
            Self::Splitter => "frame splitter",
            Self::Decoder => "message decoders",
            Self::Introduction => "hello and proof",
            Self::Handshake => "handshake over damaged bytes",
        }
    }
}

/// What became of one target.
#[derive(Clone, Debug)]
pub struct Fuzzed {
    pub target: &'static str,
    pub cases: u64,
    /// What must not be, each with what it takes to have it again.
    pub findings: Vec<String>,
}

/// Puts every target to the test for its share of `length`.
pub fn run(seed: u64, length: Duration) -> anyhow::Result<Vec<Fuzzed>> {
    let seeds = Seeds::of_the_page()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let share = length / Target::ALL.len() as u32;
    Ok(Target::ALL.iter().map(|target| put_to_the_test(*target, seed, share, &seeds, &runtime)).collect())
}

fn put_to_the_test(target: Target, seed: u64, length: Duration, seeds: &Seeds, runtime: &tokio::runtime::Runtime) -> Fuzzed {
    let mut fuzzed = Fuzzed { target: target.name(), cases: 0, findings: Vec::new() };
    let began = Instant::now();
    // One at least, however slow the machine is.
    while fuzzed.cases == 0 || (began.elapsed() < length && fuzzed.findings.len() < MAX_FINDINGS) {
        let number = fuzzed.cases;
        fuzzed.cases += 1;
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| match target {
            Target::Splitter => splitter::case(seeds, &mut random),
            Target::Decoder => decoder::case(seeds, &mut random),
            Target::Introduction => runtime.block_on(handshake::introduction(seeds, &mut random)),
            Target::Handshake => runtime.block_on(handshake::whole(&mut random)),
        }));
        let waits = matches!(target, Target::Introduction | Target::Handshake);
        let wrong = match outcome {
            Ok(Ok(())) if !waits && SLOW < begun.elapsed() => Some(format!("it took {:?}", begun.elapsed())),
            Ok(Ok(())) => None,
            Ok(Err(wrong)) => Some(wrong),
            Err(_) => Some("it panicked".to_owned()),
        };
        fuzzed.findings.extend(wrong.map(|wrong| format!("{}, seed {seed}, case {number}: {wrong}", target.name())));
    }
    fuzzed
}
