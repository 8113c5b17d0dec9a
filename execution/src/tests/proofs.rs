//! Proofs, verified as a light client would.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{Nibbles, proof::verify_proof};

use crate::{Account, AccountProof, MemoryState, StateReader, TrieError, prove, testing::*};

/// The state after each block, with its root.
struct History(Vec<(MemoryState, B256)>);

impl History {
    fn note(&mut self, node: &Node) {
        self.0.push((node.state.clone(), node.engine.finalised().1.state_root));
    }
}

fn verify(root: B256, address: &Address, slots: &[B256], proof: &AccountProof) {
    verify_proof(root, Nibbles::unpack(keccak256(address)), proof.account.map(alloy_rlp::encode), &proof.nodes).unwrap();
    let storage_root = proof.account.unwrap_or_default().storage_root;
    for (slot, proof) in slots.iter().zip(&proof.slots) {
        let value = (!proof.value.is_zero()).then(|| alloy_rlp::encode(proof.value));
        verify_proof(storage_root, Nibbles::unpack(keccak256(slot)), value, &proof.nodes).unwrap();
    }
}

fn slot(number: u64) -> B256 {
    B256::from(U256::from(number))
}

#[test]
fn a_proof_holds_at_every_height_for_what_is_there_and_what_is_not() {
    let (mut node, mut history) = (Node::new(), History(Vec::new()));
    history.note(&node);
    let store = node.mine(vec![deploy(0, 0, init_code(STORE))])[0].contract_address.unwrap();
    history.note(&node);
    for number in 0..12 {
        let writes = (0..3).map(|index| call(1, number * 3 + index, store, words(&[number * 7 + index, (number + 1) * (index + 1)])));
        node.mine(writes.chain([transfer(2, number, Address::repeat_byte(number as u8), 1)]).collect());
        history.note(&node);
    }
    node.mine((0..12).map(|number| call(3, number, store, words(&[number * 7, 0]))).collect());
    history.note(&node);
    let slots: Vec<B256> = (0..90).map(slot).collect();
    for (state, root) in &history.0 {
        for address in [store, wallet(0), Address::repeat_byte(3), Address::repeat_byte(0xee)] {
            let proof = prove(state, *root, &address, &slots).unwrap();
            verify(*root, &address, &slots, &proof);
            assert_eq!(proof.account, state.account(&address).unwrap());
            let values: Vec<U256> = slots.iter().map(|slot| state.slot(&address, slot).unwrap()).collect();
            assert_eq!(proof.slots.iter().map(|slot| slot.value).collect::<Vec<_>>(), values);
        }
    }
}

#[test]
fn an_account_that_is_not_there_has_empty_storage() {
    let node = Node::new();
    let root = node.engine.finalised().1.state_root;
    let proof = prove(&node.state, root, &Address::repeat_byte(0xee), &[slot(1)]).unwrap();
    assert_eq!((proof.account, proof.slots[0].value, proof.slots[0].nodes.len()), (None, U256::ZERO, 0));
    assert!(!proof.nodes.is_empty());
    let nothing = prove(&MemoryState::default(), Account::default().storage_root, &wallet(0), &[]).unwrap();
    assert_eq!(nothing, AccountProof { account: None, nodes: vec![], slots: vec![] });
}

#[test]
fn a_trie_that_is_not_that_of_the_root_proves_nothing() {
    let mut node = Node::new();
    let (before, root) = (node.state.clone(), node.engine.finalised().1.state_root);
    node.mine(vec![transfer(0, 0, Address::repeat_byte(9), 1)]);
    assert!(matches!(prove(&node.state, root, &wallet(0), &[]), Err(TrieError::Other { expected, .. }) if expected == root));
    assert!(matches!(prove(&MemoryState::default(), root, &wallet(0), &[]), Err(TrieError::Missing { .. })));
    assert!(prove(&before, root, &wallet(0), &[]).is_ok());
}
