//! What the tests of a host have in common: looks at a [`World`], and one host of four that is told to by hand.

use std::{collections::BTreeSet, time::Duration};

use primitives::{ConsensusMessage, Height, Round, genesis::ConsensusParameters};

use super::super::{testing::*, *};
use crate::{
    Entry,
    core::{Timer, Wait},
    entry::Step,
    signer::Action as Permission,
};

pub fn wanted(world: &World, node: usize, is: impl Fn(&Action) -> bool) -> usize {
    world.nodes[node].wanted.iter().filter(|action| is(action)).count()
}

pub fn signing(world: &World, node: usize) -> (SigningState, Option<&'static str>) {
    let Signing { state, code, .. } = world.host(node).status().signing;
    (state, code)
}

pub fn rounds(world: &World, height: u64) -> BTreeSet<u32> {
    let said = world.nodes.iter().flat_map(|node| &node.said);
    said.filter(|message| message.height() == Height(height)).map(|message| message.round().0).collect()
}

/// A host of four that runs at height 1, told to by hand.
pub fn alone(parameters: ConsensusParameters) -> Host {
    let mut host = life(parameters, judged(Permission::Begin));
    open(&mut host, vec![], true);
    host
}

/// What a process remembers whose key was judged so.
pub fn judged(action: Permission) -> Remembered {
    let verdict = crate::signer::Verdict { action, code: None, text: String::new(), commands: vec![] };
    Remembered { verdict: Some(verdict), ..Remembered::default() }
}

/// A host of four that has begun at height 1.
pub fn life(parameters: ConsensusParameters, remembered: Remembered) -> Host {
    let config = Config { parameters, propose_floor: Duration::from_millis(150) };
    let start = Start { tip: None, tip_time_ms: 0, validators: set(4), crypto: crypto(1), first_ticket: 1, remembered };
    let mut host = Host::new(config, start);
    host.begin(Now::default());
    host
}

pub fn open(host: &mut Host, entries: Vec<Entry>, speaks: bool) -> Vec<Action> {
    let height = host.status().height;
    host.handle(Event::JournalOpened { height, entries, speaks }, Now::default())
}

pub fn propose_timeout(host: &mut Host, round: u32) -> Vec<Action> {
    let timer = Timer { height: host.status().height, round: Round(round), wait: Wait::Step(Step::Propose) };
    host.handle(Event::Elapsed(TimerId::Core(timer)), Now::default())
}

pub fn hear(host: &mut Host, message: ConsensusMessage) -> Vec<Action> {
    host.handle(Event::Message { from: node_id(2), message }, Now::default())
}

/// Not ours to propose.
pub fn foreign_round(height: u64) -> u32 {
    (0..4).find(|round| set(4).proposer(Height(height), Round(*round)).address != key(1).address()).unwrap()
}

pub fn released(actions: &[Action]) -> Vec<&'static str> {
    let batches = actions.iter().filter_map(|action| if let Action::Release(batch) = action { Some(batch) } else { None });
    batches.flat_map(|batch| &batch.messages).map(crate::Unreleased::name).collect()
}
