//! The rules of a host, in stories of a few nodes.
#![allow(clippy::unwrap_used)]
use std::{collections::BTreeSet, time::Duration};

use primitives::{Address, B256, ConsensusMessage, Height, Round, Standing, Survival, VoteKind, genesis::ConsensusParameters};

use super::{testing::*, *};
use crate::{
    Entry,
    core::{Fatal, Timer, Wait},
    entry::{BodyEntry, Step},
    signer::{Action as Permission, OnMissing},
};

fn wanted(world: &World, node: usize, is: impl Fn(&Action) -> bool) -> usize {
    world.nodes[node].wanted.iter().filter(|action| is(action)).count()
}

fn signing(world: &World, node: usize) -> (SigningState, Option<&'static str>) {
    let Signing { state, code, .. } = world.host(node).status().signing;
    (state, code)
}

fn rounds(world: &World, height: u64) -> BTreeSet<u32> {
    let said = world.nodes.iter().flat_map(|node| &node.said);
    said.filter(|message| message.height() == Height(height)).map(|message| message.round().0).collect()
}

#[test]
fn four_hosts_decide_a_hundred_heights() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(100));
    assert!(world.agrees());
    assert_eq!(signing(&world, 0), (SigningState::Enabled, None));
    let status = world.host(0).status();
    assert!(status.power_online == 4 && status.power_needed == 3 && status.last_signed.is_some());
}

#[test]
fn one_validator_passes_the_gate_by_itself_and_decides() {
    let mut world = World::started(1);
    world.until(1_000, |world| world.all_at(20));
}

#[test]
fn nothing_leaves_before_the_gate() {
    let mut world = World::of(4);
    world.start(0);
    world.start(1);
    world.pass(20_000);
    assert!(world.nodes.iter().all(|node| node.said.is_empty()));
    assert_eq!(signing(&world, 0).0, SigningState::SyncOnly);
    world.start(2);
    world.until(10_000, |world| world.all_at(3));
}

#[test]
fn a_crash_at_any_moment_leads_to_no_second_signature() {
    for (survival, seed) in [(Survival::SyncedOnly, 0), (Survival::Everything, 1), (Survival::Torn { bytes: 100 }, 2)] {
        let mut world = World::started(4);
        for crash in 0..40usize {
            (0..7 + (crash * 13 + seed) % 90).for_each(|_| world.step());
            let node = crash % 4;
            world.crash(node, survival);
            (0..crash % 11).for_each(|_| world.step());
            world.start(node);
        }
        let height = world.height(0);
        world.until(120_000, |world| world.all_at(height + 10));
        assert!(world.agrees());
        assert_eq!(signing(&world, 0), (SigningState::Enabled, None));
    }
}

#[test]
fn everybody_crashing_at_once_goes_on_with_the_same_votes() {
    let mut world = World::started(4);
    for crash in 0..30 {
        (0..40 + crash * 3).for_each(|_| world.step());
        (0..4).for_each(|node| world.crash(node, Survival::SyncedOnly));
        (0..4).for_each(|node| world.start(node));
    }
    let height = world.height(0);
    world.until(120_000, |world| world.all_at(height + 10));
    assert!(world.agrees());
}

#[test]
fn a_restarted_consensus_goes_on_without_the_gate_and_asks_for_the_round() {
    let mut world = World::started(4);
    for restart in 0..60 {
        (0..5 + restart * 7 % 50).for_each(|_| world.step());
        world.restart_consensus(restart % 4);
    }
    let height = world.height(0);
    world.until(60_000, |world| world.all_at(height + 10));
    assert!(world.agrees());
    assert_eq!(wanted(&world, 0, |action| matches!(action, Action::JudgeSigning { .. })), 1);
    assert!(wanted(&world, 0, |action| *action == Action::AskRound) > 1);
}

#[test]
fn a_disk_from_an_old_copy_signs_nothing_at_the_height_others_remember() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(4));
    let disk = copy(&world.nodes[0].disk);
    world.until(10_000, |world| world.all_at(6));
    world.crash(1, Survival::SyncedOnly);
    world.crash(3, Survival::SyncedOnly);
    // Two of four are left: they vote, and decide nothing.
    world.pass(30_000);
    world.crash(0, Survival::SyncedOnly);
    world.nodes[0].disk = disk;
    [0, 1, 3].into_iter().for_each(|node| world.start(node));
    world.until(30_000, |world| signing(world, 0).1 == Some("E-SIGN-REGRESSED"));
    let height = world.height(0);
    world.until(200_000, |world| world.all_at(height + 5));
    assert_eq!(signing(&world, 0).0, SigningState::Enabled, "above that height it signs again");
    assert!(world.agrees());
}

