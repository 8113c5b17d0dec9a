#![allow(clippy::unwrap_used)]
use alloy_consensus::{Signed, TxEip1559, transaction::Recovered};
use primitives::Transaction;

use super::*;

const LIMITS: Limits = Limits { max_transactions: 4, max_bytes: 10_000, max_per_sender: 3, max_nonce_gap: 10 };
const RICH: Sender = Sender { nonce: 0, balance: U256::from_limbs([u64::MAX, 0, 0, 0]) };

fn pooled(sender: u8, nonce: u64, fee: u128) -> Pooled {
    with_gas(sender, nonce, fee, 21_000)
}

fn with_gas(sender: u8, nonce: u64, fee: u128, gas_limit: u64) -> Pooled {
    let inner = TxEip1559 { nonce, gas_limit, max_fee_per_gas: fee, max_priority_fee_per_gas: fee, ..TxEip1559::default() };
    let signed = Signed::new_unhashed(inner, alloy_primitives::Signature::test_signature());
    let mut hash = B256::repeat_byte(sender);
    hash.0[..8].copy_from_slice(&nonce.to_be_bytes());
    hash.0[8..24].copy_from_slice(&fee.to_be_bytes());
    Pooled { transaction: Arc::new(Recovered::new_unchecked(Transaction::from(signed), Address::repeat_byte(sender))), hash, bytes: 100 }
}

fn pool_of(entries: &[(u8, u64, u128)]) -> Pool {
    let mut pool = Pool::new(LIMITS, 10);
    for (sender, nonce, fee) in entries {
        pool.insert(pooled(*sender, *nonce, *fee), RICH).unwrap();
    }
    pool
}

#[track_caller]
fn best(pool: &Pool, expected: &[(u8, u64)]) {
    let best: Vec<_> = pool.best(u64::MAX).iter().map(|transaction| (transaction.signer().0[0], transaction.nonce())).collect();
    assert_eq!(best, expected);
}

#[test]
fn the_best_paying_go_first_and_each_sender_in_order() {
    best(&pool_of(&[(1, 0, 20), (1, 1, 90), (2, 0, 50)]), &[(2, 0), (1, 0), (1, 1)]);
}

#[test]
fn of_those_that_pay_the_same_nobody_waits_for_a_later_one() {
    best(&pool_of(&[(9, 0, 20), (1, 0, 20), (5, 0, 20), (1, 1, 20)]), &[(9, 0), (1, 0), (5, 0), (1, 1)]);
}

#[test]
fn what_waits_behind_a_gap_or_pays_too_little_is_not_executable() {
    let pool = pool_of(&[(1, 1, 50), (2, 0, 9), (3, 0, 10)]);
    best(&pool, &[(3, 0)]);
    assert_eq!(pool.counts(), (2, 1));
    assert!(!pool_of(&[(1, 1, 50), (2, 0, 9)]).is_waiting(8));
}

#[test]
fn each_transaction_is_news_once_when_it_becomes_executable() {
    let mut pool = pool_of(&[(1, 1, 50)]);
    let sender = Address::repeat_byte(1);
    let news = |pool: &mut Pool| pool.newly_executable(&sender);
    assert!(news(&mut pool).is_empty());
    pool.insert(pooled(1, 0, 50), RICH).unwrap();
    assert_eq!(news(&mut pool), [pooled(1, 0, 50).hash, pooled(1, 1, 50).hash]);
    assert!(news(&mut pool).is_empty());
    pool.insert(pooled(1, 0, 60), RICH).unwrap();
    assert_eq!(news(&mut pool), [pooled(1, 0, 60).hash]);
    pool.discard(&[pooled(1, 0, 60).hash]);
    pool.insert(pooled(1, 2, 50), RICH).unwrap();
    assert!(news(&mut pool).is_empty());
    pool.committed([(sender, Sender { nonce: 1, ..RICH })], 10);
    assert_eq!(news(&mut pool), [pooled(1, 2, 50).hash]);
    assert!(pool.newly_executable(&Address::repeat_byte(9)).is_empty());
}

#[test]
fn what_waits_is_listed_in_its_two_parts_up_to_a_limit() {
    let pool = pool_of(&[(1, 0, 50), (1, 2, 50), (2, 1, 50)]);
    let nonces = |part: &[Arc<RecoveredTransaction>]| part.iter().map(|transaction| transaction.nonce()).collect::<Vec<_>>();
    let of_one = pool.content(Some(Address::repeat_byte(1)), 2).unwrap();
    assert_eq!((nonces(&of_one.pending), nonces(&of_one.queued)), (vec![0], vec![2]));
    let all = pool.content(None, 3).unwrap();
    assert_eq!((all.pending.len(), all.queued.len()), (1, 2));
    assert_eq!(pool.content(None, 2), Err(TooMany { waiting: 3, max: 2 }));
    assert_eq!(pool.content(Some(Address::repeat_byte(9)), 0), Ok(Content::default()));
}

