//! Children that fall together: they stop in reverse start order, and start again when all of them are down.

use crate::child::{Child, ChildId, Phase, Then};
use crate::event::EventKind;
use crate::exit::ExitReason;
use crate::family::Family;
use crate::group::Strategy;
use crate::mailbox::Leaving;
use crate::policy::{Decision, Exit, History};
use crate::snapshot::millis;

/// A fall under way.
pub(crate) struct Fall {
    /// In start order.
    children: Vec<ChildId>,
    /// Whose end it follows from.
    because: String,
}

impl Family {
    /// `id` has ended and will be started again: those whom strategies tie to it fall with it.
    pub fn spread(&mut self, id: ChildId) {
        let Some(group) = self.children.get(&id).and_then(|child| child.group) else { return };
        let tied = match self.clans[group].strategy {
            Strategy::Graph | Strategy::OneForOne => return,
            Strategy::OneForAll => self.clans[group].children.clone(),
            Strategy::RestForOne => self.clans[group].children.iter().copied().skip_while(|child| *child != id).collect(),
        };
        self.fall(tied, id);
    }

    /// The budget of `id` is spent. `false`: there is no group around it whose budget is not.
    pub fn fall_with_group(&mut self, id: ChildId, reason: &ExitReason, jitter: f64) -> bool {
        let now = self.epoch.elapsed();
        let mut group = self.children.get(&id).and_then(|child| child.group);
        while let Some(index) = group {
            let clan = &mut self.clans[index];
            let exit = Exit { reason, uptime: now.saturating_sub(clan.fell_at), now, jitter };
            let decision = clan.history.decide(&clan.policy, &exit);
            if let Decision::Retry(delay) = decision {
                clan.fell_at = now;
                let (group, delay_ms) = (clan.name.clone(), millis(delay));
                let tied = self.tied_to_group(index);
                self.forgive_members(index);
                self.tell(id, EventKind::GroupFell { group, delay_ms });
                self.back_off(id, delay);
                self.fall(tied, id);
                return true;
            }
            group = clan.parent;
        }
        false
    }

    /// Who starts afresh starts with whole budgets.
    fn forgive_members(&mut self, index: usize) {
        for id in &self.clans[index].children {
            if let Some(child) = self.children.get_mut(id) {
                child.history = History::default();
            }
        }
        // Groups stand before those they contain.
        for inner in index + 1..self.clans.len() {
            let (before, from) = self.clans.split_at_mut(inner);
            if from[0].children.iter().all(|child| before[index].children.contains(child)) {
                from[0].history = History::default();
            }
        }
    }

    /// The children of a group, and of those that the strategy around it ties to it.
    fn tied_to_group(&self, index: usize) -> Vec<ChildId> {
        let clan = &self.clans[index];
        let around = clan.parent.map(|parent| &self.clans[parent]);
        match around.map(|around| (around.strategy, around)) {
            Some((Strategy::OneForAll, around)) => around.children.clone(),
            Some((Strategy::RestForOne, around)) => {
                let first = clan.children.first();
                around.children.iter().copied().skip_while(|child| Some(child) != first).collect()
            }
            _ => clan.children.clone(),
        }
    }

    fn fall(&mut self, children: Vec<ChildId>, because: ChildId) {
        let Some(because) = self.children.get(&because).map(|child| child.name.to_string()) else { return };
        for id in &children {
            if let Some(child) = self.children.get_mut(id) {
                child.was_ready = false;
            }
        }
        self.falls.push(Fall { children, because });
    }

    pub fn is_falling(&self, id: ChildId) -> bool {
        self.falls.iter().any(|fall| fall.children.contains(&id))
    }

    /// Tells the next to go; ends the falls that are complete.
    pub fn advance_falls(&mut self) {
        let falls = std::mem::take(&mut self.falls);
        for fall in falls {
            if !self.is_down(&fall) {
                self.falls.push(fall);
            }
        }
    }

    fn is_down(&mut self, fall: &Fall) -> bool {
        let mut is_down = true;
        for id in fall.children.iter().rev() {
            match self.children.get(id).map(|child| &child.phase) {
                None | Some(Phase::Waiting | Phase::Over { .. }) => {}
                // It comes down by itself when its time is over.
                Some(Phase::BackingOff) => is_down = false,
                // One at a time; a start is left to end first.
                Some(Phase::Starting { .. } | Phase::Leaving(_)) => return false,
                Some(Phase::Recovering { .. } | Phase::Running(_) | Phase::Suspended(_)) => {
                    self.leave(*id, Leaving::AtOnce, ExitReason::FellWith { sibling: fall.because.clone() }, Then::Return);
                    return false;
                }
            }
        }
        is_down
    }

    /// A dynamic child was given up or is to be restarted: books it with its parent. Too many, and the parent is at fault.
    pub fn book_with_parent(&mut self, id: ChildId) {
        let Some((parent, incarnation)) = self.children.get(&id).and_then(|child| child.parent) else { return };
        let now = self.epoch.elapsed();
        let Some(child) = self.children.get_mut(&parent).filter(|child| child.incarnation() == incarnation) else { return };
        let budget = child.rules.children_budget.for_children(child.offspring);
        if child.offspring_spending.book(&budget, now) {
            return;
        }
        child.offspring_spending = Default::default();
        let reason = ExitReason::ChildrenFailed { restarts: budget.restarts as u64, window_ms: millis(budget.window) };
        self.leave(parent, Leaving::AtOnce, reason, Then::Judge);
    }

    /// Keeps count of the dynamic children of whoever owns this one.
    pub fn count_offspring(&mut self, child: &Child, by: isize) {
        if let Some((parent, _)) = child.parent
            && let Some(parent) = self.children.get_mut(&parent)
        {
            parent.offspring = parent.offspring.saturating_add_signed(by);
        }
    }
}
