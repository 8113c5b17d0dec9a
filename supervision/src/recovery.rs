//! What happens when the supervisor itself panics: everybody is ended and started anew, in order. Addresses stay.

use crate::budget::Budget;
use crate::child::{ChildId, Phase, Then};
use crate::event::EventKind;
use crate::exit::{EXIT_ESCALATED, Escalation, ExitReason};
use crate::family::Family;
use crate::mailbox::Leaving;
use crate::panics::Caught;

/// How often the supervisor may panic.
const OWN_BUDGET: Budget = Budget { restarts: 3, window: std::time::Duration::from_secs(60) };

impl Family {
    /// Starts over after a panic in the supervisor's own code. `false`: it cannot, and the tree ends.
    pub fn recover(&mut self, caught: &Caught) -> bool {
        let Caught { message, place, .. } = caught;
        let tree = self.shared.registry.tree.clone();
        tracing::error!(tree, message, place, "the supervisor panicked");
        self.shared.events.tell(&tree, 0, EventKind::SupervisorPanicked { message: message.clone(), place: place.clone() });
        let is_affordable = self.own_spending.book(&OWN_BUDGET, self.epoch.elapsed());
        if !is_affordable || self.stopping.is_some() {
            let reason = format!("the supervisor panicked: {message}");
            self.shared.escalate(Escalation { child: tree, reason, exit_code: EXIT_ESCALATED });
            return false;
        }
        self.falls.clear();
        let reason = ExitReason::Killed { by: "the supervisor, which panicked".to_owned() };
        let (statics, dynamics): (Vec<ChildId>, Vec<ChildId>) = self.children.keys().partition(|id| id.0 < self.start_order.len() as u64);
        for id in dynamics {
            self.drop_dynamic(id, &reason);
        }
        for id in statics {
            self.begin_again(id, &reason);
        }
        true
    }

    /// They end with the incarnation that made them, which ends now.
    fn drop_dynamic(&mut self, id: ChildId, reason: &ExitReason) {
        let Some(child) = self.children.get_mut(&id) else { return };
        if let Phase::Starting { starter, .. } = &child.phase {
            starter.abort();
        }
        if !child.kill(reason.clone(), Then::End) {
            child.fence(false);
        }
        self.over(id, reason, false);
    }

    /// What was told about a child may have been lost, so only what can be seen is believed.
    fn begin_again(&mut self, id: ChildId, reason: &ExitReason) {
        let Some(child) = self.children.get_mut(&id) else { return };
        child.was_ready = false;
        match &child.phase {
            // Its end will be told.
            Phase::Starting { .. } | Phase::Waiting | Phase::Over { .. } => {}
            // The retry may never come.
            Phase::BackingOff => child.enter(Phase::Waiting),
            Phase::Leaving(_) | Phase::Running(_) | Phase::Suspended(_) | Phase::Recovering { .. } => {
                let then = match &child.phase {
                    Phase::Leaving(leave) if leave.then == Then::End => Then::End,
                    _ => Then::Return,
                };
                // What may not live twice is asked to go, within its limits; a message in hand is finished.
                match child.rules.exclusive {
                    true if child.is_gone() && then == Then::Return => child.enter(Phase::Waiting),
                    true => drop(child.dismiss(Leaving::AtOnce, reason.clone(), then)),
                    false => drop(child.kill(reason.clone(), then)),
                }
            }
        }
    }
}