#[test]
fn a_block_takes_no_more_than_its_gas() {
    assert_eq!(pool_of(&[(1, 0, 20), (2, 0, 50)]).best(21_000).len(), 1);
}

#[test]
fn who_asks_for_all_the_gas_of_a_block_and_uses_none_of_it_keeps_nobody_out() {
    let mut pool = Pool::new(LIMITS, 10);
    for nonce in 0..2 {
        pool.insert(with_gas(1, nonce, 90, 100_000), RICH).unwrap();
    }
    pool.insert(pooled(2, 0, 20), RICH).unwrap();
    // Its second one cannot fit behind its first.
    let best: Vec<_> = pool.best(100_000).iter().map(|transaction| (transaction.signer().0[0], transaction.nonce())).collect();
    assert_eq!(best, [(1, 0), (2, 0)]);
}

#[test]
fn what_waits_for_an_earlier_nonce_gives_way_to_what_can_be_executed_whatever_it_offers() {
    let mut pool = pool_of(&[(1, 1, 900), (1, 2, 900), (2, 0, 30), (3, 0, 40)]);
    assert_eq!(pool.insert(pooled(4, 1, 800), RICH), Err(Rejected::Full), "it waits for an earlier nonce itself");
    assert_eq!(pool.insert(pooled(4, 0, 11), RICH), Ok(Displaced(vec![pooled(1, 2, 900).hash])));
    assert_eq!(pool.insert(pooled(4, 1, 11), RICH), Ok(Displaced(vec![pooled(1, 1, 900).hash])));
    assert_eq!(pool.counts(), (4, 0));
    assert_eq!(pool.insert(pooled(5, 1, 900), RICH), Err(Rejected::Full));
}

#[test]
fn what_waits_behind_a_front_that_nobody_executes_gives_way_whatever_it_offers() {
    let mut pool = pool_of(&[(1, 1, 900), (1, 2, 900), (2, 0, 30)]);
    pool.insert(pooled(1, 0, 1), RICH).unwrap();
    assert_eq!(pool.insert(pooled(3, 0, 11), RICH), Ok(Displaced(vec![pooled(1, 2, 900).hash])), "the base fee is 10");
    assert_eq!(pool.insert(pooled(4, 0, 1), RICH), Err(Rejected::Full));
    assert_eq!(pool.insert(pooled(1, 2, 900), RICH), Err(Rejected::Full), "it comes behind the same front");
}

#[test]
fn who_found_no_room_finds_it_as_soon_as_something_changed() {
    let full = || {
        let mut pool = pool_of(&[(1, 0, 30), (2, 0, 30), (3, 0, 30), (4, 0, 30)]);
        assert_eq!([5, 6].map(|sender| pool.insert(pooled(sender, 0, 20), RICH)), [Err(Rejected::Full), Err(Rejected::Full)]);
        pool
    };
    let mut pool = full();
    pool.discard(&[pooled(1, 0, 30).hash]);
    assert_eq!(pool.insert(pooled(5, 0, 20), RICH), Ok(Displaced::default()), "one left");
    let mut pool = full();
    pool.refresh(&Address::repeat_byte(2), Sender { nonce: 5, ..RICH });
    assert_eq!(pool.insert(pooled(5, 0, 20), RICH), Ok(Displaced(vec![pooled(2, 0, 30).hash])), "one cannot be executed");
    let mut pool = full();
    assert_eq!(pool.insert(pooled(5, 0, 31), RICH).map(|displaced| displaced.0.len()), Ok(1), "one that offers more");
    assert_eq!(pool.insert(pooled(6, 0, 31), RICH).map(|displaced| displaced.0.len()), Ok(1), "and another");
    let mut pool = full();
    pool.committed([], 30);
    assert_eq!(pool.insert(pooled(5, 0, 31), RICH).map(|displaced| displaced.0.len()), Ok(1), "another base fee");
}

#[test]
fn a_replacement_pays_a_tenth_more() {
    let mut pool = pool_of(&[(1, 0, 100)]);
    assert_eq!(pool.insert(pooled(1, 0, 109), RICH), Err(Rejected::Underpriced { fee_needed: 110, tip_needed: 110 }));
    assert_eq!(pool.insert(pooled(1, 0, 110), RICH), Ok(Displaced(vec![pooled(1, 0, 100).hash])));
    assert_eq!((pool.len(), pool.bytes()), (1, 100));
}

