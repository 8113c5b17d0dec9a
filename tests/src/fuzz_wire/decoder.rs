//! The decoders of all messages: damage is refused, and what is taken means the same in both codecs.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use wire::{Codec, Decoded, Envelope, cobs};

use super::{CHAIN, bend::bend, seeds::Seeds};

pub fn case(seeds: &Seeds, random: &mut StdRng) -> Result<(), String> {
    let codec = if random.random() { Codec::Msgpack } else { Codec::Json };
    let pool = seeds.of(codec);
    let [mut frame, mut other] = [0, 1].map(|_| pool.choose(random).cloned().unwrap_or_default());
    frame.pop();
    other.pop();
    // Damage below the stuffing gets further in than damage to it.
    let is_plain = codec == Codec::Msgpack && random.random_ratio(3, 4);
    if is_plain {
        (frame, other) = (cobs::decode(&frame).unwrap_or_default(), cobs::decode(&other).unwrap_or_default());
    }
    bend(&mut frame, &other, random);
    if is_plain {
        let mut stuffed = Vec::new();
        cobs::encode(&frame, &mut stuffed);
        frame = stuffed;
    }
    match Envelope::decode(codec, &frame, CHAIN) {
        Ok(Decoded::Known(envelope)) => check(&envelope).map_err(|wrong| format!("{codec} of {}: {wrong}", hex::encode(&frame))),
        Ok(Decoded::Unknown) | Err(_) => Ok(()),
    }
}

/// What was taken once is written and taken again.
fn check(envelope: &Envelope) -> Result<(), String> {
    for codec in [Codec::Msgpack, Codec::Json] {
        // JSON takes more room.
        let Ok(mut line) = envelope.encode(codec) else { continue };
        line.pop();
        if line.contains(&b'\n') {
            return Err(format!("a newline inside a frame of {codec}"));
        }
        let again = Envelope::decode(codec, &line, CHAIN);
        if again != Ok(Decoded::Known(envelope.clone())) {
            return Err(format!("{envelope:?} comes back from {codec} as {again:?}"));
        }
    }
    Ok(())
}
