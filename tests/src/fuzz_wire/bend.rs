//! Damage to bytes.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

/// Bytes that mean something to somebody here: newlines, edges of MessagePack, lengths of byte stuffing, quotes and braces.
const TELLING: &[u8] =
    &[0, 1, 9, 10, 11, 13, 0x22, 0x5b, 0x7b, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xcf, 0xd9, 0xdc, 0xdd, 0xdf, 0xff];
/// Lengths that nobody has.
const CLAIMS: &[&[u8]] =
    &[&[0xdd, 0xff, 0xff, 0xff, 0xff], &[0xc6, 0xff, 0xff, 0xff, 0xff], &[0xdf, 0x7f, 0xff, 0xff, 0xff], b"[[[[[[[[[[", b"1e999", b"\\ud800"];
const MAX_CUTS: usize = 4;

/// Damages `bytes` in one to four places; `other` is what may be mixed in.
pub fn bend(bytes: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    for _ in 0..random.random_range(1..=MAX_CUTS) {
        once(bytes, other, random);
    }
}

fn once(bytes: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    let at = random.random_range(0..=bytes.len());
    let end = random.random_range(at..=bytes.len().min(at + 32));
    let telling = *TELLING.choose(random).unwrap_or(&0);
    match random.random_range(0..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = telling,
        2 => bytes.insert(at, telling),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        5 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        6 => {
            let claim = CLAIMS.choose(random).copied().unwrap_or_default();
            bytes.splice(at..at, claim.iter().copied());
        }
        _ => {
            let from = random.random_range(0..=other.len());
            bytes.splice(at..end, other[from..].iter().copied().take(64));
        }
    }
}