#[test]
fn a_second_process_with_our_key_stops_us() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    let height = world.host(0).status().height.0;
    let message = ConsensusMessage::Vote(vote(1, VoteKind::Prevote, height + 1, 7, Some(B256::repeat_byte(9))));
    world.tell(0, Event::Message { from: node_id(1), message });
    assert_eq!(signing(&world, 0), (SigningState::Halted, Some("E-DOPPELGANGER")));
    let before = world.nodes[0].said.iter().filter(|message| message.name() != "polka" && message.name() != "round").count();
    world.until(60_000, |world| world.all_at(height + 5));
    let after = world.nodes[0].said.iter().filter(|message| message.name() != "polka" && message.name() != "round").count();
    assert_eq!(before, after);
    world.restart_consensus(0);
    world.until(60_000, |world| world.all_at(height + 8));
    assert_eq!(signing(&world, 0).0, SigningState::Halted, "a new incarnation remembers");
}

#[test]
fn a_forged_signature_stops_nobody() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    let mut forged = vote(1, VoteKind::Prevote, world.host(0).status().height.0, 7, None);
    forged.signature = vote(2, VoteKind::Prevote, 1, 1, None).signature;
    world.tell(0, Event::Message { from: node_id(1), message: ConsensusMessage::Vote(forged) });
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}

#[test]
fn a_block_is_committed_only_after_the_release_of_what_decided_it() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(2));
    for node in &world.nodes {
        let mut open = None;
        for action in &node.wanted {
            match action {
                Action::Release(batch) => open = Some(batch.height),
                Action::Commit { certificate, .. } => assert_eq!(open, Some(certificate.height)),
                Action::OpenJournal { height } => assert!(open.is_none_or(|open| open < *height)),
                _ => {}
            }
        }
    }
}

#[test]
fn a_full_disk_parks_consensus_until_there_is_room() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    (0..4).for_each(|node| world.nodes[node].refuses = Some(NotReleased::NoSpace));
    world.pass(5_000);
    let heights: Vec<u64> = (0..4).map(|node| world.height(node)).collect();
    assert!((0..4).all(|node| world.host(node).status().parked));
    world.pass(5_000);
    assert_eq!(heights, (0..4).map(|node| world.height(node)).collect::<Vec<_>>());
    (0..4).for_each(|node| world.nodes[node].refuses = None);
    (0..4).for_each(|node| world.tell(node, Event::Retry));
    world.until(30_000, |world| world.all_at(heights[0] + 10));
}

#[test]
fn a_decided_block_that_storage_cannot_take_is_handed_over_again() {
    let mut world = World::of(1);
    world.start(0);
    while !world.nodes[0].wanted.iter().any(|action| matches!(action, Action::Commit { .. })) {
        world.step();
    }
    world.nodes[0].chain.pop();
    let height = world.host(0).status().height;
    world.tell(0, Event::Uncommitted { height, why: Uncommitted::NoSpace });
    assert!(world.host(0).status().parked);
    let actions = {
        let now = Now::default();
        world.nodes[0].host.as_mut().unwrap().handle(Event::Retry, now)
    };
    assert!(matches!(actions[..], [Action::Commit { .. }]));
}

#[test]
fn a_dead_proposer_costs_milliseconds() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(10));
    world.crash(2, Survival::SyncedOnly);
    let (height, start) = (world.height(0), world.now_ms);
    world.until(20_000, |world| world.all_at(height + 40));
    // A quarter of the heights waits for the floor of the propose timeout; one may wait for it longer, when the session just broke.
    let elapsed = world.now_ms - start;
    assert!(elapsed < 10 * 200 + 3_500, "{elapsed} ms");
}

