//! How a message is written as bytes, agreed on as a WebSocket subprotocol.

use std::fmt;

/// One of the two ways to write a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// MessagePack, stuffed so that it carries no newline, in binary WebSocket messages. Between nodes.
    Msgpack,
    /// One object of ASCII JSON per line, in text WebSocket messages. For people and tools.
    Json,
}

impl Codec {
    /// The WebSocket subprotocol that stands for it.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Msgpack => "axolotl.v1.msgpack",
            Self::Json => "axolotl.v1.json",
        }
    }

    /// The codec with that subprotocol.
    pub fn by_subprotocol(name: &str) -> Option<Self> {
        [Self::Msgpack, Self::Json].into_iter().find(|codec| codec.subprotocol() == name)
    }

    /// The dialler's wish that comes first among those the acceptor has. `offered` is a list separated by commas.
    pub fn choose(offered: &str, ours: &[Self]) -> Option<Self> {
        offered.split(',').filter_map(|name| Self::by_subprotocol(name.trim())).find(|codec| ours.contains(codec))
    }

    /// `codecs` as a header value, the most wanted first.
    pub fn offer(codecs: &[Self]) -> String {
        codecs.iter().map(|codec| codec.subprotocol()).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subprotocol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_that_both_have_is_chosen() {
        let both = [Codec::Msgpack, Codec::Json];
        assert_eq!(Codec::choose(&Codec::offer(&both), &both), Some(Codec::Msgpack));
        assert_eq!(Codec::choose("axolotl.v1.json,axolotl.v1.msgpack", &both), Some(Codec::Json));
        assert_eq!(Codec::choose("axolotl.v2.msgpack, axolotl.v1.json", &both), Some(Codec::Json));
        assert_eq!(Codec::choose("axolotl.v1.json", &[Codec::Msgpack]), None);
        assert_eq!(Codec::choose("", &both), None);
    }
}
