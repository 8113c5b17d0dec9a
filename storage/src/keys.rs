//! How keys, and the small values that are keys elsewhere, are written. Numbers are big endian, so that keys sort as they count.

use primitives::{Address, B256, Height, Round};

/// Of a height: `Headers`, `Bodies`, `Certificates`, `Receipts`; also the value in `HeaderIndex`.
pub fn height(height: Height) -> [u8; 8] {
    height.to_be_bytes()
}

/// Reads what [`height`] wrote.
pub fn parse_height(bytes: &[u8]) -> Option<Height> {
    Some(Height(u64::from_be_bytes(bytes.try_into().ok()?)))
}

/// Of a height and a round: `UndecidedRounds`.
pub fn height_round(height: Height, round: Round) -> [u8; 12] {
    pair(height, round.0)
}

/// Reads what [`height_round`] wrote.
pub fn parse_height_round(bytes: &[u8]) -> Option<(Height, Round)> {
    let (height, round) = parse_pair(bytes)?;
    Some((height, Round(round)))
}

/// Where a transaction stands, a value in `Transactions`: the height of its block and its index there.
pub fn location(height: Height, index: u32) -> [u8; 12] {
    pair(height, index)
}

/// Reads what [`location`] wrote.
pub fn parse_location(bytes: &[u8]) -> Option<(Height, u32)> {
    parse_pair(bytes)
}

/// Of an account: `Accounts`; also the prefix of its slots.
pub fn account(address: &Address) -> [u8; 20] {
    address.into_array()
}

/// Of a storage slot: `Slots`.
pub fn slot(address: &Address, key: &B256) -> [u8; 52] {
    let mut bytes = [0; 52];
    bytes[..20].copy_from_slice(address.as_slice());
    bytes[20..].copy_from_slice(key.as_slice());
    bytes
}

/// Reads what [`slot`] wrote.
pub fn parse_slot(bytes: &[u8]) -> Option<(Address, B256)> {
    let bytes: &[u8; 52] = bytes.try_into().ok()?;
    Some((Address::from_slice(&bytes[..20]), B256::from_slice(&bytes[20..])))
}

/// Of anything named by a hash: `HeaderIndex`, `Transactions`, `Code`, `Undecided`.
pub fn hash(hash: &B256) -> [u8; 32] {
    hash.0
}

/// Reads what [`hash()`] wrote.
pub fn parse_hash(bytes: &[u8]) -> Option<B256> {
    B256::try_from(bytes).ok()
}

fn pair(height: Height, number: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&height.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn parse_pair(bytes: &[u8]) -> Option<(Height, u32)> {
    let bytes: &[u8; 12] = bytes.try_into().ok()?;
    let (height, number) = bytes.split_at(8);
    Some((parse_height(height)?, u32::from_be_bytes(number.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_sort_as_what_they_name(a: (u64, u32), b: (u64, u32)) {
            let key = |(h, r): (u64, u32)| height_round(Height(h), Round(r));
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(height(Height(a.0)).cmp(&height(Height(b.0))), a.0.cmp(&b.0));
        }

        #[test]
        fn what_was_written_is_read_back(h: u64, r: u32, address: [u8; 20], key: [u8; 32]) {
            prop_assert_eq!(parse_height(&height(Height(h))), Some(Height(h)));
            prop_assert_eq!(parse_height_round(&height_round(Height(h), Round(r))), Some((Height(h), Round(r))));
            prop_assert_eq!(parse_location(&location(Height(h), r)), Some((Height(h), r)));
            let (address, key) = (Address::from(address), B256::from(key));
            prop_assert_eq!(parse_slot(&slot(&address, &key)), Some((address, key)));
            prop_assert!(slot(&address, &key).starts_with(&account(&address)));
        }

        #[test]
        fn bytes_of_another_length_are_no_key(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(parse_height(&bytes).is_some(), bytes.len() == 8);
            prop_assert_eq!(parse_height_round(&bytes).is_some(), bytes.len() == 12);
            prop_assert_eq!(parse_slot(&bytes).is_some(), bytes.len() == 52);
            prop_assert_eq!(parse_hash(&bytes).is_some(), bytes.len() == 32);
        }
    }
}
