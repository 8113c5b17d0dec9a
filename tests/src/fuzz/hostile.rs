//! Values that nobody expects, as JSON or as what only looks like it.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;

/// Written as they are.
const SMALL: [&str; 54] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.5",
    "1e3",
    "1e400",
    "-1e-400",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "[{}]",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"0x\"",
    "\"0X1\"",
    "\"0x0X1\"",
    "\"0x0x1\"",
    "\"0xg\"",
    "\"0x1 \"",
    "\" 0x1\"",
    "\"0x-1\"",
    "\"-0x1\"",
    "\"0x+1\"",
    "\"0x1.5\"",
    "\"0x01\"",
    "\"0x00000000000000000000000001\"",
    "\"0xffffffffffffffff\"",
    "\"0x10000000000000000\"",
    "\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"",
    "\"0x10000000000000000000000000000000000000000000000000000000000000000\"",
    "\"latest\"",
    "\"LATEST\"",
    "\"earliest\"",
    "\"\\u0000\"",
    "\"0x\\u0031\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\u{202e}0x1\"",
    "\"\u{ff10}x\u{ff11}\"",
    "\"\u{1f98e}\"",
    "\"'; drop table blocks; --\"",
    "\"../../../etc/passwd\"",
    "{\"blockHash\":null,\"blockNumber\":null}",
    "{\"requireCanonical\":true}",
    "{\"blockNumber\":\"0x0\",\"blockNumber\":\"0x1\"}",
    "{\"\":{}}",
];
/// Lengths around those of hashes, addresses and words, in digits.
const LENGTHS: [usize; 12] = [1, 2, 39, 40, 41, 42, 63, 64, 65, 66, 128, 300];
const DEPTHS: [usize; 4] = [3, 64, 130, 5_000];
/// Long, and very long now and then.
const LONG_BYTES: usize = 20_000;
const VERY_LONG_BYTES: usize = 1 << 20;
const VERY_LONG_EVERY: u32 = 40;
/// Entries of a list, more than any list may have.
const MANY: usize = 3_000;

/// One of them.
pub fn text(random: &mut StdRng) -> String {
    match random.random_range(0..20) {
        0 => deep(random, "[", "]"),
        1 => deep(random, "{\"a\":", "}"),
        2 => format!("\"{}\"", "a".repeat(long(random))),
        3 => format!("\"0x{}\"", "ab".repeat(long(random) / 2)),
        4 => "9".repeat(long(random).min(LONG_BYTES)),
        5 => format!("[{}]", vec![SMALL.choose(random).copied().unwrap_or_default(); MANY].join(",")),
        6 => wide(random),
        7..=9 => json!(format!("0x{}", digits(random))).to_string(),
        _ => SMALL.choose(random).copied().unwrap_or_default().to_owned(),
    }
}

/// Hexadecimal text made wrong, or nearly so.
pub fn bent_hex(text: &str, random: &mut StdRng) -> String {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    match random.random_range(0..10) {
        0 => format!("0X{digits}"),
        1 => digits.to_owned(),
        2 => format!("0x0x{digits}"),
        3 => format!("0x{digits}0"),
        4 => format!("0x{}", digits.get(1..).unwrap_or_default()),
        5 => format!("0x{digits}zz"),
        6 => format!("0x{}", digits.to_uppercase()),
        7 => format!("0x{:0>80}", digits),
        8 => format!(" 0x{digits}"),
        _ => format!("0x{digits}\u{0}"),
    }
}

fn long(random: &mut StdRng) -> usize {
    if random.random_range(0..VERY_LONG_EVERY) == 0 { VERY_LONG_BYTES } else { random.random_range(100..LONG_BYTES) }
}

fn digits(random: &mut StdRng) -> String {
    let length = LENGTHS.choose(random).copied().unwrap_or_default();
    (0..length).map(|_| char::from_digit(random.random_range(0..16), 16).unwrap_or('0')).collect()
}

fn deep(random: &mut StdRng, open: &str, close: &str) -> String {
    let depth = DEPTHS.choose(random).copied().unwrap_or_default();
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

/// An object with many keys.
fn wide(random: &mut StdRng) -> String {
    let keys: Vec<_> = (0..MANY).map(|index| format!("\"{:#042x}\":{}", index, SMALL.choose(random).copied().unwrap_or_default())).collect();
    format!("{{{}}}", keys.join(","))
}
