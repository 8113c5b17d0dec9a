//! How many connections are at which stage of their life.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use wire::Role;

/// Where a connection is, before and after it is an open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Both sides prove who they are.
    Handshake,
    /// Says its last words.
    Draining,
}

impl Stage {
    pub const ALL: [Self; 2] = [Self::Handshake, Self::Draining];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Draining => "draining",
        }
    }
}

/// Counts by direction and stage. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Stages(Arc<[[AtomicU64; 2]; 2]>);

/// One connection at its stage, as long as this lives.
#[derive(Debug)]
pub(super) struct Staying {
    stages: Stages,
    role: Role,
    stage: Stage,
}

impl Stages {
    pub fn enter(&self, role: Role, stage: Stage) -> Staying {
        self.counter(role, stage).fetch_add(1, Relaxed);
        Staying { stages: self.clone(), role, stage }
    }

    pub fn count(&self, role: Role, stage: Stage) -> u64 {
        self.counter(role, stage).load(Relaxed)
    }

    fn counter(&self, role: Role, stage: Stage) -> &AtomicU64 {
        &self.0[usize::from(role == Role::Dialler)][stage as usize]
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        self.stages.counter(self.role, self.stage).fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_as_long_as_it_stays() {
        let stages = Stages::default();
        let (one, two) = (stages.enter(Role::Dialler, Stage::Handshake), stages.enter(Role::Dialler, Stage::Handshake));
        let count = || [Role::Dialler, Role::Acceptor].map(|role| Stage::ALL.map(|stage| stages.count(role, stage)));
        assert_eq!(count(), [[2, 0], [0, 0]]);
        drop((one, two));
        let _last = stages.enter(Role::Acceptor, Stage::Draining);
        assert_eq!(count(), [[0, 0], [0, 1]]);
    }
}
