//! Where a node says it can be reached: its own signed word, which others pass on.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use primitives::{B256, Domain, NodeId, PublicKey, SecretKey, Signature};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Records in one message at most, and asked for at most.
pub const MAX_RECORDS: usize = 64;
/// The longest text of an address, in bytes: that of an IPv6 address with scope and port.
const MAX_ADDRESS_BYTES: usize = 64;
/// How far a record may be ahead of our clock, in milliseconds.
const MAX_AHEAD_MS: u64 = 10 * 60 * 1_000;

/// A node's signed word where it listens. Only IP addresses travel: a name would let a stranger choose what we look up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRecord {
    /// The chain it is on.
    pub genesis: B256,
    /// The node key.
    pub key: PublicKey,
    #[serde(with = "as_text")]
    pub address: SocketAddr,
    /// When it was signed, in milliseconds since the Unix epoch. Of two records of a node the later one counts.
    pub issued_ms: u64,
    pub services: Services,
    /// By the node key over [`AddressRecord::digest`].
    pub signature: Signature,
}

/// What a node offers, as bits. Unknown ones are kept, because they are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Services(pub u32);

/// Why a record is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    #[error("the record is for genesis {theirs}, not for ours, {ours}")]
    ForeignChain { ours: B256, theirs: B256 },
    #[error("nobody can be dialled at {address}; a record names an IP address that is one machine's, and a port")]
    Unspecified { address: SocketAddr },
    #[error("the record was issued {ahead_ms} ms ahead of our clock; at most {MAX_AHEAD_MS} are allowed, so check both clocks")]
    FromTheFuture { ahead_ms: u64 },
    #[error("the signature of the record of {node} does not hold")]
    Forged { node: NodeId },
}

impl BadRecord {
    /// The word for it in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ForeignChain { .. } => "foreign_chain",
            Self::Unspecified { .. } => "unspecified",
            Self::FromTheFuture { .. } => "from_the_future",
            Self::Forged { .. } => "forged",
        }
    }
}

/// What a node signs about itself, before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub address: SocketAddr,
    pub issued_ms: u64,
    pub services: Services,
}

impl AddressRecord {
    /// The word of the node with `key`.
    pub fn new(key: &SecretKey, domain: &Domain, at: Whereabouts) -> Self {
        let signature = key.sign(digest(domain, key.public_key().into(), &at));
        let Whereabouts { address, issued_ms, services } = at;
        Self { genesis: domain.genesis_hash, key: key.public_key(), address, issued_ms, services, signature }
    }

    /// Whose it is.
    pub fn node(&self) -> NodeId {
        self.key.into()
    }

    /// What is signed: the domain tag `axolotl/address-record/v1`, the chain, then node id (20 bytes), IPv6 or mapped IPv4 address (16),
    /// port (2), time of issue (8), services (4).
    pub fn digest(&self, domain: &Domain) -> B256 {
        digest(domain, self.node(), &Whereabouts { address: self.address, issued_ms: self.issued_ms, services: self.services })
    }

    /// Whether it can be believed, at this time of day.
    pub fn check(&self, domain: &Domain, now_ms: u64) -> Result<NodeId, BadRecord> {
        if self.genesis != domain.genesis_hash {
            return Err(BadRecord::ForeignChain { ours: domain.genesis_hash, theirs: self.genesis });
        }
        if !is_dialable(&self.address) {
            return Err(BadRecord::Unspecified { address: self.address });
        }
        let ahead_ms = self.issued_ms.saturating_sub(now_ms);
        if MAX_AHEAD_MS < ahead_ms {
            return Err(BadRecord::FromTheFuture { ahead_ms });
        }
        let node = self.node();
        if self.key.verify(self.digest(domain), &self.signature) { Ok(node) } else { Err(BadRecord::Forged { node }) }
    }

    /// Whether it takes the place of `other`, an earlier word of the same node.
    pub fn replaces(&self, other: &Self) -> bool {
        other.issued_ms < self.issued_ms
    }
}

/// Whether one machine can be meant by it.
pub fn is_dialable(address: &SocketAddr) -> bool {
    let is_one = match address.ip().to_canonical() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    is_one && address.port() != 0
}

fn digest(domain: &Domain, node: NodeId, at: &Whereabouts) -> B256 {
    let ip = match at.address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut content = Vec::with_capacity(50);
    content.extend_from_slice(node.0.as_slice());
    content.extend_from_slice(&ip.octets());
    content.extend_from_slice(&at.address.port().to_be_bytes());
    content.extend_from_slice(&at.issued_ms.to_be_bytes());
    content.extend_from_slice(&at.services.0.to_be_bytes());
    domain.digest("axolotl/address-record/v1", &content)
}

