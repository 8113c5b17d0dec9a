//! The ERC-20 token of a load: `tests/clients/contracts/Token.sol`, compiled by the `build.mjs` beside it.

use primitives::{Address, Bytes, U256};

/// Hex of the code that deploys it. A test of the workspace holds it against the artefact beside the source.
pub const BYTECODE: &str = include_str!("token.hex");
/// What each account gets.
pub const SHARE: u128 = 1_000_000_000_000_000_000;

/// `transfer(address,uint256)`
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// `balanceOf(address)`
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// What deploys a token whose whole supply belongs to the deployer.
pub fn deployment(supply: U256) -> Bytes {
    let mut code = hex::decode(BYTECODE.trim()).expect("the artefact is hex");
    code.extend_from_slice(&supply.to_be_bytes::<32>());
    code.into()
}

pub fn transfer(to: Address, value: U256) -> Bytes {
    [&TRANSFER[..], &to.into_word()[..], &value.to_be_bytes::<32>()].concat().into()
}

pub fn balance_of(account: Address) -> Bytes {
    [&BALANCE_OF[..], &account.into_word()[..]].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::keccak256;

    #[test]
    fn selectors_are_the_first_bytes_of_the_hashed_signature() {
        assert_eq!(keccak256("transfer(address,uint256)")[..4], TRANSFER);
        assert_eq!(keccak256("balanceOf(address)")[..4], BALANCE_OF);
    }

    #[test]
    fn calls_are_encoded_as_the_abi_says() {
        let call = transfer(Address::repeat_byte(0xab), U256::from(0x1234));
        let expected = format!("a9059cbb{}{}{}1234", "0".repeat(24), "ab".repeat(20), "0".repeat(60));
        assert_eq!(hex::encode(call), expected);
        assert_eq!(deployment(U256::from(5)).last(), Some(&5));
    }
}
