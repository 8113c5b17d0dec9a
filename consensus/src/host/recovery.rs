//! What a restarted core says again.
//!
//! Replaying a journal says again everything that was said at the height. Of that only what still matters leaves: messages of
//! the round the core ends in, certificates, waits that still run, the decision. A question for a block that the core asked
//! while the height started, before the journal was replayed, is answered with the block that was proposed then.

use std::collections::BTreeSet;

use primitives::{Address, ConsensusMessage, Round};

use super::{Host, action::Action};
use crate::{
    Entry,
    core::{Core, Effect, Input, Timer},
};

impl Host {
    /// Bodies and proposals of the journal go back to those who keep them.
    pub(super) fn restore(&mut self, entries: &[Entry]) {
        for entry in entries {
            match entry {
                Entry::Body(body) => self.actions.push(Action::Restore(body.clone())),
                Entry::Proposal(signed) => self.actions.push(Action::Accept(signed.clone())),
                _ => {}
            }
        }
    }

    /// The effects of a recovery that are still relevant.
    pub(super) fn recovered(&self, core: &Core, effects: Vec<Effect>, entries: &[Entry]) -> Vec<Effect> {
        let has_proposed = held_proposal(entries, Some(core), self.crypto.address()).is_some();
        let is_asking = core.step_name() == "propose" && !has_proposed;
        relevant(effects, core.round(), is_asking)
    }
}

/// Whether the core was told something before. A body alone says nothing of the rounds.
pub(super) fn is_recovery(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| !matches!(entry, Entry::Body(_)))
}

fn relevant(effects: Vec<Effect>, round: Round, is_asking: bool) -> Vec<Effect> {
    let running = running(&effects);
    let mut kept: Vec<Effect> = effects.into_iter().filter(|effect| matters(effect, round, is_asking)).collect();
    kept.extend(running.into_iter().map(Effect::Schedule));
    kept
}

fn matters(effect: &Effect, round: Round, is_asking: bool) -> bool {
    match effect {
        Effect::Append(_) | Effect::Decide(_) | Effect::Evidence(_) => true,
        Effect::Publish(message) => is_certificate(message.content()) || round <= message.round(),
        Effect::StartRound { round: of, .. } | Effect::Restream { round: of, .. } => *of == round,
        Effect::GetValue { round: of, .. } => is_asking && *of == round,
        Effect::Schedule(_) | Effect::Cancel(_) | Effect::CancelAll => false,
    }
}

fn is_certificate(message: &ConsensusMessage) -> bool {
    matches!(message, ConsensusMessage::Polka(_) | ConsensusMessage::Round(_))
}

/// The waits that are left over.
fn running(effects: &[Effect]) -> BTreeSet<Timer> {
    let mut running = BTreeSet::new();
    for effect in effects {
        match effect {
            Effect::Schedule(timer) => drop(running.insert(*timer)),
            Effect::Cancel(timer) => drop(running.remove(timer)),
            Effect::CancelAll => running.clear(),
            _ => {}
        }
    }
    running
}

/// The block we had chosen for the round in which the core waits for one, if the crash came before it was proposed.
pub(super) fn held_proposal(entries: &[Entry], core: Option<&Core>, us: Option<Address>) -> Option<Input> {
    let core = core.filter(|core| core.step_name() == "propose")?;
    let round = core.round();
    let is_proposed =
        entries.iter().any(|entry| matches!(entry, Entry::Proposal(signed) if is_ours(signed.message.proposer, signed.message.round, us, round)));
    entries.iter().filter(|_| !is_proposed).find_map(|entry| match entry {
        Entry::Judged(judged) if judged.is_valid && is_ours(judged.proposer, judged.round, us, round) => {
            Some(Input::Propose { height: judged.height, round, value: judged.value })
        }
        _ => None,
    })
}

fn is_ours(proposer: Address, of: Round, us: Option<Address>, round: Round) -> bool {
    Some(proposer) == us && of == round
}
