//! Children declared together: who falls with whom, and how often they may.

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::child::ChildId;
use crate::policy::{History, Policy, Restart};
use crate::spec::ChildSpec;

/// Who falls when a member of a group ends and is to be started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Those that need it, by [`ChildSpec::needs`].
    #[default]
    Graph,
    /// Nobody else; between members `needs` is order only.
    OneForOne,
    /// Everybody. They stop in reverse order of declaration and start one after the other.
    OneForAll,
    /// Those declared after it, stopped and started like that.
    RestForOne,
}

/// Members with a strategy and a budget of their own.
///
/// When a member's budget is spent the whole group falls and starts afresh, booked in the group's budget; when that
/// is spent too, the group around it falls, and at last the tree escalates.
pub struct Group {
    pub(crate) name: String,
    pub(crate) strategy: Strategy,
    pub(crate) backoff: Backoff,
    pub(crate) budget: Budget,
    pub(crate) members: Vec<Member>,
}

impl Group {
    /// An empty group. Its name is unique in the tree, like a child's.
    pub fn new(name: &str) -> Self {
        let budget = Budget { restarts: 3, ..Budget::default() };
        Group { name: name.to_owned(), strategy: Strategy::default(), backoff: Backoff::default(), budget, members: Vec::new() }
    }

    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// How often the whole group may fall because of a member's spent budget (3 in 60 s).
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How long to wait before the group comes back.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Adds a child or a group.
    pub fn with(mut self, member: impl Into<Member>) -> Self {
        self.members.push(member.into());
        self
    }
}

/// What a tree or a group is made of.
pub enum Member {
    Child(Box<ChildSpec>),
    Group(Group),
}

impl From<ChildSpec> for Member {
    fn from(spec: ChildSpec) -> Self {
        Member::Child(Box::new(spec))
    }
}

impl From<Group> for Member {
    fn from(group: Group) -> Self {
        Member::Group(group)
    }
}

/// A group of a tree that was built.
pub(crate) struct Clan {
    pub name: String,
    pub strategy: Strategy,
    pub policy: Policy,
    pub parent: Option<usize>,
    /// All children below it, in start order.
    pub children: Vec<ChildId>,
    pub history: History,
    /// When it fell last, since the tree began.
    pub fell_at: std::time::Duration,
}

/// The children of a tree with the index of their group, and the groups.
#[derive(Default)]
pub(crate) struct Flat {
    pub children: Vec<(ChildSpec, Option<usize>)>,
    pub clans: Vec<Clan>,
}

impl Flat {
    pub fn of(members: impl IntoIterator<Item = Member>) -> Self {
        let mut flat = Flat::default();
        for member in members {
            flat.add(member, None);
        }
        flat
    }

    fn add(&mut self, member: Member, parent: Option<usize>) {
        match member {
            Member::Child(spec) => self.children.push((*spec, parent)),
            Member::Group(group) => self.add_group(group, parent),
        }
    }

    fn add_group(&mut self, group: Group, parent: Option<usize>) {
        let Group { name, strategy, backoff, budget, members } = group;
        let (index, first) = (self.clans.len(), self.children.len());
        let policy = Policy { restart: Restart::Permanent, backoff, budget };
        self.clans.push(Clan { name, strategy, policy, parent, children: Vec::new(), history: History::default(), fell_at: Default::default() });
        let mut before = first..first;
        for member in members {
            let begin = self.children.len();
            self.add(member, Some(index));
            if matches!(strategy, Strategy::OneForAll | Strategy::RestForOne) {
                self.in_turn(before, begin);
            }
            before = begin..self.children.len();
        }
        if strategy == Strategy::OneForOne {
            self.loosen(first);
        }
    }

    /// The children from `begin` on start after those of `before`.
    fn in_turn(&mut self, before: std::ops::Range<usize>, begin: usize) {
        let names: Vec<String> = self.children[before].iter().map(|(spec, _)| spec.rules.name.to_string()).collect();
        for (spec, _) in &mut self.children[begin..] {
            spec.rules.after.extend(names.iter().cloned());
        }
    }

    /// Makes what the children from `first` on need of each other mere order.
    fn loosen(&mut self, first: usize) {
        let names: Vec<_> = self.children[first..].iter().map(|(spec, _)| spec.rules.name.clone()).collect();
        for (spec, _) in &mut self.children[first..] {
            let (inside, outside) = std::mem::take(&mut spec.rules.needs).into_iter().partition(|need| names.iter().any(|name| **name == **need));
            spec.rules.needs = outside;
            spec.rules.after.extend::<Vec<String>>(inside);
        }
    }
}