impl Services {
    /// It serves the blocks it has.
    pub const BLOCKS: Self = Self(1);
    /// It keeps the state of all heights.
    pub const ARCHIVE: Self = Self(2);

    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = [(Self::BLOCKS, "blocks"), (Self::ARCHIVE, "archive")].into_iter().filter(|(bit, _)| self.has(*bit)).collect();
        if names.is_empty() { f.write_str("none") } else { f.write_str(&names.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ")) }
    }
}

/// Socket addresses as text in both codecs.
mod as_text {
    use super::*;

    pub fn serialize<S: Serializer>(address: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
        deserializer.deserialize_str(Text)
    }

    struct Text;

    impl de::Visitor<'_> for Text {
        type Value = SocketAddr;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an IP address with a port")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketAddr, E> {
            if MAX_ADDRESS_BYTES < text.len() {
                return Err(E::custom(format_args!("an address of {} bytes; at most {MAX_ADDRESS_BYTES} are allowed", text.len())));
            }
            text.parse().map_err(|_| E::custom(format_args!("{text:?} is no IP address with a port")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DOMAIN: Domain = Domain { chain_id: 7, genesis_hash: B256::repeat_byte(1) };
    const NOW: u64 = 1_700_000_000_000;

    fn key() -> SecretKey {
        SecretKey::from_bytes([3; 32]).unwrap()
    }

    fn record(address: &str, issued_ms: u64) -> AddressRecord {
        AddressRecord::new(&key(), &DOMAIN, Whereabouts { address: address.parse().unwrap(), issued_ms, services: Services::BLOCKS })
    }

    #[test]
    fn an_honest_record_is_believed_and_every_change_of_it_is_forged() {
        let honest = record("10.1.2.3:4130", NOW);
        let node = NodeId::from(key().public_key());
        assert_eq!(honest.check(&DOMAIN, NOW), Ok(node));
        let other = SecretKey::from_bytes([4; 32]).unwrap().public_key();
        for changed in [
            AddressRecord { address: "10.1.2.4:4130".parse().unwrap(), ..honest.clone() },
            AddressRecord { address: "10.1.2.3:4131".parse().unwrap(), ..honest.clone() },
            AddressRecord { issued_ms: NOW - 1, ..honest.clone() },
            AddressRecord { services: Services::default(), ..honest.clone() },
            AddressRecord { key: other, ..honest.clone() },
        ] {
            assert!(matches!(changed.check(&DOMAIN, NOW), Err(BadRecord::Forged { .. })), "{changed:?}");
        }
        assert_eq!(honest.check(&Domain { chain_id: 8, ..DOMAIN }, NOW), Err(BadRecord::Forged { node }));
    }

    #[test]
    fn another_chain_the_future_and_nowhere_are_refused_by_name() {
        let name = |record: AddressRecord| record.check(&DOMAIN, NOW).unwrap_err().name();
        let elsewhere = AddressRecord { genesis: B256::ZERO, ..record("10.1.2.3:4130", NOW) };
        assert_eq!(name(elsewhere), "foreign_chain");
        assert_eq!(name(record("10.1.2.3:4130", NOW + MAX_AHEAD_MS + 1)), "from_the_future");
        assert!(record("10.1.2.3:4130", NOW + MAX_AHEAD_MS).check(&DOMAIN, NOW).is_ok());
        for nowhere in ["0.0.0.0:1", "[::]:1", "10.0.0.1:0", "224.0.0.1:1", "255.255.255.255:1", "[::ffff:0.0.0.0]:1"] {
            assert_eq!(name(record(nowhere, NOW)), "unspecified", "{nowhere}");
        }
    }

    #[test]
    fn only_a_later_record_replaces_one() {
        let (old, new) = (record("10.1.2.3:1", NOW), record("10.1.2.3:2", NOW + 1));
        assert!(new.replaces(&old) && !old.replaces(&new) && !old.replaces(&old));
    }

    #[test]
    fn an_address_too_long_is_refused_with_its_length() {
        let mut json = serde_json::to_value(record("10.1.2.3:1", NOW)).unwrap();
        json["address"] = format!("10.1.2.3:{}", "1".repeat(100)).into();
        let refused = serde_json::from_value::<AddressRecord>(json).unwrap_err().to_string();
        assert!(refused.contains("109 bytes") && refused.contains("64"), "{refused}");
    }
}