#[test]
fn a_seventh_of_all_messages_lost_does_not_stall() {
    let mut world = World::started(4);
    world.loses_one_of = 7;
    world.until(200_000, |world| world.all_at(60));
    assert!(world.agrees());
    let highest = (1..=60).filter_map(|height| rounds(&world, height).last().copied()).max().unwrap();
    assert!(highest < 10, "round {highest}");
}

#[test]
fn a_partition_heals_by_what_is_sent_again() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    world.cut.extend([(0, 2), (0, 3), (1, 2), (1, 3)]);
    world.pass(30_000);
    let height = world.height(0);
    world.cut.clear();
    for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        for (to, from) in [(a, b), (b, a)] {
            world.post(to, 0, Event::PeerUp { node: node_id(from), validator: Some(key(from as u8 + 1).address()) });
        }
    }
    world.until(90_000, |world| world.all_at(height + 5));
    assert!(world.agrees());
}

#[test]
fn a_node_that_was_away_fetches_blocks_and_joins() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(5));
    world.crash(3, Survival::SyncedOnly);
    world.until(60_000, |world| world.height(0) >= 40);
    world.start(3);
    let height = world.height(0);
    let precommits = |world: &World| world.nodes[3].said.iter().filter(|said| said.name() == "precommit" && said.height().0 > height).count();
    world.until(60_000, |world| precommits(world) > 5);
    assert!(world.height(0) < height + 20, "the others neither wait for it nor outrun it");
    assert!(world.agrees());
    assert_eq!(signing(&world, 3).0, SigningState::Enabled);
}

#[test]
fn a_follower_decides_without_saying_a_word() {
    let mut world = World::of(4);
    world.add(None);
    (0..5).for_each(|node| world.start(node));
    world.until(20_000, |world| world.all_at(20));
    assert!(world.nodes[4].said.is_empty() && world.agrees());
    assert_eq!(signing(&world, 4).0, SigningState::None);
}

#[test]
fn execution_refusing_a_certified_block_stops_our_key() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(2));
    let height = world.host(0).status().height;
    while !world.nodes[0].wanted.iter().any(|action| matches!(action, Action::Commit { certificate, .. } if certificate.height == height)) {
        world.step();
    }
    world.tell(0, Event::Uncommitted { height, why: Uncommitted::Rejected { rule: "gas".into() } });
    assert_eq!(signing(&world, 0), (SigningState::Halted, Some("E-EXEC-REJECT")));
}

#[test]
fn two_certificates_of_one_height_stop_our_key() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(2));
    let tip = world.height(0);
    let mut other = certificate(tip, 9, &[2, 3, 4]);
    world.tell(0, Event::Synced(certificate(tip, 9, &[2, 3])));
    assert_eq!(signing(&world, 0).0, SigningState::Enabled, "one that proves nothing changes nothing");
    other.height = Height(tip);
    world.tell(0, Event::Synced(other));
    assert_eq!(signing(&world, 0), (SigningState::Halted, Some("E-CONFLICTING-CERTIFICATES")));
}

/// A host of four that runs at height 1, told to by hand.
fn alone(parameters: ConsensusParameters) -> Host {
    let mut host = life(parameters, judged(Permission::Begin));
    open(&mut host, vec![], true);
    host
}

/// What a process remembers whose key was judged so.
fn judged(action: Permission) -> Remembered {
    let verdict = crate::signer::Verdict { action, code: None, text: String::new(), commands: vec![] };
    Remembered { verdict: Some(verdict), ..Remembered::default() }
}

/// A host of four that has begun at height 1.
fn life(parameters: ConsensusParameters, remembered: Remembered) -> Host {
    let config = Config { parameters, propose_floor: Duration::from_millis(150) };
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 1, remembered };
    let mut host = Host::new(config, start);
    host.begin(Now::default());
    host
}

fn open(host: &mut Host, entries: Vec<Entry>, speaks: bool) -> Vec<Action> {
    let height = host.status().height;
    host.handle(Event::JournalOpened { height, entries, speaks }, Now::default())
}

fn propose_timeout(host: &mut Host, round: u32) -> Vec<Action> {
    let timer = Timer { height: host.status().height, round: Round(round), wait: Wait::Step(Step::Propose) };
    host.handle(Event::Elapsed(TimerId::Core(timer)), Now::default())
}

