//! Whether an account and its slots are what somebody says: Merkle proofs against a state root (EIP-1186).

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, Nibbles, proof::verify_proof};
use serde::{Deserialize, Serialize};

use super::{Refused, Step};

/// An account as the state trie has it.
pub type StateAccount = alloy_trie::TrieAccount;

/// What `eth_getProof` answers. Nothing in it holds before it is verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountProof {
    pub address: Address,
    pub balance: U256,
    pub nonce: U64,
    pub code_hash: B256,
    pub storage_hash: B256,
    /// Nodes of the state trie, the root first.
    pub account_proof: Vec<Bytes>,
    #[serde(default)]
    pub storage_proof: Vec<StorageProof>,
}

/// One slot of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageProof {
    pub key: U256,
    pub value: U256,
    /// Nodes of the account's storage trie, the root first.
    pub proof: Vec<Bytes>,
}

/// What was proved of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedAccount {
    pub address: Address,
    /// None: there is no such account.
    pub account: Option<StateAccount>,
    pub slots: Vec<ProvedSlot>,
}

/// What was proved of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvedSlot {
    pub key: B256,
    /// None: there is no such slot, which the EVM reads as 0.
    pub value: Option<U256>,
}

impl AccountProof {
    /// Checks the account and every slot against the state root of a proved header.
    pub fn verify(&self, state_root: B256) -> Result<ProvedAccount, Refused> {
        let account = self.verify_account(state_root)?;
        let storage_root = account.as_ref().map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let slots = self.storage_proof.iter().map(|slot| slot.verify(storage_root)).collect::<Result<_, _>>()?;
        Ok(ProvedAccount { address: self.address, account, slots })
    }

    fn verify_account(&self, state_root: B256) -> Result<Option<StateAccount>, Refused> {
        let claim = Claim { step: Step::Account, subject: format!("account {}", self.address), root: state_root, key: keccak256(self.address) };
        // An account of all zeros may be there, too: a genesis can make one.
        if self.says_nothing() && claim.check(None, &self.account_proof).is_ok() {
            return Ok(None);
        }
        let account = self.account();
        claim.check(Some(alloy_rlp::encode(account)), &self.account_proof)?;
        Ok(Some(account))
    }

    /// Nodes differ in whether an account that does not exist has hashes of nothing, or zeros.
    fn says_nothing(&self) -> bool {
        let has_no_code = self.code_hash == KECCAK_EMPTY || self.code_hash.is_zero();
        let has_no_storage = self.storage_hash == EMPTY_ROOT_HASH || self.storage_hash.is_zero();
        self.nonce.is_zero() && self.balance.is_zero() && has_no_code && has_no_storage
    }

    fn account(&self) -> StateAccount {
        StateAccount { nonce: self.nonce.to(), balance: self.balance, storage_root: self.storage_hash, code_hash: self.code_hash }
    }
}

impl StorageProof {
    fn verify(&self, storage_root: B256) -> Result<ProvedSlot, Refused> {
        let key = B256::from(self.key);
        let claim = Claim { step: Step::Slot, subject: format!("slot {key}"), root: storage_root, key: keccak256(key) };
        let value = (!self.value.is_zero()).then_some(self.value);
        claim.check(value.map(alloy_rlp::encode), &self.proof)?;
        Ok(ProvedSlot { key, value })
    }
}

/// That a trie with this root holds something at `key`.
struct Claim {
    step: Step,
    subject: String,
    root: B256,
    /// The hash under which the trie has it.
    key: B256,
}

impl Claim {
    fn check(&self, value: Option<Vec<u8>>, nodes: &[Bytes]) -> Result<(), Refused> {
        let root = nodes.first().map_or(EMPTY_ROOT_HASH, keccak256);
        if root != self.root {
            return Err(self.refused(format_args!("a proof from the root {}", self.root), format_args!("one from {root}")));
        }
        let claimed = value.as_ref().map_or("nothing at this key".to_owned(), |value| format!("{} at this key", Bytes::copy_from_slice(value)));
        verify_proof(self.root, Nibbles::unpack(self.key), value, nodes)
            .map_err(|error| self.refused(format_args!("nodes that lead to {claimed}"), error))
    }

