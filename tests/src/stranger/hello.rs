//! Hello and proof, from the specification.

use anyhow::{Context, Result};
use primitives::{B256, Domain, PublicKey, SecretKey};
use wire::{Challenge, cobs};

/// Bytes of a hello before it is stuffed.
const HELLO_BYTES: usize = 115;
const KEY: std::ops::Range<usize> = 49..82;
const NONCE: std::ops::Range<usize> = 82..114;
const BITS: usize = 114;

/// What somebody says of themselves.
#[derive(Clone, Debug)]
pub struct Hello {
    pub version: u8,
    /// 1 dialled, 2 accepted.
    pub role: u8,
    pub domain: Domain,
    pub key: PublicKey,
    pub nonce: [u8; 32],
    /// Work that an acceptor demands.
    pub bits: u8,
}

impl Hello {
    /// An honest dialler's.
    pub fn of(domain: Domain, key: PublicKey) -> Self {
        Self { version: wire::HELLO_VERSION, role: 1, domain, key, nonce: rand::random(), bits: 0 }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut plain = Vec::with_capacity(HELLO_BYTES);
        plain.extend(b"AXOLOTL");
        plain.extend([self.version, self.role]);
        plain.extend(self.domain.chain_id.to_be_bytes());
        plain.extend(self.domain.genesis_hash.as_slice());
        plain.extend(self.key.to_bytes());
        plain.extend(self.nonce);
        plain.push(self.bits);
        line(&plain)
    }

    /// The other side's, without its newline.
    pub fn decode(line: &[u8], domain: Domain) -> Result<Self> {
        let plain = cobs::decode(line)?;
        anyhow::ensure!(plain.len() == HELLO_BYTES, "a hello of {} bytes", plain.len());
        let key = PublicKey::from_bytes(&plain[KEY]).ok().context("a node key")?;
        Ok(Self { version: plain[7], role: plain[8], domain, key, nonce: plain[NONCE].try_into()?, bits: plain[BITS] })
    }

    /// The proof that goes with this hello, with the work that `peer` demands.
    pub async fn prove(&self, peer: &Self, exporter: &[u8; 32], key: &SecretKey) -> Vec<u8> {
        let content = [&[self.role][..], exporter, &self.key.to_bytes()[..], &peer.key.to_bytes()[..], &self.nonce[..], &peer.nonce[..]].concat();
        let digest: B256 = self.domain.digest("axolotl/hello/v2", &content);
        let stamp = Challenge::new(self.domain.chain_id, self.key.into(), &peer.nonce, peer.bits).work().await;
        line(&[&key.sign(digest).to_bytes()[..], &stamp.to_be_bytes()].concat())
    }
}

/// Stuffed, and ended.
fn line(plain: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    cobs::encode(plain, &mut line);
    line.push(b'\n');
    line
}
