//! Blocks as simple as consensus allows: bytes with a hash, true or rubbish.

use primitives::{B256, Bytes, Height, keccak256};
use rand::{RngCore, rngs::StdRng};

/// Blocks above this size are synced by themselves, smaller ones ride in the journal.
pub const LARGE_BYTES: usize = 600;
const VALID: u8 = 1;
const RUBBISH: u8 = 2;

/// A block for `height` that nobody has made before.
pub fn make(height: Height, is_rubbish: bool, rng: &mut StdRng) -> Bytes {
    let mut bytes = vec![0; 64 + (rng.next_u32() % 1000) as usize];
    rng.fill_bytes(&mut bytes);
    bytes[0] = if is_rubbish { RUBBISH } else { VALID };
    bytes[1..9].copy_from_slice(&height.to_be_bytes());
    bytes.into()
}

/// The value that votes name.
pub fn hash(body: &[u8]) -> B256 {
    keccak256(body)
}

/// Whether the rules allow `body` at `height`.
pub fn is_valid(body: &[u8], height: Height) -> bool {
    body.first() == Some(&VALID) && body.get(1..9) == Some(&height.to_be_bytes()[..])
}
