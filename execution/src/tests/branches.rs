//! Undecided blocks, decisions, and what they leave.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_primitives::{Address, B256, Bytes, U256};
use primitives::{Height, limits};

use crate::{
    Account, BuildError, Cancel, CommitError, Committed, Embedded, Executed, FinaliseError, MemoryState, NoVerdict, ReadError, Rule, StateReader,
    Verdict, testing::*,
};

const SOMEBODY: Address = Address::repeat_byte(0xaa);

fn block(node: &Node, parent: B256, from: u8, nonce: u64) -> Arc<Executed> {
    node.build_on(parent, vec![transfer(from, nonce, SOMEBODY, 1)]).executed
}

fn commit(node: &Node, block: &Executed) -> Result<Committed, CommitError> {
    node.engine.commit_decided(Height(block.number()), block.hash, &block.body, &node.validators(), &Cancel::default())
}

#[test]
fn the_longest_branch_is_the_head_until_something_is_decided() {
    let mut node = Node::new();
    let root = node.engine.finalised().0;
    let one_a = block(&node, root, 0, 0);
    assert_eq!(node.engine.head(), (one_a.hash, Height(1)));
    let one_b = block(&node, root, 1, 0);
    let two_b = block(&node, one_b.hash, 2, 0);
    assert_eq!(node.engine.head(), (two_b.hash, Height(2)));
    let state = node.engine.state_after(&two_b.hash).unwrap();
    assert_eq!(state.account(&SOMEBODY).unwrap().unwrap().balance, U256::from(2));

    let changes = node.decide(&one_a);
    assert_eq!(node.engine.head(), (one_a.hash, Height(1)));
    let dropped: HashSet<B256> = changes.dropped.iter().map(|transaction| *transaction.tx_hash()).collect();
    assert_eq!(dropped, one_b.transaction_hashes().chain(two_b.transaction_hashes()).collect());

    node.write(&changes);
    for lost in [&one_b, &two_b] {
        assert!(node.engine.executed(&lost.hash).is_none());
    }
    let conflict = node.validate(&one_b.body);
    assert!(matches!(conflict, Verdict::None(NoVerdict::ConflictsWithFinalized)), "{conflict:?}");
    assert!(matches!(commit(&node, &one_b), Err(CommitError::Conflict { height: Height(1), .. })));
}

#[test]
fn a_transaction_that_the_winner_holds_too_is_not_dropped() {
    let node = Node::new();
    let root = node.engine.finalised().0;
    let shared = transfer(0, 0, SOMEBODY, 1);
    let winner = node.build_on(root, vec![shared.clone()]).executed;
    node.build_on(root, vec![shared, transfer(1, 0, SOMEBODY, 1)]);
    let dropped = node.decide(&winner).dropped;
    assert_eq!(dropped.iter().map(|transaction| transaction.signer()).collect::<Vec<_>>(), [wallet(1)]);
}

#[test]
fn the_next_height_is_executed_while_the_last_one_is_being_written() {
    let (mut node, mut other) = (Node::new(), Node::new());
    let one = node.build(vec![transfer(0, 0, SOMEBODY, 1)]).executed;
    let changes = node.decide(&one);
    let two = block(&node, one.hash, 0, 1);
    let three = block(&node, two.hash, 0, 2);
    node.write(&changes);
    node.commit(&two);
    node.commit(&three);
    for block in [one, two, three] {
        assert!(matches!(other.validate(&block.body), Verdict::Valid(_)));
        other.commit(&block);
    }
    assert_eq!(node.engine.finalised().0, other.engine.finalised().0);
}

#[test]
fn several_heights_may_be_decided_before_the_first_is_written() {
    let (source, mut node) = (Node::new(), Node::new());
    let one = source.build(vec![transfer(0, 0, SOMEBODY, 1)]).executed;
    let two = block(&source, one.hash, 0, 1);
    let changes = [node.decide(&one), node.decide(&two)];
    for changes in &changes {
        node.state.apply(changes.height.0, changes.hash, &changes.block.changes);
    }
    node.engine.finalise(two.hash, Arc::new(node.state.clone())).unwrap();
    node.check();
    assert_eq!(node.engine.finalised().1.number, 2);
}