#[test]
fn a_signer_that_was_restarted_alone_does_not_bring_a_silenced_key_back() {
    for (action, signs) in [
        (Permission::Refuse, false),
        (Permission::Abstain { through: Height(1) }, false),
        (Permission::Observe { from: Height(2) }, false),
        (Permission::Abstain { through: Height(0) }, true),
        (Permission::Observe { from: Height(1) }, true),
    ] {
        let mut host = life(ConsensusParameters::default(), judged(action));
        open(&mut host, vec![], true);
        let said = released(&propose_timeout(&mut host, 0));
        assert_eq!(said, if signs { vec!["prevote"] } else { vec![] }, "{action:?}");
    }
}

#[test]
fn rounds_in_which_a_key_stays_mute_outlive_an_incarnation() {
    let mut host = life(ConsensusParameters::default(), judged(Permission::Recover { from: Height(11) }));
    open(&mut host, vec![], false);
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 3, None)));
    let actions = host.handle(Event::Elapsed(TimerId::Stall), Now::default());
    assert!(actions.contains(&Action::InitialiseSigning { above: Height(0) }));
    let mut next = life(ConsensusParameters::default(), host.remembered());
    open(&mut next, vec![], true);
    assert_eq!(next.status().round, Round(4));
    assert_eq!(released(&propose_timeout(&mut next, 4)), ["prevote"]);
}

#[test]
fn a_decided_block_that_is_nowhere_is_left_to_others() {
    let mut host = alone(ConsensusParameters::default());
    let synced = certificate(1, 9, &[2, 3, 4]);
    host.handle(Event::Synced(synced.clone()), Now::default());
    let (height, value) = (synced.height, synced.value);
    assert!(host.handle(Event::BodyMissing { height, value: B256::ZERO }, Now::default()).is_empty(), "another block");
    let actions = host.handle(Event::BodyMissing { height, value }, Now::default());
    assert!(actions.contains(&Action::Sync { height: Height(2) }));
    assert_eq!(host.remembered().handed_over, None);
    assert!(host.handle(Event::Elapsed(TimerId::Stall), Now::default()).contains(&Action::Sync { height: Height(2) }), "again and again");
    let again = host.handle(Event::Synced(synced), Now::default());
    assert!(again.iter().any(|action| matches!(action, Action::Commit { .. })));
}

#[test]
fn two_lives_share_no_ticket() {
    let config = Config { parameters: ConsensusParameters::default(), propose_floor: Duration::from_millis(150) };
    let remembered = judged(Permission::Begin);
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 7 << 32, remembered };
    let mut host = Host::new(config, start);
    host.begin(Now::default());
    open(&mut host, vec![], true);
    let actions = propose_timeout(&mut host, 0);
    assert!(actions.iter().any(|action| matches!(action, Action::Release(batch) if batch.ticket == 7 << 32)));
    host.handle(Event::Released { ticket: 1 }, Now::default());
    assert_eq!(host.status().last_signed, None, "an answer to another life");
    host.handle(Event::Released { ticket: 7 << 32 }, Now::default());
    assert!(host.status().last_signed.is_some());
}

#[test]
fn a_body_alone_is_given_back_and_asks_nobody_for_the_round() {
    let mut host = alone(ConsensusParameters::default());
    host.handle(Event::Synced(certificate(1, 9, &[2, 3, 4])), Now::default());
    host.handle(Event::Committed { height: Height(1), validators: set(4), block_time_ms: 0 }, Now::default());
    host.handle(Event::Elapsed(TimerId::Pace), Now { monotonic: Duration::from_secs(60), unix_ms: 60_000 });
    let body = BodyEntry { height: Height(2), round: Round(0), value: B256::repeat_byte(5), body: vec![1].into() };
    let actions = open(&mut host, vec![Entry::Body(body.clone())], true);
    assert!(actions.contains(&Action::Restore(body)) && !actions.contains(&Action::AskRound), "{actions:?}");
}

