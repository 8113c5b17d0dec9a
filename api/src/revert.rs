//! What a reverted call says.

use alloy_primitives::{U256, hex};

/// Selector of `Error(string)`.
const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
/// Selector of `Panic(uint256)`.
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
/// Characters of a reason that are repeated to the client; the data holds all of it.
const MAX_REASON_CHARS: usize = 1024;

/// geth's text for a revert with `data`: its reason where `data` is a string or a panic of Solidity.
pub(crate) fn describe(data: &[u8]) -> String {
    match reason(data) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".into(),
    }
}

fn reason(data: &[u8]) -> Option<String> {
    let (selector, arguments) = data.split_first_chunk::<4>()?;
    match *selector {
        ERROR => string(arguments),
        PANIC => Some(panic(U256::try_from_be_slice(arguments.get(..32)?)?)),
        _ => None,
    }
}

/// The first argument of an ABI-encoded call, a string.
fn string(arguments: &[u8]) -> Option<String> {
    let offset = word(arguments, 0)?;
    let length = word(arguments, offset)?;
    let start = offset.checked_add(32)?;
    let bytes = arguments.get(start..start.checked_add(length)?)?;
    let text = std::str::from_utf8(bytes).ok()?;
    Some(text.chars().take(MAX_REASON_CHARS).collect())
}

/// The 32-byte word at `offset` as a length or an offset.
fn word(bytes: &[u8], offset: usize) -> Option<usize> {
    let word = bytes.get(offset..offset.checked_add(32)?)?;
    usize::try_from(U256::try_from_be_slice(word)?).ok()
}

fn panic(code: U256) -> String {
    let meaning = match u8::try_from(code).unwrap_or(u8::MAX) {
        0x00 => "generic panic",
        0x01 => "assert(false)",
        0x11 => "arithmetic underflow or overflow",
        0x12 => "division or modulo by zero",
        0x21 => "enum overflow",
        0x22 => "invalid encoded storage byte array accessed",
        0x31 => "out-of-bounds array access; popping on an empty array",
        0x32 => "out-of-bounds access of an array or bytesN",
        0x41 => "out of memory",
        0x51 => "uninitialized function",
        _ => return format!("unknown panic code: 0x{}", hex::encode(code.to_be_bytes_trimmed_vec())),
    };
    meaning.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn error_string(offset: u64, length: u64, text: &[u8]) -> Vec<u8> {
        let mut data = ERROR.to_vec();
        data.extend(U256::from(offset).to_be_bytes::<32>());
        data.extend(U256::from(length).to_be_bytes::<32>());
        data.extend(text);
        data
    }

    #[test]
    fn the_reason_of_a_require_is_told() {
        assert_eq!(describe(&error_string(32, 9, b"not yours")), "execution reverted: not yours");
    }

    #[test]
    fn a_panic_is_named() {
        let panic = |code: u8| describe(&[&PANIC[..], &U256::from(code).to_be_bytes::<32>()].concat());
        assert_eq!(panic(0x11), "execution reverted: arithmetic underflow or overflow");
        assert_eq!(panic(0x77), "execution reverted: unknown panic code: 0x77");
    }

    #[test]
    fn data_that_lies_about_its_length_is_an_unknown_reason() {
        for data in [
            &[][..],
            &[8],
            &ERROR,
            &PANIC,
            &error_string(u64::MAX, 1, b"x"),
            &error_string(32, u64::MAX, b"x"),
            &error_string(32, 2, b"x"),
            &error_string(32, 1, &[0xff]),
        ] {
            assert_eq!(describe(data), "execution reverted");
        }
    }

    #[test]
    fn an_endless_reason_is_cut() {
        let described = describe(&error_string(32, 5000, &[b'a'; 5000]));
        assert_eq!(described.len(), "execution reverted: ".len() + MAX_REASON_CHARS);
    }
}