#[test]
fn beside_a_decided_block_nothing_is_built_or_judged() {
    let node = Node::new();
    let root = node.engine.finalised().0;
    let winner = block(&node, root, 0, 0);
    let loser = block(&node, root, 1, 0);
    node.decide(&winner);
    let build = |parent: &B256| node.engine.build(parent, node.attributes(&node.header(parent)), &mut std::iter::empty(), &Cancel::default());
    assert!(matches!(build(&root), Err(BuildError::ConflictsWithFinalized)));
    assert!(matches!(build(&loser.hash), Err(BuildError::ConflictsWithFinalized)));
    assert!(matches!(build(&B256::ZERO), Err(BuildError::UnknownParent { .. })));
    assert!(build(&winner.hash).is_ok());
}

#[test]
fn at_most_four_blocks_of_a_height_are_kept_and_the_oldest_goes() {
    let node = Node::new();
    let root = node.engine.finalised().0;
    let blocks: Vec<_> = (0..=limits::MAX_OVERLAYS_PER_HEIGHT as u8).map(|from| block(&node, root, from, 0)).collect();
    let is_kept: Vec<bool> = blocks.iter().map(|block| node.engine.executed(&block.hash).is_some()).collect();
    assert_eq!(is_kept, [false, true, true, true, true]);
    // What was dropped for room is executed again when it is decided after all.
    assert_eq!(node.decide(&blocks[0]).hash, blocks[0].hash);
}

#[test]
fn committing_twice_answers_the_same() {
    let mut node = Node::new();
    let block = block(&node, node.engine.finalised().0, 0, 0);
    let (first, again) = (node.decide(&block), node.decide(&block));
    assert!(Arc::ptr_eq(&first.block, &again.block));
    node.write(&first);
    assert!(matches!(commit(&node, &block), Ok(Committed::Already)));
    assert_eq!(node.engine.finalise(block.hash, Arc::new(node.state.clone())), Ok(()));
    node.mine(vec![]);
    assert!(matches!(commit(&node, &block), Ok(Committed::Already)));
}

#[test]
fn a_decided_block_that_was_never_seen_is_executed_first() {
    let (source, mut node) = (Node::new(), Node::new());
    let block = source.build(vec![transfer(0, 0, SOMEBODY, 1)]).executed;
    node.commit(&block);
    assert_eq!(node.account(SOMEBODY).balance, U256::ONE);
}

#[test]
fn a_decided_block_that_breaks_a_rule_is_rejected_by_name() {
    let (source, node) = (Node::new(), Node::new());
    let good = source.build(vec![]).executed;
    let mut block = good.block.clone();
    block.header.state_root = B256::ZERO;
    let (hash, body) = (block.header.hash_slow(), primitives::Body::new(&block, &good.metadata));
    let error = node.engine.commit_decided(Height(1), hash, &body, &node.validators(), &Cancel::default()).unwrap_err();
    assert!(matches!(error, CommitError::Rejected { rule: Rule::StateRoot { .. }, .. }), "{error}");
}

#[test]
fn heights_are_committed_one_after_the_other_with_their_own_bodies() {
    let (source, node) = (Node::new(), Node::new());
    let one = source.build(vec![]).executed;
    let two = block(&source, one.hash, 0, 0);
    assert!(matches!(commit(&node, &two), Err(CommitError::Gap { height: Height(2), expected: Height(1) })));
    let wrong = node.engine.commit_decided(Height(1), B256::ZERO, &one.body, &node.validators(), &Cancel::default());
    assert!(matches!(wrong, Err(CommitError::OtherBody { .. })));
    let error = node.engine.finalise(one.hash, Arc::new(node.state.clone())).unwrap_err();
    assert_eq!(error, FinaliseError::NotDecided(one.hash));
    node.decide(&one);
    let error = node.engine.finalise(one.hash, Arc::new(node.state.clone())).unwrap_err();
    assert_eq!(error, FinaliseError::OtherHeight { state: Height(0), block: Height(1) });
}

#[test]
fn a_restart_goes_on_from_what_is_written() {
    let mut node = Node::new();
    node.mine(vec![transfer(0, 0, SOMEBODY, 1)]);
    let mut again = node.restarted();
    let block = again.build(vec![transfer(0, 1, SOMEBODY, 1)]).executed;
    again.commit(&block);
    assert!(matches!(node.validate(&block.body), Verdict::Valid(_)));
}