#[test]
fn a_block_that_an_earlier_incarnation_handed_to_storage_is_not_forgotten() {
    let mut host = alone(ConsensusParameters::default());
    let synced = certificate(1, 9, &[2, 3, 4]);
    host.handle(Event::Synced(synced.clone()), Now::default());
    let config = Config { parameters: ConsensusParameters::default(), propose_floor: Duration::from_millis(150) };
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 1, remembered: host.remembered() };
    let mut next = Host::new(config, start);
    let actions = next.begin(Now::default());
    assert!(actions.iter().any(|action| matches!(action, Action::Commit { certificate, .. } if *certificate == synced)));
    next.handle(Event::Committed { height: Height(1), validators: set(4), block_time_ms: 0 }, Now::default());
    assert_eq!(next.status().height, Height(2));
}

fn hear(host: &mut Host, message: ConsensusMessage) -> Vec<Action> {
    host.handle(Event::Message { from: node_id(2), message }, Now::default())
}

#[test]
fn a_validator_that_comes_while_we_wait_for_answers_is_asked_at_once() {
    let config = Config { parameters: ConsensusParameters::default(), propose_floor: Duration::from_millis(150) };
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 1, remembered: Remembered::default() };
    let mut host = Host::new(config, start);
    host.begin(Now::default());
    let actions = host.handle(Event::PeerUp { node: node_id(2), validator: Some(key(2).address()) }, Now::default());
    let is_soon = |action: &Action| matches!(action, Action::Schedule { timer: TimerId::Gate, after } if *after < Duration::from_millis(100));
    assert!(actions.iter().any(is_soon));
}

/// Not ours to propose.
fn foreign_round(height: u64) -> u32 {
    (0..4).find(|round| set(4).proposer(Height(height), Round(*round)).address != key(1).address()).unwrap()
}

fn released(actions: &[Action]) -> Vec<&'static str> {
    let batches = actions.iter().filter_map(|action| if let Action::Release(batch) = action { Some(batch) } else { None });
    batches.flat_map(|batch| &batch.messages).map(crate::Unreleased::name).collect()
}

#[test]
fn a_certified_block_that_is_invalid_here_stops_our_key() {
    let mut host = alone(ConsensusParameters::default());
    let value = B256::repeat_byte(5);
    let signed = proposal(1, 0, value, &set(4));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: signed.message.proposer, value };
    hear(&mut host, ConsensusMessage::Proposal(signed));
    host.handle(Event::BodyDurable { height: Height(1), round: Round(0), value, body: None }, Now::default());
    host.handle(Event::Judged { block, verdict: Verdict::Invalid { rule: "state root".into() } }, Now::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Precommit, 1, 0, Some(value))));
    hear(&mut host, ConsensusMessage::Vote(vote(3, VoteKind::Precommit, 1, 0, Some(value))));
    assert_eq!(host.status().signing.state, SigningState::Enabled);
    let actions = hear(&mut host, ConsensusMessage::Vote(vote(4, VoteKind::Precommit, 1, 0, Some(value))));
    assert_eq!(host.status().signing.code, Some("E-EXEC-REJECT"));
    assert!(actions.iter().any(|action| matches!(action, Action::SigningChanged(_))));
}

#[test]
fn entries_and_messages_leave_in_one_batch_and_only_one_is_under_way() {
    let mut host = alone(ConsensusParameters::default());
    let round = foreign_round(1);
    let timer = Timer { height: Height(1), round: Round(0), wait: Wait::Step(Step::Propose) };
    let actions = host.handle(Event::Elapsed(TimerId::Core(timer)), Now::default());
    assert!(round <= 1 && released(&actions) == ["prevote"]);
    let more = hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    assert!(released(&more).is_empty());
    let after = host.handle(Event::Released { ticket: 1 }, Now::default());
    assert!(after.is_empty(), "nothing follows from another's vote yet: {after:?}");
    assert_eq!(host.status().last_signed.unwrap().step, "prevote");
}

#[test]
fn without_a_verdict_the_timeout_gives_the_nil_vote() {
    let mut host = alone(ConsensusParameters::default());
    let value = B256::repeat_byte(5);
    let proposed = proposal(1, 0, value, &set(4)).message;
    hear(&mut host, ConsensusMessage::Proposal(proposal(1, 0, value, &set(4))));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: proposed.proposer, value };
    host.handle(Event::BodyDurable { height: Height(1), round: Round(0), value, body: None }, Now::default());
    host.handle(Event::Released { ticket: 1 }, Now::default());
    assert!(released(&host.handle(Event::Judged { block, verdict: Verdict::None }, Now::default())).is_empty());
    let valid = host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    assert_eq!(released(&valid), ["prevote"], "a verdict may come later");
}

