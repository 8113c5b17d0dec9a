//! The bytes by which two nodes prove who they are. No I/O.
//!
//! ```text
//! dialler                                 acceptor
//!    | ---- hello (117 bytes, one frame) --> |
//!    | <--- hello -------------------------- |     both check version, role, chain, genesis, key
//!    | ---- proof (74 bytes, one frame) ---> |     the acceptor checks the stamp
//!    | <--- proof -------------------------- |     both check the signature
//!
//! hello   "AXOLOTL" version role  chain id  genesis hash  node key  nonce  bits of work     7+1+1+8+32+33+32+1 = 115 bytes
//! proof   signature, 64 bytes, over keccak("axolotl/hello/v2" 0 chain genesis  role exporter key peer-key nonce peer-nonce),
//!         then the stamp, 8 bytes
//! ```
//!
//! Both are byte-stuffed and end in `\n` like every frame. A recorded proof is worthless: exporter and nonces are new on each
//! connection. A reflected one is too: it has the wrong role. One passed on by somebody in the middle has another exporter.

use primitives::{B256, Domain, NodeId, PublicKey, Signature};

use crate::{HandshakeError, Identity, cobs, stamp::Challenge};

/// Version of the handshake.
pub const HELLO_VERSION: u8 = 2;
const MAGIC: &[u8; 7] = b"AXOLOTL";
const PLAIN_HELLO_BYTES: usize = 7 + 1 + 1 + 8 + 32 + 33 + 32 + 1;
const SIGNATURE_BYTES: usize = 64;
const PLAIN_PROOF_BYTES: usize = SIGNATURE_BYTES + 8;
/// A hello on the wire. Both fit into one block of byte stuffing, so their length is fixed.
pub(crate) const HELLO_BYTES: usize = PLAIN_HELLO_BYTES + 2;
/// A proof on the wire.
pub(crate) const PROOF_BYTES: usize = PLAIN_PROOF_BYTES + 2;

const HTTP_ANSWER: &str =
    "it is an HTTP answer: a web server is there, or a proxy that ends TLS; let the proxy pass TCP through to the P2P port as it is";

/// Which side of a connection somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Dialler,
    Acceptor,
}

impl Role {
    const fn byte(self) -> u8 {
        match self {
            Self::Dialler => 1,
            Self::Acceptor => 2,
        }
    }

    /// The word for it in metrics: a dialler's sessions are outbound.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Dialler => "outbound",
            Self::Acceptor => "inbound",
        }
    }
}

/// What one side says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub version: u8,
    pub role: u8,
    pub domain: Domain,
    pub key: PublicKey,
    pub nonce: [u8; 32],
    /// Work that the acceptor demands; a dialler has 0 here.
    pub bits: u8,
}

impl Hello {
    pub fn of(identity: &Identity, role: Role, nonce: [u8; 32]) -> Self {
        Self { version: HELLO_VERSION, role: role.byte(), domain: *identity.domain(), key: identity.public_key(), nonce, bits: 0 }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut plain = Vec::with_capacity(PLAIN_HELLO_BYTES);
        plain.extend_from_slice(MAGIC);
        plain.extend_from_slice(&[self.version, self.role]);
        plain.extend_from_slice(&self.domain.chain_id.to_be_bytes());
        plain.extend_from_slice(self.domain.genesis_hash.as_slice());
        plain.extend_from_slice(&self.key.to_bytes());
        plain.extend_from_slice(&self.nonce);
        plain.push(self.bits);
        frame(&plain)
    }

    pub fn decode(bytes: &[u8; HELLO_BYTES]) -> Result<Self, HandshakeError> {
        if bytes.starts_with(b"HTTP/") {
            return Err(HandshakeError::Malformed(HTTP_ANSWER));
        }
        let plain: [u8; PLAIN_HELLO_BYTES] = open(bytes)?;
        let mut rest = &plain[..];
        if take::<7>(&mut rest)? != *MAGIC {
            return Err(HandshakeError::Malformed("it does not begin with AXOLOTL"));
        }
        let [version, role] = take(&mut rest)?;
        let chain_id = u64::from_be_bytes(take(&mut rest)?);
        let genesis_hash = B256::new(take(&mut rest)?);
        let key = PublicKey::from_bytes(&take::<33>(&mut rest)?).map_err(|_| HandshakeError::Malformed("its node key is no point of the curve"))?;
        let (nonce, [bits]) = (take(&mut rest)?, take(&mut rest)?);
        Ok(Self { version, role, domain: Domain { chain_id, genesis_hash }, key, nonce, bits })
    }

