//! The splitter of frames, held against the simplest way to say what it does.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use wire::{Codec, FrameTooLong, Frames};

use super::{bend::bend, seeds::Seeds};

const MAX_FRAME_BYTES: usize = 600;
/// Between frames of people.
const PAUSES: &[&[u8]] = &[b"", b"\n", b"\r\n", b" \n", b"\n\n\n"];

type Seen = (Vec<Vec<u8>>, Result<(), FrameTooLong>);

/// Any chunking of any bytes gives what the whole gives, and that is what stands between newlines.
pub fn case(seeds: &Seeds, random: &mut StdRng) -> Result<(), String> {
    let codec = if random.random() { Codec::Msgpack } else { Codec::Json };
    let mut stream = Vec::new();
    for _ in 0..random.random_range(1..6) {
        let mut frame = seeds.of(codec).choose(random).cloned().unwrap_or_default();
        if random.random_ratio(1, 3) {
            bend(&mut frame, b"\n", random);
        }
        stream.extend_from_slice(&frame);
        stream.extend_from_slice(PAUSES.choose(random).copied().unwrap_or_default());
    }
    let expected = model(codec, &stream);
    let seen = split(codec, &stream, random);
    if seen == expected { Ok(()) } else { Err(format!("{codec} of {}: {seen:?}, not {expected:?}", hex::encode(&stream))) }
}

fn split(codec: Codec, stream: &[u8], random: &mut StdRng) -> Seen {
    let (mut frames, mut seen, mut rest) = (Frames::new(codec, MAX_FRAME_BYTES), Vec::new(), stream);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(random.random_range(0..=rest.len().min(300)));
        rest = after;
        frames.feed(chunk.to_vec().into());
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => seen.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (seen, Err(error)),
            }
        }
    }
    (seen, Ok(()))
}

/// Lines, up to the first that is too long, without those that say nothing.
fn model(codec: Codec, stream: &[u8]) -> Seen {
    let mut lines: Vec<_> = stream.split(|byte| *byte == b'\n').collect();
    let unfinished = lines.pop().unwrap_or_default();
    let mut seen = Vec::new();
    for line in lines {
        if MAX_FRAME_BYTES < line.len() {
            return (seen, Err(FrameTooLong { max_frame_bytes: MAX_FRAME_BYTES }));
        }
        let is_empty = line.is_empty() || (codec == Codec::Json && line.trim_ascii().is_empty());
        if !is_empty {
            seen.push(line.to_vec());
        }
    }
    let is_too_long = MAX_FRAME_BYTES < unfinished.len();
    (seen, if is_too_long { Err(FrameTooLong { max_frame_bytes: MAX_FRAME_BYTES }) } else { Ok(()) })
}