#[test]
fn a_block_is_voted_for_only_when_its_body_is_durable() {
    let mut host = alone(ConsensusParameters::default());
    let value = B256::repeat_byte(5);
    let signed = proposal(1, 0, value, &set(4));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: signed.message.proposer, value };
    hear(&mut host, ConsensusMessage::Proposal(signed));
    host.handle(Event::Released { ticket: 1 }, Now::default());
    assert!(released(&host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default())).is_empty());
    let durable = host.handle(Event::BodyDurable { height: Height(1), round: Round(0), value, body: Some(vec![1; 10].into()) }, Now::default());
    let [Action::Release(batch)] = &durable.iter().filter(|action| matches!(action, Action::Release(_))).cloned().collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert!(batch.entries.iter().any(|entry| entry.name() == "body"), "a small body rides in the same group");
    assert_eq!(released(&durable), ["prevote"]);
}

/// A block of height 1 and round 0 with its proposal, not ours.
fn foreign(byte: u8) -> (ConsensusMessage, ProposedBlock, Event) {
    let value = B256::repeat_byte(byte);
    let signed = proposal(1, 0, value, &set(4));
    let block = ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: signed.message.proposer, value };
    (ConsensusMessage::Proposal(signed), block, small(0, byte))
}

fn small(round: u32, byte: u8) -> Event {
    Event::BodyDurable { height: Height(1), round: Round(round), value: B256::repeat_byte(byte), body: Some(vec![byte].into()) }
}

fn entries(actions: &[Action]) -> Vec<&'static str> {
    let batches = actions.iter().filter_map(|action| if let Action::Release(batch) = action { Some(batch) } else { None });
    batches.flat_map(|batch| &batch.entries).map(Entry::name).collect()
}

#[test]
fn a_body_that_came_before_the_core_is_journalled_before_it_is_voted_for() {
    let (message, block, body) = foreign(5);
    let mut host = life(ConsensusParameters::default(), judged(Permission::Begin));
    host.handle(body, Now::default());
    host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    hear(&mut host, message);
    let actions = open(&mut host, vec![], true);
    assert_eq!(released(&actions), ["prevote"]);
    assert!(entries(&actions).contains(&"body"), "{actions:?}");
}

#[test]
fn a_body_that_a_silent_core_heard_of_is_journalled_when_it_begins_to_vote() {
    let (message, block, body) = foreign(5);
    let mut host = life(ConsensusParameters::default(), judged(Permission::Recover { from: Height(11) }));
    open(&mut host, vec![], false);
    hear(&mut host, message);
    assert!(entries(&host.handle(body, Now::default())).is_empty());
    host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    host.handle(Event::Elapsed(TimerId::Stall), Now::default());
    let actions = open(&mut host, vec![], true);
    let actions = [actions, propose_timeout(&mut host, 1)].concat();
    assert!(entries(&actions).contains(&"body"), "{actions:?}");
}

#[test]
fn a_body_that_the_journal_holds_is_not_written_again() {
    let (message, block, body) = foreign(5);
    let mut host = life(ConsensusParameters::default(), judged(Permission::Begin));
    host.handle(body.clone(), Now::default());
    hear(&mut host, message);
    let Event::BodyDurable { height, round, value, body: Some(bytes) } = body.clone() else { panic!() };
    let stored = Entry::Body(BodyEntry { height, round, value, body: bytes });
    open(&mut host, vec![stored], true);
    host.handle(body, Now::default());
    let actions = host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    assert_eq!(released(&actions), ["prevote"]);
    assert!(!entries(&actions).contains(&"body"), "{actions:?}");
}

#[test]
fn a_body_that_nobody_proposed_takes_no_room_in_the_journal() {
    let (message, block, body) = foreign(5);
    let mut host = alone(ConsensusParameters::default());
    (10..100).for_each(|byte| drop(host.handle(small(u32::from(byte) % 5, byte), Now::default())));
    host.handle(small(5, 100), Now::default());
    host.handle(body, Now::default());
    host.handle(Event::Judged { block, verdict: Verdict::Valid }, Now::default());
    let actions = hear(&mut host, message);
    assert_eq!(released(&actions), ["prevote"]);
    assert_eq!(entries(&actions).iter().filter(|name| **name == "body").count(), 1);
}