    fn refused(&self, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Refused {
        Refused::new(self.step, &self.subject, expected, found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alloy_trie::{HashBuilder, proof::ProofRetainer};

    const ACCOUNTS: u8 = 60;
    const SLOTS: u64 = 40;
    const CONTRACT: Address = Address::repeat_byte(7);

    /// Root of a trie of these leaves, and the proof of `key`.
    fn trie(leaves: impl IntoIterator<Item = (B256, Vec<u8>)>, key: B256) -> (B256, Vec<Bytes>) {
        let leaves: std::collections::BTreeMap<_, _> = leaves.into_iter().collect();
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::from_iter([Nibbles::unpack(key)]));
        for (key, value) in leaves {
            builder.add_leaf(Nibbles::unpack(key), &value);
        }
        let root = builder.root();
        (root, builder.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node).collect())
    }

    fn storage(key: u64) -> (B256, Vec<Bytes>) {
        let leaf = |slot: u64| (keccak256(B256::from(U256::from(slot))), alloy_rlp::encode(U256::from(slot + 1)));
        trie((0..SLOTS).map(leaf), keccak256(B256::from(U256::from(key))))
    }

    fn account(address: Address) -> StateAccount {
        let storage_root = if address == CONTRACT { storage(0).0 } else { EMPTY_ROOT_HASH };
        StateAccount { nonce: 1, balance: U256::from(address.0[0]), storage_root, code_hash: KECCAK_EMPTY }
    }

    fn state(key: Address) -> (B256, Vec<Bytes>) {
        let leaf = |byte| (keccak256(Address::repeat_byte(byte)), alloy_rlp::encode(account(Address::repeat_byte(byte))));
        trie((1..=ACCOUNTS).map(leaf), keccak256(key))
    }

    fn root() -> B256 {
        state(CONTRACT).0
    }

    fn slot(key: u64) -> StorageProof {
        StorageProof { key: U256::from(key), value: if key < SLOTS { U256::from(key + 1) } else { U256::ZERO }, proof: storage(key).1 }
    }

    /// The honest answer for an account that is there.
    fn present(address: Address, slots: &[u64]) -> AccountProof {
        let StateAccount { nonce, balance, storage_root, code_hash, .. } = account(address);
        let storage_proof = slots.iter().map(|key| slot(*key)).collect();
        let account_proof = state(address).1;
        AccountProof { address, balance, nonce: U64::from(nonce), code_hash, storage_hash: storage_root, account_proof, storage_proof }
    }

    /// The honest answer for one that is not.
    fn absent(address: Address) -> AccountProof {
        let nothing = StateAccount::default();
        AccountProof {
            address,
            balance: U256::ZERO,
            nonce: U64::ZERO,
            code_hash: nothing.code_hash,
            storage_hash: nothing.storage_root,
            account_proof: state(address).1,
            storage_proof: vec![],
        }
    }

    #[track_caller]
    fn refused(proof: &AccountProof, step: Step) {
        assert_eq!(proof.verify(root()).map_err(|refused| refused.step), Err(step));
    }

    #[test]
    fn what_is_there_is_proved_and_what_is_not_there_too() {
        let proved = present(CONTRACT, &[0, 5, SLOTS, SLOTS + 9]).verify(root()).unwrap();
        assert_eq!(proved.account, Some(account(CONTRACT)));
        let values: Vec<_> = proved.slots.iter().map(|slot| slot.value).collect();
        assert_eq!(values, [Some(U256::from(1)), Some(U256::from(6)), None, None]);
        for byte in 1..=ACCOUNTS {
            assert!(present(Address::repeat_byte(byte), &[]).verify(root()).unwrap().account.is_some());
        }
        for byte in ACCOUNTS + 1..=255 {
            assert_eq!(absent(Address::repeat_byte(byte)).verify(root()).unwrap().account, None);
        }
        let zeros = AccountProof { code_hash: B256::ZERO, storage_hash: B256::ZERO, ..absent(Address::repeat_byte(0xaa)) };
        assert_eq!(zeros.verify(root()).unwrap().account, None);
    }

    #[test]
    fn an_account_without_storage_has_no_slot() {
        let mut proof = present(Address::repeat_byte(9), &[]);
        proof.storage_proof = vec![StorageProof { key: U256::from(1), value: U256::ZERO, proof: vec![] }];
        assert_eq!(proof.verify(root()).unwrap().slots[0].value, None);
        proof.storage_proof[0].value = U256::from(1);
        refused(&proof, Step::Slot);
        proof.storage_proof = vec![slot(1)];
        refused(&proof, Step::Slot);
    }

    #[test]
    fn no_field_can_say_something_else_than_the_proof() {
        let honest = present(CONTRACT, &[3, SLOTS]);
        let (balance, nonce) = (U256::from(8), U64::from(2));
        refused(&AccountProof { balance, ..honest.clone() }, Step::Account);
        refused(&AccountProof { nonce, ..honest.clone() }, Step::Account);
        refused(&AccountProof { code_hash: B256::ZERO, ..honest.clone() }, Step::Account);
        refused(&AccountProof { storage_hash: EMPTY_ROOT_HASH, ..honest.clone() }, Step::Account);
        refused(&AccountProof { address: Address::repeat_byte(8), ..honest.clone() }, Step::Account);
        for (index, value) in [(0, 0), (0, 5), (1, 1)] {
            let mut lie = honest.clone();
            lie.storage_proof[index].value = U256::from(value);
            refused(&lie, Step::Slot);
        }
        let mut lie = honest.clone();
        lie.storage_proof[0].key = U256::from(4);
        refused(&lie, Step::Slot);
    }

    #[test]
    fn an_account_that_is_there_cannot_be_denied_and_one_that_is_not_cannot_be_claimed() {
        refused(&AccountProof { account_proof: state(CONTRACT).1, ..absent(CONTRACT) }, Step::Account);
        let nobody = Address::repeat_byte(0xaa);
        refused(&AccountProof { address: nobody, account_proof: state(nobody).1, ..present(CONTRACT, &[]) }, Step::Account);
    }

    #[test]
    fn the_proof_of_another_root_is_refused_with_both_roots() {
        let refused = present(CONTRACT, &[]).verify(B256::repeat_byte(1)).unwrap_err();
        assert!(refused.expected.contains(&B256::repeat_byte(1).to_string()) && refused.found.contains(&root().to_string()), "{refused}");
        let no_nodes = AccountProof { account_proof: vec![], ..absent(Address::repeat_byte(0xaa)) };
        assert!(no_nodes.verify(root()).is_err());
        assert_eq!(no_nodes.verify(EMPTY_ROOT_HASH).unwrap().account, None);
    }

    #[test]
    fn a_node_that_was_changed_dropped_added_or_moved_is_found_wherever_it_is() {
        let deep_and_absent = (SLOTS..).find(|key| 1 < storage(*key).1.len()).unwrap();
        let honest = present(CONTRACT, &[3, deep_and_absent]);
        let lists: [fn(&mut AccountProof) -> &mut Vec<Bytes>; 3] =
            [|proof| &mut proof.account_proof, |proof| &mut proof.storage_proof[0].proof, |proof| &mut proof.storage_proof[1].proof];
        for (list, step) in lists.into_iter().zip([Step::Account, Step::Slot, Step::Slot]) {
            let nodes = list(&mut honest.clone()).clone();
            let with = |change: &dyn Fn(&mut Vec<Bytes>)| {
                let mut lie = honest.clone();
                change(list(&mut lie));
                refused(&lie, step);
            };
            assert!(1 < nodes.len(), "a deep proof");
            for (place, node) in nodes.iter().enumerate() {
                for byte in 0..node.len() {
                    with(&|nodes| {
                        let mut bytes = nodes[place].to_vec();
                        bytes[byte] ^= 1;
                        nodes[place] = bytes.into();
                    });
                }
                with(&|nodes| drop(nodes.remove(place)));
                with(&|nodes| nodes.insert(place, nodes[place].clone()));
                with(&|nodes| nodes.truncate(place));
                with(&|nodes| nodes[place] = Bytes::new());
            }
            with(&|nodes| nodes.push(nodes[0].clone()));
            with(&|nodes| nodes.reverse());
        }
    }

    #[test]
    fn the_answer_of_a_node_is_read_as_it_comes() {
        let honest = present(CONTRACT, &[3]);
        let text = serde_json::to_string(&honest).unwrap();
        assert!(text.contains("\"codeHash\"") && text.contains("\"storageProof\":[{\"key\":\"0x3\""), "{text}");
        assert_eq!(serde_json::from_str::<AccountProof>(&text).unwrap(), honest);
        let whole_key = text.replace("\"key\":\"0x3\"", &format!("\"key\":\"{}\"", B256::from(U256::from(3))));
        assert_eq!(serde_json::from_str::<AccountProof>(&whole_key).unwrap(), honest);
    }
}