#[test]
fn each_refusal_says_its_values() {
    let mut pool = pool_of(&[(1, 3, 100)]);
    assert_eq!(pool.insert(pooled(1, 3, 100), RICH), Err(Rejected::AlreadyKnown));
    assert_eq!(pool.insert(pooled(1, 1, 20), Sender { nonce: 2, ..RICH }), Err(Rejected::NonceTooLow { next: 2, got: 1 }));
    assert_eq!(pool.insert(pooled(1, 11, 20), RICH), Err(Rejected::NonceTooHigh { next: 0, got: 11, max_gap: 10 }));
    let want = U256::from(21_000u64 * 20);
    let poor = Sender { nonce: 0, balance: want - U256::from(1) };
    assert_eq!(pool.insert(pooled(2, 0, 20), poor), Err(Rejected::InsufficientFunds { have: poor.balance, want }));
}

#[test]
fn a_sender_must_be_able_to_pay_for_all_that_comes_before() {
    let mut pool = Pool::new(LIMITS, 10);
    let one = U256::from(21_000u64 * 20);
    let sender = Sender { nonce: 0, balance: one };
    pool.insert(pooled(1, 0, 20), sender).unwrap();
    assert_eq!(pool.insert(pooled(1, 1, 20), sender), Err(Rejected::InsufficientFunds { have: one, want: one * U256::from(2) }));
}

#[test]
fn one_sender_cannot_fill_the_pool() {
    let mut pool = pool_of(&[(1, 0, 20), (1, 1, 20), (1, 2, 20)]);
    assert_eq!(pool.insert(pooled(1, 3, 20), RICH), Err(Rejected::SenderFull { max: 3 }));
}

#[test]
fn a_full_pool_gives_way_only_to_who_pays_more() {
    let mut pool = pool_of(&[(1, 0, 20), (1, 1, 20), (2, 0, 30), (3, 0, 40)]);
    assert_eq!(pool.insert(pooled(4, 0, 20), RICH), Err(Rejected::Full));
    assert_eq!(pool.insert(pooled(4, 0, 21), RICH), Ok(Displaced(vec![pooled(1, 1, 20).hash])));
    assert_eq!(pool.len(), 4);
}

#[test]
fn a_replacement_that_finds_no_room_displaces_nothing() {
    let mut pool = Pool::new(Limits { max_bytes: 250, ..LIMITS }, 10);
    pool.insert(pooled(1, 0, 100), RICH).unwrap();
    pool.insert(pooled(2, 0, 300), RICH).unwrap();
    let large = Pooled { bytes: 200, ..pooled(1, 0, 200) };
    assert_eq!(pool.insert(large, RICH), Err(Rejected::Full));
    assert!(pool.contains(&pooled(1, 0, 100).hash) && pool.len() == 2);
}

#[test]
fn what_was_committed_or_became_impossible_leaves() {
    let mut pool = pool_of(&[(1, 0, 20), (1, 1, 20), (2, 0, 30)]);
    let after = Sender { nonce: 1, balance: U256::ZERO };
    let gone = pool.committed([(Address::repeat_byte(1), after)], 10);
    assert_eq!(gone, [pooled(1, 0, 20).hash, pooled(1, 1, 20).hash]);
    best(&pool, &[(2, 0)]);
}

#[test]
fn a_transaction_that_was_passed_by_too_often_wakes_nobody() {
    let mut pool = pool_of(&[(1, 0, 20)]);
    for _ in 0..8 {
        assert!(pool.is_waiting(8) && pool.is_waiting_of(&Address::repeat_byte(1), 8));
        pool.committed([], 10);
    }
    assert!(!pool.is_waiting(8));
    best(&pool, &[(1, 0)]);
}

#[test]
fn the_pending_nonce_follows_what_waits_without_a_gap() {
    let pool = pool_of(&[(1, 0, 20), (1, 1, 20), (2, 1, 20)]);
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(1)), Some(2));
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(2)), Some(0));
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(3)), None);
}

#[test]
fn what_a_builder_found_impossible_is_taken_out() {
    let mut pool = pool_of(&[(1, 0, 20), (2, 0, 30)]);
    assert_eq!(pool.discard(&[pooled(1, 0, 20).hash, B256::ZERO]), [pooled(1, 0, 20).hash]);
    assert_eq!(pool.bytes(), 100);
}