    /// Whether we may talk to whoever sent `theirs`; `self` is ours. Who it is, is not proved yet.
    pub fn check(&self, theirs: &Self, expected: Option<NodeId>) -> Result<(), HandshakeError> {
        let (ours, got) = (self.domain, NodeId::from(theirs.key));
        if theirs.version != self.version {
            return Err(HandshakeError::WrongVersion { ours: self.version, theirs: theirs.version });
        }
        if theirs.domain.chain_id != ours.chain_id {
            return Err(HandshakeError::WrongChain { ours: ours.chain_id, theirs: theirs.domain.chain_id });
        }
        if theirs.domain.genesis_hash != ours.genesis_hash {
            return Err(HandshakeError::WrongGenesis { ours: ours.genesis_hash, theirs: theirs.domain.genesis_hash });
        }
        if theirs.role == self.role || !matches!(theirs.role, 1 | 2) {
            return Err(HandshakeError::Reflected);
        }
        if theirs.key == self.key {
            return Err(HandshakeError::SelfConnection { node: got });
        }
        match expected {
            Some(expected) if expected != got => Err(HandshakeError::WrongPeer { expected, got }),
            _ => Ok(()),
        }
    }

    /// What the sender of this hello signs when `peer` is the other side's.
    fn digest(&self, peer: &Self, exporter: &[u8; 32]) -> B256 {
        let mut content = Vec::with_capacity(1 + 32 + 2 * 33 + 2 * 32);
        content.push(self.role);
        content.extend_from_slice(exporter);
        content.extend_from_slice(&self.key.to_bytes());
        content.extend_from_slice(&peer.key.to_bytes());
        content.extend_from_slice(&self.nonce);
        content.extend_from_slice(&peer.nonce);
        self.domain.digest("axolotl/hello/v2", &content)
    }

    /// Our proof; `self` is our hello. An acceptor's stamp is 0.
    pub fn prove(&self, peer: &Self, exporter: &[u8; 32], identity: &Identity, stamp: u64) -> Vec<u8> {
        let signature = identity.key().sign(self.digest(peer, exporter)).to_bytes();
        frame(&[&signature[..], &stamp.to_be_bytes()].concat())
    }

    /// Checks the work in the proof of whoever sent `self`, which costs next to nothing.
    pub fn check_stamp(&self, challenge: &Challenge, proof: &[u8; PROOF_BYTES]) -> Result<(), HandshakeError> {
        let (_, stamp) = split(proof)?;
        if challenge.is_met_by(stamp) { Ok(()) } else { Err(HandshakeError::Unstamped { node: self.key.into(), bits: challenge.bits() }) }
    }

    /// Checks the signature in the proof of whoever sent `self`; `ours` is our own hello.
    pub fn check_proof(&self, ours: &Self, exporter: &[u8; 32], proof: &[u8; PROOF_BYTES]) -> Result<(), HandshakeError> {
        let (signature, _) = split(proof)?;
        let holds = Signature::from_bytes(&signature).is_ok_and(|signature| self.key.verify(self.digest(ours, exporter), &signature));
        if holds { Ok(()) } else { Err(HandshakeError::Forged { node: self.key.into() }) }
    }
}

/// Signature and stamp.
fn split(proof: &[u8; PROOF_BYTES]) -> Result<([u8; SIGNATURE_BYTES], u64), HandshakeError> {
    let plain: [u8; PLAIN_PROOF_BYTES] = open(proof)?;
    let mut rest = &plain[..];
    Ok((take(&mut rest)?, u64::from_be_bytes(take(&mut rest)?)))
}

fn frame(plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    cobs::encode(plain, &mut bytes);
    bytes.push(b'\n');
    bytes
}

