//! What stands around every message: version, kind, chain, trace.
//!
//! ```text
//! msgpack   [version, kind, chain, traceparent or nil] payload          two values, then byte stuffing, then \n
//! json      {"v":1,"kind":"ping","chain":1337,"traceparent":"00-..","payload":{..}}                      then \n
//! ```

use std::{borrow::Cow, io::Cursor};

use primitives::limits::MAX_FRAME_BYTES;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Codec, Message, TraceParent, ascii, cobs};

/// Version of the envelope and of all that is in it.
pub const VERSION: u8 = 1;
/// Nesting of values in a MessagePack payload.
const MAX_DEPTH: usize = 32;

/// A message with what stands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The Ethereum chain id.
    pub chain_id: u64,
    pub traceparent: Option<TraceParent>,
    pub message: Message,
}

/// The message does not fit into a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of kind {kind} takes {bytes} bytes as {codec}; a frame has at most {max}")]
pub struct TooLarge {
    pub kind: &'static str,
    pub codec: Codec,
    pub bytes: usize,
    pub max: usize,
}

/// A frame that says nothing to us. The next frame on the link may be good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error(transparent)]
    Stuffing(#[from] cobs::BrokenStuffing),
    #[error("not an envelope: {0}")]
    Envelope(String),
    #[error("the envelope has version {theirs}; this node speaks version {}", VERSION)]
    WrongVersion { theirs: u8 },
    #[error("the message is for chain {theirs}; this is chain {ours}")]
    WrongChain { ours: u64, theirs: u64 },
    #[error("the payload is no {kind}: {error}")]
    Payload { kind: &'static str, error: String },
}

/// What a good frame holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    Known(Envelope),
    /// A kind of a later version, to be counted and ignored.
    Unknown,
}

#[derive(Serialize, Deserialize)]
struct Head<'a>(u8, #[serde(borrow)] Cow<'a, str>, u64, #[serde(borrow)] Option<Cow<'a, str>>);

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    kind: &'a str,
    chain: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct OpenLine<'a> {
    v: u8,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    chain: u64,
    #[serde(borrow, default)]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

struct Payload<'a>(&'a Message);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_payload(serializer)
    }
}

impl Envelope {
    /// The frame with its closing newline.
    pub fn encode(&self, codec: Codec) -> Result<Vec<u8>, TooLarge> {
        let mut frame = match codec {
            Codec::Msgpack => self.to_msgpack(),
            Codec::Json => self.to_json(),
        };
        frame.push(b'\n');
        if MAX_FRAME_BYTES < frame.len() {
            return Err(TooLarge { kind: self.message.kind(), codec, bytes: frame.len(), max: MAX_FRAME_BYTES });
        }
        Ok(frame)
    }

    fn to_msgpack(&self) -> Vec<u8> {
        let head = Head(VERSION, self.message.kind().into(), self.chain_id, self.trace().map(Cow::from));
        let mut plain = rmp_serde::to_vec(&head).expect("values in memory always have a MessagePack form");
        self.message.serialize_payload(&mut rmp_serde::Serializer::new(&mut plain)).expect("values in memory always have a MessagePack form");
        let mut frame = Vec::new();
        cobs::encode(&plain, &mut frame);
        frame
    }

    fn to_json(&self) -> Vec<u8> {
        let (kind, chain) = (self.message.kind(), self.chain_id);
        let line = Line { v: VERSION, kind, chain, traceparent: self.trace(), payload: Payload(&self.message) };
        ascii::to_vec(&line).expect("every map in a message has text for keys")
    }

    fn trace(&self) -> Option<&str> {
        self.traceparent.as_ref().map(TraceParent::as_str)
    }

    /// Reads a frame without its newline. `chain_id` is ours.
    pub fn decode(codec: Codec, frame: &[u8], chain_id: u64) -> Result<Decoded, DecodeError> {
        match codec {
            Codec::Msgpack => Self::from_msgpack(&cobs::decode(frame)?, chain_id),
            Codec::Json => Self::from_json(frame, chain_id),
        }
    }

    fn from_msgpack(plain: &[u8], chain_id: u64) -> Result<Decoded, DecodeError> {
        let envelope = |error: rmp_serde::decode::Error| DecodeError::Envelope(error.to_string());
        let mut reader = rmp_serde::Deserializer::new(Cursor::new(plain));
        reader.set_max_depth(MAX_DEPTH);
        let Head(version, kind, chain, trace) = Head::deserialize(&mut reader).map_err(envelope)?;
        check(version, chain, chain_id)?;
        let decoded = Message::deserialize_payload(&kind, &mut reader);
        let is_whole = reader.position() == plain.len() as u64;
        let decoded = match decoded {
            Ok(Some(_)) if !is_whole => Err("bytes after it".to_owned()),
            decoded => decoded.map_err(|error| error.to_string()),
        };
        seal(&kind, decoded, trace.as_deref(), chain)
    }

    fn from_json(line: &[u8], chain_id: u64) -> Result<Decoded, DecodeError> {
        let OpenLine { v, kind, chain, traceparent, payload } =
            serde_json::from_slice(line).map_err(|error| DecodeError::Envelope(error.to_string()))?;
        check(v, chain, chain_id)?;
        let decoded = Message::deserialize_payload(&kind, &mut serde_json::Deserializer::from_str(payload.get()));
        seal(&kind, decoded.map_err(|error| error.to_string()), traceparent.as_deref(), chain)
    }
}

fn check(version: u8, theirs: u64, ours: u64) -> Result<(), DecodeError> {
    if version != VERSION {
        return Err(DecodeError::WrongVersion { theirs: version });
    }
    if theirs != ours {
        return Err(DecodeError::WrongChain { ours, theirs });
    }
    Ok(())
}

/// A trace that cannot be read is dropped, as its standard says; it never costs the message.
fn seal(kind: &str, message: Result<Option<Message>, String>, trace: Option<&str>, chain_id: u64) -> Result<Decoded, DecodeError> {
    let known = Message::KINDS.iter().find(|known| **known == kind).copied();
    match (known, message) {
        (Some(kind), Err(error)) => Err(DecodeError::Payload { kind, error }),
        (Some(_), Ok(Some(message))) => Ok(Decoded::Known(Envelope { chain_id, traceparent: trace.and_then(|text| text.parse().ok()), message })),
        _ => Ok(Decoded::Unknown),
    }
}

#[cfg(test)]
mod tests;
