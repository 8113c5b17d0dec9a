//! Keys that everybody knows: derived from the public development mnemonic, refused outside development networks.
//!
//! BIP-39 makes the seed, BIP-32 the keys. Accounts use Ethereum's usual path, so that every wallet and test tool finds
//! them; validators and nodes use accounts 1 and 2 of the same wallet, so that no key ever serves two purposes.
//!
//! | path             | what          |
//! |------------------|---------------|
//! | m/44'/60'/0'/0/i | account i     |
//! | m/44'/60'/1'/0/i | validator i   |
//! | m/44'/60'/2'/0/i | node i        |

use std::sync::LazyLock;

use hmac::{Hmac, Mac};
use primitives::{Genesis, SecretKey, U256, genesis::NetworkKind};
use sha2::Sha512;

/// The mnemonic of Hardhat, Anvil and Foundry.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";
/// Validators of one development network; their keys are refused elsewhere.
pub const MAX_VALIDATORS: usize = 100;

const HARDENED: u32 = 1 << 31;
const SEED_ROUNDS: u32 = 2_048;
/// Order of secp256k1.
const ORDER: U256 = U256::from_limbs([0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, u64::MAX]);

/// The account purposes of the wallet: `m/44'/60'/{purpose}'/0`.
static WALLET: LazyLock<[Node; 3]> = LazyLock::new(|| {
    let coin = Node::master(&seed(MNEMONIC)).child(44 | HARDENED).child(60 | HARDENED);
    [0, 1, 2].map(|purpose| coin.child(purpose | HARDENED).child(0))
});

/// The funded account number `index`.
pub fn account_key(index: u32) -> SecretKey {
    WALLET[0].child(index).key()
}

/// The consensus key of validator number `index`.
pub fn validator_key(index: u32) -> SecretKey {
    WALLET[1].child(index).key()
}

/// The network key of node number `index`.
pub fn node_key(index: u32) -> SecretKey {
    WALLET[2].child(index).key()
}

/// The development validators that a genesis of another kind names, as `validators` entries.
pub fn validators_out_of_place(genesis: &Genesis) -> Vec<primitives::Address> {
    if genesis.network_kind == NetworkKind::Dev {
        return Vec::new();
    }
    let known = (0..MAX_VALIDATORS as u32).map(|index| validator_key(index).address());
    known.filter(|address| genesis.validators.get(address).is_some()).collect()
}

/// A private key with its chain code, from which children are derived.
struct Node {
    secret: [u8; 32],
    chain: [u8; 32],
}

impl Node {
    fn master(seed: &[u8; 64]) -> Self {
        Self::split(hmac_sha512(b"Bitcoin seed", &[seed]))
    }

    /// BIP-32: `index` with the top bit set is a hardened child.
    fn child(&self, index: u32) -> Self {
        let bytes = index.to_be_bytes();
        let public;
        let from: [&[u8]; 3] = if index & HARDENED == 0 {
            public = self.key().public_key().to_bytes();
            [&[], &public, &bytes]
        } else {
            [&[0], &self.secret, &bytes]
        };
        let derived = Self::split(hmac_sha512(&self.chain, &from));
        let secret = U256::from_be_bytes(derived.secret).add_mod(U256::from_be_bytes(self.secret), ORDER);
        Self { secret: secret.to_be_bytes(), chain: derived.chain }
    }

    fn key(&self) -> SecretKey {
        SecretKey::from_bytes(self.secret).expect("the public mnemonic derives no key that is zero")
    }

    fn split(bytes: [u8; 64]) -> Self {
        let mut node = Self { secret: [0; 32], chain: [0; 32] };
        node.secret.copy_from_slice(&bytes[..32]);
        node.chain.copy_from_slice(&bytes[32..]);
        node
    }
}

/// BIP-39 without a passphrase: PBKDF2 with HMAC-SHA512, one block.
fn seed(mnemonic: &str) -> [u8; 64] {
    let mut round = hmac_sha512(mnemonic.as_bytes(), &[b"mnemonic", &1u32.to_be_bytes()]);
    let mut seed = round;
    for _ in 1..SEED_ROUNDS {
        round = hmac_sha512(mnemonic.as_bytes(), &[&round]);
        seed.iter_mut().zip(round).for_each(|(byte, more)| *byte ^= more);
    }
    seed
}

fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    let mut hmac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::genesis::DEVELOPMENT_ACCOUNTS;

    #[test]
    fn the_derived_accounts_are_the_well_known_ones() {
        let derived = std::array::from_fn::<_, 10, _>(|index| account_key(index as u32).address());
        assert_eq!(derived, DEVELOPMENT_ACCOUNTS);
    }

    #[test]
    fn no_key_serves_two_purposes() {
        let all: std::collections::HashSet<_> =
            (0..20).flat_map(|index| [account_key(index), validator_key(index), node_key(index)]).map(|key| key.address()).collect();
        assert_eq!(all.len(), 60);
    }
}
