//! What may be done to one actor, by its name in paths and on the command line.

use super::Provocation;

/// What is done to an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Order(Order),
    /// A fault is armed; only with `chaos.enabled`.
    Provoke(Provocation),
}

/// What its supervisor is told, and does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Finish the message in hand, then come back as a new incarnation.
    Restart,
    /// Handle nothing until it is resumed.
    Suspend,
    Resume,
    /// End without being asked; only with `chaos.enabled`.
    Kill,
}

impl Order {
    pub const ALL: [Self; 4] = [Self::Restart, Self::Suspend, Self::Resume, Self::Kill];

    pub fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Kill => "kill",
        }
    }
}

impl Deed {
    /// All of them, the harmless ones first.
    pub fn all() -> impl Iterator<Item = Self> {
        Order::ALL.into_iter().map(Self::Order).chain(Provocation::ALL.into_iter().map(Self::Provoke))
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|deed| deed.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Order(order) => order.name(),
            Self::Provoke(what) => what.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_has_a_name_of_its_own() {
        assert!(Deed::all().all(|deed| Deed::named(deed.name()) == Some(deed)));
        assert_eq!(Deed::named("explode"), None);
    }
}
