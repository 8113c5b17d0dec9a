//! secp256k1 keys and signatures, as Ethereum uses them.

use std::{fmt, str::FromStr};

use alloy_primitives::{Address, B256, keccak256};
use secp256k1::{Message, SECP256K1, ecdsa};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroize;

/// A secret key. Never printed, erased when dropped.
#[derive(Clone)]
pub struct SecretKey(secp256k1::SecretKey);

/// A public key, 33 bytes compressed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(secp256k1::PublicKey);

/// An ECDSA signature in compact form, low S: 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

/// Bytes that are not what they were said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedKey {
    #[error("a secret key is 32 bytes of hex, neither zero nor above the curve's order")]
    Secret,
    #[error("a public key is 33 bytes of hex, compressed secp256k1, beginning 02 or 03")]
    Public,
    #[error("a signature is 64 bytes, compact ECDSA with low S")]
    Signature,
}

impl SecretKey {
    /// A key from 32 bytes.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Result<Self, MalformedKey> {
        let key = secp256k1::SecretKey::from_byte_array(bytes).map(Self).map_err(|_| MalformedKey::Secret);
        bytes.zeroize();
        key
    }

    /// A fresh key. `random` must be cryptographically secure.
    pub fn random(random: &mut impl rand::CryptoRng) -> Self {
        loop {
            let mut bytes = [0; 32];
            random.fill_bytes(&mut bytes);
            if let Ok(key) = Self::from_bytes(bytes) {
                return key;
            }
        }
    }

    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key(SECP256K1))
    }

    /// The Ethereum address of this key.
    pub fn address(&self) -> Address {
        self.public_key().address()
    }

    /// Signs a 32-byte digest, deterministically (RFC 6979).
    pub fn sign(&self, digest: B256) -> Signature {
        Signature(SECP256K1.sign_ecdsa(Message::from_digest(digest.0), &self.0).serialize_compact())
    }

    /// The 32 secret bytes, for writing a key file. The caller erases them.
    pub fn expose(&self) -> [u8; 32] {
        self.0.secret_bytes()
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl FromStr for SecretKey {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        let bytes: B256 = text.trim().parse().map_err(|_| MalformedKey::Secret)?;
        Self::from_bytes(bytes.0)
    }
}

impl PublicKey {
    /// A key from its 33 compressed bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedKey> {
        let bytes: [u8; 33] = bytes.try_into().map_err(|_| MalformedKey::Public)?;
        secp256k1::PublicKey::from_byte_array_compressed(bytes).map(Self).map_err(|_| MalformedKey::Public)
    }

    pub fn to_bytes(self) -> [u8; 33] {
        self.0.serialize()
    }

    /// The Ethereum address: the last 20 bytes of keccak of the uncompressed point.
    pub fn address(&self) -> Address {
        Address::from_raw_public_key(&self.0.serialize_uncompressed()[1..])
    }

    /// Whether this key signed `digest`.
    pub fn verify(&self, digest: B256, signature: &Signature) -> bool {
        ecdsa::Signature::from_compact(&signature.0)
            .is_ok_and(|signature| SECP256K1.verify_ecdsa(Message::from_digest(digest.0), &signature, &self.0).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        Self::from_bytes(&hex::decode(digits).map_err(|_| MalformedKey::Public)?)
    }
}

impl Signature {
    /// A signature from its 64 compact bytes. A high S is refused, so that nobody can make a second valid form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedKey> {
        let parsed = ecdsa::Signature::from_compact(bytes).map_err(|_| MalformedKey::Signature)?;
        let mut low = parsed;
        low.normalize_s();
        if low != parsed {
            return Err(MalformedKey::Signature);
        }
        Ok(Self(parsed.serialize_compact()))
    }

    pub fn to_bytes(self) -> [u8; 64] {
        self.0
    }

    /// keccak of the compact bytes, as a short name for caches.
    pub fn fingerprint(&self) -> B256 {
        keccak256(self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

/// Text where a person may read it, bytes where only machines do.
fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() { serializer.serialize_str(&format!("0x{}", hex::encode(bytes))) } else { serializer.serialize_bytes(bytes) }
}

struct BytesOrHex;

impl<'de> de::Visitor<'de> for BytesOrHex {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or hex beginning 0x")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(E::custom)
    }
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    if deserializer.is_human_readable() { deserializer.deserialize_str(BytesOrHex) } else { deserializer.deserialize_bytes(BytesOrHex) }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.to_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_bytes(&deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_bytes(&deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes([byte; 32]).unwrap()
    }

    #[test]
    fn the_first_well_known_development_key_has_its_well_known_address() {
        let key: SecretKey = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80".parse().unwrap();
        assert_eq!(key.address().to_checksum(None), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    }

    #[test]
    fn a_signature_holds_for_its_digest_and_key_only() {
        let signature = key(1).sign(B256::repeat_byte(7));
        assert!(key(1).public_key().verify(B256::repeat_byte(7), &signature));
        assert!(!key(1).public_key().verify(B256::repeat_byte(8), &signature));
        assert!(!key(2).public_key().verify(B256::repeat_byte(7), &signature));
    }

    #[test]
    fn a_signature_with_high_s_is_refused() {
        let mut bytes = key(1).sign(B256::repeat_byte(7)).to_bytes();
        let order = alloy_primitives::U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
        let high = order - alloy_primitives::U256::from_be_slice(&bytes[32..]);
        bytes[32..].copy_from_slice(&high.to_be_bytes::<32>());
        assert_eq!(Signature::from_bytes(&bytes), Err(MalformedKey::Signature));
    }

    #[test]
    fn a_zero_secret_and_a_short_public_key_are_refused() {
        assert!(SecretKey::from_bytes([0; 32]).is_err());
        assert_eq!("0x0203".parse::<PublicKey>(), Err(MalformedKey::Public));
    }

    #[test]
    fn a_secret_key_is_never_printed() {
        assert_eq!(format!("{:?}", key(3)), "SecretKey(..)");
    }
}
