//! How often a child may come back before the tree gives up on it.

use std::collections::VecDeque;
use std::time::Duration;

/// At most `restarts` within any `window`. Each child has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub restarts: usize,
    pub window: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { restarts: 10, window: Duration::from_secs(60) }
    }
}

/// What the dynamic children of one parent may need together: the more there are, the more.
///
/// A few that crash in a loop spend their own budgets and end alone; when most of many do, the parent is at fault and
/// is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupBudget {
    pub restarts: usize,
    /// As many more for each child there is.
    pub per_child: usize,
    pub window: Duration,
}

impl Default for GroupBudget {
    fn default() -> Self {
        GroupBudget { restarts: 20, per_child: 5, window: Duration::from_secs(60) }
    }
}

impl GroupBudget {
    pub(crate) fn for_children(&self, children: usize) -> Budget {
        Budget { restarts: self.restarts.saturating_add(self.per_child.saturating_mul(children)), window: self.window }
    }
}

/// What was spent of a budget.
#[derive(Debug, Default)]
pub(crate) struct Spending(VecDeque<Duration>);

impl Spending {
    /// Books one restart at `now` (time since any fixed moment). `false`: the budget is spent.
    pub fn book(&mut self, budget: &Budget, now: Duration) -> bool {
        while self.0.front().is_some_and(|at| now.saturating_sub(*at) >= budget.window) {
            self.0.pop_front();
        }
        if self.0.len() >= budget.restarts {
            return false;
        }
        self.0.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_within_its_window_and_free_again_after_it() {
        let budget = Budget { restarts: 2, window: Duration::from_secs(10) };
        let mut spending = Spending::default();
        let booked: Vec<bool> = [0, 4, 9, 10, 11, 14].map(|at| spending.book(&budget, Duration::from_secs(at))).to_vec();
        assert_eq!(booked, [true, true, false, true, false, true]);
    }

    #[test]
    fn an_empty_budget_allows_nothing() {
        assert!(!Spending::default().book(&Budget { restarts: 0, window: Duration::from_secs(1) }, Duration::ZERO));
    }
}