#[test]
fn early_messages_are_verified_before_they_are_kept_and_far_ones_say_that_we_are_behind() {
    let mut host = alone(ConsensusParameters::default());
    let mut forged = vote(2, VoteKind::Prevote, 2, 0, None);
    forged.signature = vote(3, VoteKind::Prevote, 2, 0, None).signature;
    hear(&mut host, ConsensusMessage::Vote(forged));
    assert!(!host.future.has(Height(2)));
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 2, 0, None)));
    assert!(host.future.has(Height(2)));
    let far = ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 9, 0, None));
    assert_eq!(hear(&mut host, far.clone()), [Action::Sync { height: Height(9) }]);
    assert!(hear(&mut host, far).is_empty(), "hints are rare");
}

#[test]
fn an_idle_height_is_withheld_until_a_transaction_waits() {
    let seconds = Duration::from_secs;
    let parameters = ConsensusParameters { block_interval: seconds(1), empty_block_interval: seconds(60), ..Default::default() };
    let mut world = World::of(4);
    world.parameters = parameters;
    (0..4).for_each(|node| world.start(node));
    world.until(10_000, |world| world.all_at(1));
    world.pass(10_000);
    assert!(world.all_at(1) && !world.all_at(2));
    (0..4).for_each(|node| world.tell(node, Event::TransactionsWaiting(true)));
    world.until(1_000, |world| world.all_at(2));
    let start = world.now_ms;
    world.until(10_000, |world| world.all_at(7));
    let elapsed = world.now_ms - start;
    assert!((4_000..6_000).contains(&elapsed), "one block a second: {elapsed}");
}

#[test]
fn a_standing_holds_what_we_have_of_the_asker() {
    let mut host = alone(ConsensusParameters::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 2, 0, None)));
    let actions = host.handle(Event::StandingAsked { question: 7, by: key(2).address() }, Now::default());
    let votes = vec![vote(2, VoteKind::Prevote, 1, 0, None), vote(2, VoteKind::Prevote, 2, 0, None)];
    assert_eq!(actions, [Action::Answer { question: 7, standing: Standing { tip: None, votes, proposals: vec![] } }]);
    assert!(host.handle(Event::StandingAsked { question: 8, by: Address::ZERO }, Now::default()).is_empty());
}

#[test]
fn nobody_is_answered_before_the_journal_was_read() {
    let mut world = World::of(4);
    world.start(0);
    let by = key(2).address();
    world.tell(0, Event::StandingAsked { question: 1, by });
    let answered = |action: &Action| matches!(action, Action::Answer { question: 1, .. });
    assert_eq!(wanted(&world, 0, answered), 0);
    world.pass(1);
    assert_eq!(wanted(&world, 0, answered), 1);
}

#[test]
fn a_height_that_had_begun_is_not_withheld_again() {
    let mut world = World::of(4);
    world.parameters.block_interval = Duration::from_secs(1);
    world.parameters.empty_block_interval = Duration::from_secs(3_600);
    (0..4).for_each(|node| world.start(node));
    world.until(10_000, |world| world.all_at(1));
    (0..4).for_each(|node| world.tell(node, Event::TransactionsWaiting(true)));
    world.until(10_000, |world| world.nodes.iter().all(|node| node.said.iter().any(|message| message.height() == Height(2))));
    (0..4).for_each(|node| world.restart_consensus(node));
    world.until(20_000, |world| world.all_at(2));
}

