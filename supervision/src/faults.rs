//! Injecting faults into a running tree.

use std::sync::Arc;

use crate::chaos::{FaultInjection, FaultKind, InjectError};
use crate::event::EventKind;
use crate::shared::Shared;
use crate::supervisor::Command;

/// Arms and disarms faults, where the tree's configuration allows it.
#[derive(Clone)]
pub struct Faults {
    pub(crate) shared: Arc<Shared>,
    pub(crate) enabled: bool,
}

impl Faults {
    /// Arms a fault; a flood happens at once. Refused unless [`crate::Config::chaos`] is set. The tree's own name stands
    /// for its supervisor, which can only be made to panic, at once.
    pub fn inject(&self, fault: FaultInjection) -> Result<(), InjectError> {
        let FaultInjection { child, kind, on } = fault;
        if !self.enabled {
            return Err(InjectError::Disabled);
        }
        if child == self.shared.registry.tree && kind == FaultKind::Panic {
            self.shared.command(Command::Panic);
            return Ok(());
        }
        let Some((port, incarnation)) = self.shared.registry.find(&child, |row| (row.port.clone(), row.port.vitals().fence.current())) else {
            return Err(InjectError::Unknown(child));
        };
        let what = match kind {
            FaultKind::Flood { messages } => format!("{kind:?}: {} found no room", port.flood(messages)),
            _ => {
                let what = format!("{kind:?} on {on:?}");
                if !port.vitals().chaos.arm(kind, on) {
                    return Err(InjectError::TooMany(child));
                }
                what
            }
        };
        self.shared.events.tell(&child, incarnation.0, EventKind::Injected { what });
        Ok(())
    }

    /// Disarms all faults of a child. `false`: there is no such child.
    pub fn clear(&self, child: &str) -> bool {
        self.shared.registry.find(child, |row| row.port.vitals().chaos.clear()).is_some()
    }
}
