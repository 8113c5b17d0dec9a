//! The hosted core itself: its life, its steps, its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use core_consensus::{
    Error, Input as CoreInput, LocallyProposedValue, MisbehaviorEvidence, Params, Resume, State, ThresholdParams, ValuePayload,
    r#gen::{CoResult, Gen},
};
use core_types::VoteExtensionPolicy;
use primitives::{Address, Evidence, Height, Round, ValidatorSet};

use super::{
    context::{CoreAddress, CoreContext, CoreHeight, CoreValidatorSet, CoreValue},
    convert,
    crypto::Crypto,
    effect::Effect,
    effects::Carrier,
    input::Input,
};
use crate::Entry;

/// What a core is made from.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    pub height: Height,
    pub validators: ValidatorSet,
    /// Whether it may vote and propose; otherwise it only follows.
    pub votes: bool,
    /// The journal of this height from disk: all of it, in order. Empty if nothing was remembered yet.
    pub entries: &'a [Entry],
}

/// Tendermint at one height.
pub struct Core {
    state: State<CoreContext>,
    is_dead: bool,
}

/// Why an instance of the core came to its end. It must be dropped; a fresh one is made from the journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// The journal leads to another message of ours than the one it holds: nothing may be signed until a person has looked.
    #[error("the journal of height {height} leads to another {kind} in round {round} than the one it holds")]
    Diverged { height: Height, round: Round, kind: String },
    #[error("the core panicked: {0}")]
    Panicked(String),
    #[error("the core failed: {0}")]
    Failed(String),
    #[error("the core was used after its end")]
    Dead,
}

/// A journal that a fresh core did not survive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at entry {position:?} of the journal: {fatal}")]
pub struct Unrecoverable {
    pub fatal: Fatal,
    /// Position in the entries; none if even the start of the height failed.
    pub position: Option<usize>,
}

impl Core {
    /// A core at `start.height` that stands where the journal ends, and everything that follows from it: messages of ours
    /// that the journal led to again, waits, perhaps the decision. What already stands in the journal is not appended again.
    pub fn start(start: Start<'_>, crypto: &mut Crypto) -> Result<(Self, Vec<Effect>), Unrecoverable> {
        crypto.advance(start.height);
        let set = CoreValidatorSet::new(start.validators);
        let mut core = Self { state: state(start.height, &set, crypto.address(), start.votes), is_dead: false };
        let at = |position| move |fatal| Unrecoverable { fatal, position };

        let input = CoreInput::StartHeight(CoreHeight(start.height), set, false, None, VoteExtensionPolicy::Disabled);
        let mut effects = core.feed(input, crypto).map_err(at(None))?;
        if start.entries.is_empty() {
            return Ok((core, effects));
        }

        let inputs: Vec<Option<CoreInput<CoreContext>>> = start.entries.iter().map(convert::core_entry).collect();
        core.state.record_recovered_own_precommit_extensions(inputs.iter().flatten());
        core.state.index_wal_entries(inputs.iter().flatten());
        for (position, input) in inputs.into_iter().enumerate() {
            let Some(input) = input else { continue };
            effects.extend(core.feed(input, crypto).map_err(at(Some(position)))?);
        }
        core.state.reset_entries_index();
        forget_known(&mut effects, start.entries);
        Ok((core, effects))
    }

    /// Handles one input to its end. Inputs of other heights have no effect.
    pub fn step(&mut self, input: Input, crypto: &mut Crypto) -> Result<Vec<Effect>, Fatal> {
        if input.height() != self.height() {
            return Ok(Vec::new());
        }
        let input = match input {
            Input::Message(message) => convert::core_message(&message),
            Input::Propose { height, round, value } => {
                CoreInput::Propose(LocallyProposedValue::new(CoreHeight(height), convert::core_round(Some(round)), CoreValue(value)))
            }
            Input::Judged(judged) => convert::core_judged(&judged),
            Input::Elapsed(timer) => CoreInput::TimeoutElapsed(convert::core_timeout(&timer)),
        };
        self.feed(input, crypto)
    }

    pub fn height(&self) -> Height {
        self.state.height().0
    }

    /// The current round.
    pub fn round(&self) -> Round {
        convert::round(self.state.round()).unwrap_or_default()
    }

    /// The protocol's name of the current step.
    pub fn step_name(&self) -> &'static str {
        let driver = &self.state.driver;
        match () {
            () if driver.step_is_propose() => "propose",
            () if driver.step_is_prevote() => "prevote",
            () if driver.step_is_precommit() => "precommit",
            () if driver.step_is_commit() => "commit",
            () => "new_round",
        }
    }

    /// From now on it follows and signs nothing.
    pub fn stop_voting(&mut self) {
        self.state.params.enabled = false;
    }

    /// What it saw of validators who contradicted themselves; each piece is given once.
    pub fn take_evidence(&mut self) -> Vec<Evidence> {
        let driver = &mut self.state.driver;
        convert::evidence(&MisbehaviorEvidence { votes: driver.take_vote_evidence(), proposals: driver.take_proposal_evidence() })
    }

    /// A panic inside the hosted core is an error like any other: its state is dropped, never used again.
    fn feed(&mut self, input: CoreInput<CoreContext>, crypto: &mut Crypto) -> Result<Vec<Effect>, Fatal> {
        if self.is_dead {
            return Err(Fatal::Dead);
        }
        let state = &mut self.state;
        let outcome = catch_unwind(AssertUnwindSafe(|| run(state, input, crypto))).unwrap_or_else(|panic| Err(Fatal::Panicked(text(&*panic))));
        self.is_dead = outcome.is_err();
        outcome
    }
}

fn state(height: Height, set: &CoreValidatorSet, us: Option<Address>, votes: bool) -> State<CoreContext> {
    // Nobody has the zero address, so a node without a key is a member of no set.
    let address = CoreAddress(us.unwrap_or_default());
    let enabled = votes && us.is_some();
    let params = Params { address, threshold_params: ThresholdParams::default(), value_payload: ValuePayload::ProposalAndParts, enabled };
    // The core's own queue for other heights stays unused: it gets inputs of its height alone.
    State::new(CoreContext, CoreHeight(height), set.clone(), params, 1, 1)
}

fn run(state: &mut State<CoreContext>, input: CoreInput<CoreContext>, crypto: &mut Crypto) -> Result<Vec<Effect>, Fatal> {
    let mut carrier = Carrier::new(state.height().0, crypto);
    let mut steps = Gen::new(|co| core_consensus::handle(co, state, &(), input));
    let mut resume = Resume::Start;
    loop {
        match steps.resume_with(resume) {
            CoResult::Yielded(effect) => resume = carrier.carry(effect)?,
            CoResult::Complete(Ok(())) => return Ok(carrier.effects),
            CoResult::Complete(Err(error)) => return Err(fatal(error)),
        }
    }
}

fn fatal(error: Error<CoreContext>) -> Fatal {
    match error {
        Error::ReplayDivergence(kind, height, round) => {
            Fatal::Diverged { height: height.0, round: convert::round(round).unwrap_or_default(), kind: kind.to_string() }
        }
        error => Fatal::Failed(error.to_string()),
    }
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let known = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    known.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

/// Replaying derives again what stands in the journal. Only what the crash cut off is new and must be appended.
fn forget_known(effects: &mut Vec<Effect>, entries: &[Entry]) {
    effects.retain(|effect| !matches!(effect, Effect::Append(entry) if entries.contains(entry)));
}