#[test]
fn a_peer_that_reconnects_gets_everything_of_the_height_through_the_signer() {
    let mut host = alone(ConsensusParameters::default());
    let timer = Timer { height: Height(1), round: Round(0), wait: Wait::Step(Step::Propose) };
    host.handle(Event::Elapsed(TimerId::Core(timer)), Now::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    host.handle(Event::PeerUp { node: node_id(3), validator: None }, Now::default());
    host.handle(Event::Released { ticket: 1 }, Now::default());
    let actions = host.handle(Event::Released { ticket: 2 }, Now::default());
    let [Action::Release(batch)] = &actions[..] else { panic!("{actions:?}") };
    assert!(batch.to == Recipient::Peer(node_id(3)) && batch.messages.len() == 2);
    assert!(host.handle(Event::RoundAsked { by: node_id(3) }, Now::default()).is_empty(), "help is rare");
}

#[test]
fn three_failures_on_one_input_leave_the_height_to_others() {
    let mut world = World::started(4);
    world.until(10_000, |world| world.all_at(3));
    let name = B256::repeat_byte(1);
    world.cut.extend([(0, 1), (0, 2), (0, 3)]);
    world.pass(100);
    for failure in 1..=3 {
        world.nodes[0].host.as_mut().unwrap().core_failed(Fatal::Panicked("test".into()), name);
        if failure < 3 {
            world.restart_consensus(0);
            while world.host(0).phase != Phase::Running {
                world.step();
            }
        }
    }
    let height = world.host(0).status().height.0;
    world.tell(0, Event::Retry);
    assert_eq!(signing(&world, 0), (SigningState::SyncOnly, Some("E-CONSENSUS-CRASH-LOOP")));
    world.cut.clear();
    world.until(60_000, |world| world.all_at(height + 5));
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}

#[test]
fn a_key_without_a_record_observes_and_then_signs() {
    let mut world = World::started(4);
    world.policy = OnMissing::Observe;
    world.until(10_000, |world| world.all_at(5));
    world.crash(0, Survival::SyncedOnly);
    world.nodes[0].disk = primitives::LossyDisk::new();
    world.until(30_000, |world| world.height(1) >= 10);
    world.start(0);
    world.until(30_000, |world| signing(world, 0).0 == SigningState::Observing);
    world.until(60_000, |world| signing(world, 0).0 == SigningState::Enabled);
    let height = world.height(0);
    world.until(60_000, |world| world.all_at(height + 10));
    assert!(world.agrees());
}

#[test]
fn a_key_without_a_record_signs_again_while_the_chain_goes_on_without_it() {
    let mut world = World::started(4);
    world.policy = OnMissing::Recover;
    world.until(10_000, |world| world.all_at(5));
    world.crash(0, Survival::SyncedOnly);
    world.nodes[0].disk = primitives::LossyDisk::new();
    world.start(0);
    let height = world.height(1);
    world.until(100_000, |world| world.all_at(height + 15));
    assert!(world.agrees());
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}

#[test]
fn a_proposer_that_goes_down_amid_its_turn_is_not_waited_for() {
    let mut host = alone(ConsensusParameters::default());
    let round = foreign_round(1);
    let proposer = set(4).proposer(Height(1), Round(round)).address;
    let node = NodeId(proposer);
    host.handle(Event::PeerUp { node, validator: Some(proposer) }, Now::default());
    let actions = host.handle(Event::PeerDown { node }, Now::default());
    let wait = |action: &Action| match action {
        Action::Schedule { timer: TimerId::Core(Timer { wait: Wait::Step(Step::Propose), .. }), after } => Some(*after),
        _ => None,
    };
    assert!(actions.iter().find_map(wait).is_some_and(|after| after < ConsensusParameters::default().timeouts.propose), "{actions:?}");
}

#[test]
fn a_chain_that_stands_for_want_of_lost_records_recovers() {
    let mut world = World::started(4);
    world.policy = OnMissing::Recover;
    world.until(10_000, |world| world.all_at(5));
    for node in [0, 1] {
        world.crash(node, Survival::SyncedOnly);
        world.nodes[node].disk = primitives::LossyDisk::new();
    }
    world.start(0);
    world.start(1);
    let height = world.height(2);
    world.until(300_000, |world| world.all_at(height + 5));
    assert!(world.agrees());
    assert_eq!(signing(&world, 0).0, SigningState::Enabled);
}

#[test]
fn contradictions_of_others_are_kept_once() {
    let mut host = alone(ConsensusParameters::default());
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, None)));
    hear(&mut host, ConsensusMessage::Vote(vote(2, VoteKind::Prevote, 1, 0, Some(B256::repeat_byte(1)))));
    let proof = certificate(1, 5, &[2, 3, 4]);
    let actions = host.handle(Event::Synced(proof), Now::default());
    assert!(actions.iter().any(|action| matches!(action, Action::Evidence(pieces) if pieces.len() == 1)));
    assert_eq!(host.evidence().count(), 1);
}