fn open<const N: usize>(bytes: &[u8]) -> Result<[u8; N], HandshakeError> {
    let line = bytes.strip_suffix(b"\n").ok_or(HandshakeError::Malformed("its frame does not end with a newline"))?;
    let plain = cobs::decode(line).map_err(|_| HandshakeError::Malformed("its byte stuffing is broken"))?;
    plain.try_into().map_err(|_| HandshakeError::Malformed("its length is wrong"))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], HandshakeError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(HandshakeError::Malformed("its length is wrong"))?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::SecretKey;
    use proptest::prelude::*;

    use super::*;

    const DOMAIN: Domain = Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(9) };
    const EXPORTER: [u8; 32] = [3; 32];

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from_bytes([byte; 32]).unwrap(), DOMAIN).unwrap()
    }

    fn hellos() -> (Hello, Hello) {
        (Hello::of(&identity(1), Role::Dialler, [10; 32]), Hello::of(&identity(2), Role::Acceptor, [11; 32]))
    }

    fn bytes<const N: usize>(frame: Vec<u8>) -> [u8; N] {
        frame.try_into().unwrap()
    }

    #[test]
    fn a_hello_has_its_fixed_length_and_comes_back() {
        let (hello, _) = hellos();
        assert_eq!(Hello::decode(&bytes(hello.encode())).unwrap(), hello);
    }

    #[test]
    fn a_proof_holds_for_its_connection_only() {
        let (dialler, acceptor) = hellos();
        let proof = bytes(dialler.prove(&acceptor, &EXPORTER, &identity(1), 0));
        assert!(dialler.check_proof(&acceptor, &EXPORTER, &proof).is_ok());
        let other_nonce = Hello { nonce: [12; 32], ..acceptor.clone() };
        let other_role = Hello { role: Role::Acceptor.byte(), ..dialler.clone() };
        let other_key = Hello { key: identity(2).public_key(), ..dialler.clone() };
        assert!(matches!(dialler.check_proof(&other_nonce, &EXPORTER, &proof), Err(HandshakeError::Forged { .. })));
        assert!(matches!(dialler.check_proof(&acceptor, &[4; 32], &proof), Err(HandshakeError::Forged { .. })));
        assert!(matches!(other_role.check_proof(&acceptor, &EXPORTER, &proof), Err(HandshakeError::Forged { .. })));
        assert!(matches!(other_key.check_proof(&acceptor, &EXPORTER, &proof), Err(HandshakeError::Forged { .. })));
    }

    #[test]
    fn every_difference_is_refused_by_name_with_both_values() {
        let (ours, good) = hellos();
        assert!(ours.check(&good, Some(identity(2).node())).is_ok());
        let chain = Hello { domain: Domain { chain_id: 5, ..DOMAIN }, ..good.clone() };
        assert!(matches!(ours.check(&chain, None), Err(HandshakeError::WrongChain { ours: 1337, theirs: 5 })));
        let genesis = Hello { domain: Domain { genesis_hash: B256::ZERO, ..DOMAIN }, ..good.clone() };
        assert!(matches!(ours.check(&genesis, None), Err(HandshakeError::WrongGenesis { theirs: B256::ZERO, .. })));
        let version = Hello { version: 3, ..good.clone() };
        assert!(matches!(ours.check(&version, None), Err(HandshakeError::WrongVersion { ours: 2, theirs: 3 })));
        let own_key = Hello { key: ours.key, ..good.clone() };
        assert!(matches!(ours.check(&own_key, None), Err(HandshakeError::SelfConnection { .. })));
        assert!(matches!(ours.check(&ours.clone(), None), Err(HandshakeError::Reflected)));
        assert!(matches!(ours.check(&good, Some(NodeId(Default::default()))), Err(HandshakeError::WrongPeer { .. })));
    }

    #[test]
    fn an_http_answer_is_told_from_rubbish() {
        let mut answer = b"HTTP/1.1 400 Bad Request\r\nServer: proxy\r\n".to_vec();
        answer.resize(HELLO_BYTES, b' ');
        let error = Hello::decode(&bytes(answer)).unwrap_err().to_string();
        assert!(error.contains("proxy that ends TLS"), "{error}");
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(rubbish in prop::collection::vec(any::<u8>(), HELLO_BYTES)) {
            let _ = Hello::decode(&bytes(rubbish));
        }
    }
}