#[test]
fn an_engine_stands_only_on_the_state_of_its_head() {
    let node = Node::new();
    let header = primitives::Header { number: 1, ..Default::default() };
    assert!(Embedded::new(&node.genesis, Arc::new(node.state.clone()), header).is_err());
}

#[test]
fn cancelled_work_has_no_verdict_and_can_be_done_later() {
    let (source, node) = (Node::new(), Node::new());
    let block = source.build(vec![transfer(0, 0, SOMEBODY, 1)]).executed;
    let cancel = Cancel::default();
    cancel.cancel();
    let verdict = node.engine.validate(&block.body, &node.validators(), u64::MAX, &cancel);
    assert!(matches!(verdict, Verdict::None(NoVerdict::Cancelled)));
    let attributes = node.attributes(block.header());
    let built = node.engine.build(&block.header().parent_hash, attributes, &mut vec![transfer(0, 0, SOMEBODY, 1)].into_iter(), &cancel);
    assert!(matches!(built, Err(BuildError::Cancelled)));
    assert!(matches!(node.validate(&block.body), Verdict::Valid(_)));
}

#[test]
fn what_was_judged_is_not_executed_again() {
    let (source, node) = (Node::new(), Node::new());
    let block = source.build(vec![transfer(0, 0, SOMEBODY, 1)]).executed;
    let judged = |verdict| match verdict {
        Verdict::Valid(executed) => executed,
        other => panic!("{other:?}"),
    };
    let (first, again) = (judged(node.validate(&block.body)), judged(node.validate(&block.body)));
    assert!(Arc::ptr_eq(&first, &again));
    let own = judged(source.validate(&block.body));
    assert!(Arc::ptr_eq(&own, &block), "what we built is judged without being executed");
}

#[test]
fn two_who_judge_the_same_block_at_once_get_one_execution() {
    let (source, node) = (Node::new(), Node::new());
    let block = source.build((0..50).map(|nonce| transfer(0, nonce, SOMEBODY, 1)).collect()).executed;
    let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
        let judges: Vec<_> = (0..4).map(|_| scope.spawn(|| node.validate(&block.body))).collect();
        judges.into_iter().map(|judge| judge.join().unwrap()).collect()
    });
    let [Verdict::Valid(first), rest @ ..] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert!(rest.iter().all(|verdict| matches!(verdict, Verdict::Valid(other) if Arc::ptr_eq(first, other))));
}

/// A state that panics or fails when it is told to.
struct Unwell {
    state: MemoryState,
    panics: AtomicBool,
    fails: AtomicBool,
}

impl StateReader for Unwell {
    fn height(&self) -> Height {
        self.state.height()
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ReadError> {
        assert!(!self.panics.load(Ordering::Relaxed), "told to");
        match self.fails.load(Ordering::Relaxed) {
            true => Err(ReadError::Closed),
            false => self.state.account(address),
        }
    }

    fn slot(&self, address: &Address, slot: &B256) -> Result<U256, ReadError> {
        self.state.slot(address, slot)
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, ReadError> {
        self.state.code(hash)
    }

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.state.node(key)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, ReadError> {
        self.state.block_hash(number)
    }
}

#[test]
fn trouble_below_is_no_verdict_and_leaves_the_engine_whole() {
    let source = Node::new();
    let block = source.build(vec![transfer(0, 0, SOMEBODY, 1)]).executed;
    let unwell = Arc::new(Unwell { state: source.state.clone(), panics: false.into(), fails: true.into() });
    let engine = Embedded::new(&source.genesis, unwell.clone(), source.engine.finalised().1).unwrap();
    let judge = || engine.validate(&block.body, &source.validators(), u64::MAX, &Cancel::default());
    assert!(matches!(judge(), Verdict::None(NoVerdict::Failed(_))));
    unwell.fails.store(false, Ordering::Relaxed);
    unwell.panics.store(true, Ordering::Relaxed);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(judge)).is_err());
    unwell.panics.store(false, Ordering::Relaxed);
    assert!(matches!(judge(), Verdict::Valid(_)));
}
