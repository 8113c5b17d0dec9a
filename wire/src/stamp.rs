//! Proof of work that an acceptor may demand of a dialler, so that a crowd of identities costs whoever makes it.
//!
//! ```text
//! blake3( "axolotl/stamp/v1" 0  chain id (8)  dialler's node id (20)  acceptor's nonce (32)  bits (1)  stamp (8) )
//! ```
//!
//! begins with so many zero bits. The acceptor's nonce is new on each connection, so no stamp is made in advance, kept or
//! passed on; the node id binds it to whoever proves that key next.

use primitives::NodeId;

/// What a dialler works for at most: about a million hashes, a fraction of a second. Whoever demands more is left.
pub const MAX_STAMP_BITS: u8 = 20;
/// Hashes between two looks at the rest of the world: well below a millisecond, so that no thread is blocked and a
/// deadline strikes in time.
const HASHES_AT_ONCE: u64 = 512;
const TAG: &[u8; 17] = b"axolotl/stamp/v1\0";
const STAMP_AT: usize = 17 + 8 + 20 + 32 + 1;

/// What a stamp is made for.
#[derive(Clone, Debug)]
pub struct Challenge {
    content: [u8; STAMP_AT + 8],
    bits: u8,
}

impl Challenge {
    /// The work of `dialler` for the acceptor whose hello had `nonce` and demanded `bits`.
    pub fn new(chain_id: u64, dialler: NodeId, nonce: &[u8; 32], bits: u8) -> Self {
        let mut content = [0; STAMP_AT + 8];
        content[..17].copy_from_slice(TAG);
        content[17..25].copy_from_slice(&chain_id.to_be_bytes());
        content[25..45].copy_from_slice(dialler.0.as_slice());
        content[45..77].copy_from_slice(nonce);
        content[77] = bits;
        Self { content, bits }
    }

    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether that much work was done. Any stamp will do when none is demanded.
    pub fn is_met_by(&self, stamp: u64) -> bool {
        let mut content = self.content;
        content[STAMP_AT..].copy_from_slice(&stamp.to_be_bytes());
        self.bits == 0 || u32::from(self.bits) <= leading_zeros(blake3::hash(&content).as_bytes())
    }

    /// Does the work, a little at a time; drop it to give up.
    pub async fn work(&self) -> u64 {
        let mut stamp = 0;
        while !self.is_met_by(stamp) {
            stamp += 1;
            if stamp.is_multiple_of(HASHES_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        stamp
    }
}

fn leading_zeros(hash: &[u8; 32]) -> u32 {
    let zero_bytes = hash.iter().take_while(|byte| **byte == 0).count();
    8 * zero_bytes as u32 + hash.get(zero_bytes).map_or(0, |byte| byte.leading_zeros())
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::*;

    const DIALLER: NodeId = NodeId(Address::repeat_byte(1));

    #[tokio::test]
    async fn a_stamp_is_good_for_its_connection_and_node_only() {
        let bits = 10;
        let challenge = Challenge::new(1, DIALLER, &[2; 32], bits);
        let stamp = challenge.work().await;
        assert!(challenge.is_met_by(stamp));
        let others = (0..8).map(|byte| Challenge::new(1, DIALLER, &[100 + byte; 32], bits));
        let others = others.chain([Challenge::new(2, DIALLER, &[2; 32], bits), Challenge::new(1, NodeId(Address::ZERO), &[2; 32], bits)]);
        // By chance one in a thousand would do.
        assert!(others.filter(|other| other.is_met_by(stamp)).count() < 3);
    }

    #[tokio::test]
    async fn nothing_is_done_when_nothing_is_demanded() {
        assert_eq!(Challenge::new(1, DIALLER, &[2; 32], 0).work().await, 0);
    }

    #[test]
    fn zero_bits_are_counted_over_bytes() {
        let mut hash = [0xff; 32];
        assert_eq!(leading_zeros(&hash), 0);
        hash[..3].copy_from_slice(&[0, 0, 0x10]);
        assert_eq!(leading_zeros(&hash), 19);
        assert_eq!(leading_zeros(&[0; 32]), 256);
    }
}
