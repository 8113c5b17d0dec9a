//! Consistent overhead byte stuffing with `\n` as the sentinel, so that no byte inside a frame ends it.
//!
//! A block is its length plus one, xor `\n`, followed by at most 254 bytes without a newline. A newline follows every
//! block but the last and those of 254 bytes. The search for newlines is memchr's, which makes this faster than the
//! network by far.

const END: u8 = b'\n';
const LONGEST: usize = 254;

/// The bytes are no stuffed frame: a block is longer than what is left, or has no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the byte stuffing breaks at byte {at}")]
pub struct BrokenStuffing {
    pub at: usize,
}

/// Length of `bytes` after [`encode`] at most, without the closing newline.
pub const fn encoded_len_max(bytes: usize) -> usize {
    bytes + bytes / LONGEST + 1
}

/// Appends `frame` to `out` without any newline in it. The closing newline is the caller's.
pub fn encode(frame: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_len_max(frame.len()));
    let mut rest = frame;
    loop {
        let window = &rest[..rest.len().min(LONGEST)];
        match memchr::memchr(END, window) {
            Some(newline) => {
                block(&window[..newline], out);
                rest = &rest[newline + 1..];
            }
            None if window.len() == LONGEST => {
                block(window, out);
                rest = &rest[LONGEST..];
                if rest.is_empty() {
                    return;
                }
            }
            None => return block(window, out),
        }
    }
}

fn block(bytes: &[u8], out: &mut Vec<u8>) {
    out.push((bytes.len() as u8 + 1) ^ END);
    out.extend_from_slice(bytes);
}

/// What [`encode`] was given. `line` is one frame without its closing newline.
pub fn decode(line: &[u8]) -> Result<Vec<u8>, BrokenStuffing> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&code, tail)) = rest.split_first() {
        let length = usize::from(code ^ END);
        if length == 0 || tail.len() < length - 1 {
            return Err(BrokenStuffing { at: line.len() - rest.len() });
        }
        out.extend_from_slice(&tail[..length - 1]);
        rest = &tail[length - 1..];
        if length <= LONGEST && !rest.is_empty() {
            out.push(END);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn encoded(frame: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(frame, &mut out);
        out
    }

    #[test]
    fn the_edges_of_a_block_are_kept() {
        for length in [0usize, 1, 253, 254, 255, 508, 509] {
            for fill in [END, 7] {
                let frame = vec![fill; length];
                assert_eq!(decode(&encoded(&frame)).unwrap(), frame, "{length} x {fill}");
            }
        }
    }

    #[test]
    fn a_block_longer_than_the_line_is_refused_with_its_place() {
        assert_eq!(decode(&[3 ^ END, 1]), Err(BrokenStuffing { at: 0 }));
        assert_eq!(decode(&[2 ^ END, 1, 9 ^ END]), Err(BrokenStuffing { at: 2 }));
        assert_eq!(decode(&[END]), Err(BrokenStuffing { at: 0 }));
    }

    proptest! {
        #[test]
        fn any_bytes_survive_and_carry_no_newline(frame in prop::collection::vec(prop_oneof![Just(END), any::<u8>()], 0..2_000)) {
            let line = encoded(&frame);
            prop_assert!(!line.contains(&END));
            prop_assert!(line.len() <= encoded_len_max(frame.len()));
            prop_assert_eq!(decode(&line).unwrap(), frame);
        }

        #[test]
        fn rubbish_never_panics(line in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode(&line);
        }
    }
}
