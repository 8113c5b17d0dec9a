//! A message as bytes, encoded once for all peers.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::{Codec, Envelope, Lane, Message, TooLarge, TraceParent, envelope::Decoded};

/// A frame that any number of links can write. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Encoded {
    kind: &'static str,
    lane: Lane,
    chain_id: u64,
    msgpack: Bytes,
    /// Made when the first link for people asks for it.
    json: Arc<OnceLock<Result<Bytes, TooLarge>>>,
}

impl Encoded {
    /// Encodes `message` for the chain with that id. Fails if no frame can hold it.
    pub fn new(chain_id: u64, message: Message, traceparent: Option<TraceParent>) -> Result<Self, TooLarge> {
        let (kind, lane) = (message.kind(), message.lane());
        let msgpack = Envelope { chain_id, traceparent, message }.encode(Codec::Msgpack)?.into();
        Ok(Self { kind, lane, chain_id, msgpack, json: Arc::default() })
    }

    /// The message's name on the wire.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The lane it is written in.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Moves it to another lane, for example a late joiner's catch-up to the bulk.
    #[must_use]
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The frame with its closing newline. JSON takes more room and may not fit although MessagePack did.
    pub fn frame(&self, codec: Codec) -> Result<Bytes, TooLarge> {
        match codec {
            Codec::Msgpack => Ok(self.msgpack.clone()),
            Codec::Json => self.json.get_or_init(|| self.to_json()).clone(),
        }
    }

    fn to_json(&self) -> Result<Bytes, TooLarge> {
        let line = &self.msgpack[..self.msgpack.len() - 1];
        let Ok(Decoded::Known(envelope)) = Envelope::decode(Codec::Msgpack, line, self.chain_id) else {
            unreachable!("we wrote this frame ourselves");
        };
        envelope.encode(Codec::Json).map(Bytes::from)
    }
}
