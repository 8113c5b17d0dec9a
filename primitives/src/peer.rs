//! Names and addresses of nodes on the network.

use std::{fmt, str::FromStr};

use alloy_primitives::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::PublicKey;

/// A node's name: the address of its node key. The node key is not the validator key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Address);

impl From<PublicKey> for NodeId {
    fn from(key: PublicKey) -> Self {
        Self(key.address())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a node can be reached: `host:port`, or `nodeid@host:port` when only that node will do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    pub node: Option<NodeId>,
    /// A name or an IP address.
    pub host: String,
    pub port: u16,
}

/// Text that is no peer address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no peer address; write host:port or nodeid@host:port, where nodeid is 20 bytes of hex")]
pub struct MalformedPeer {
    pub text: String,
}

impl FromStr for PeerAddress {
    type Err = MalformedPeer;

    fn from_str(text: &str) -> Result<Self, MalformedPeer> {
        parse(text).ok_or_else(|| MalformedPeer { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<PeerAddress> {
    let (node, place) = match text.split_once('@') {
        Some((node, place)) => (Some(NodeId(node.parse().ok()?)), place),
        None => (None, text),
    };
    let (host, port) = place.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let is_bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || port == 0 || is_bare_ipv6 || host.contains(char::is_whitespace) {
        return None;
    }
    Some(PeerAddress { node, host: host.to_owned(), port })
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "{node}@")?;
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Serialize for PeerAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PeerAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_forms_are_read_and_written_alike() {
        for text in ["10.0.0.1:4130", "node.example:4130", "[::1]:4130", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266@host:1"] {
            assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_text() {
        for text in ["", "host", "host:", ":1", "host:0", "host:65536", "::1:4130", "zz@host:1", "a b:1"] {
            assert_eq!(text.parse::<PeerAddress>(), Err(MalformedPeer { text: text.to_owned() }));
        }
    }
}
