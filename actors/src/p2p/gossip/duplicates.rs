//! Which of two sessions between the same two nodes stays. Both sides decide alike, without asking each other.

use primitives::NodeId;
use wire::Role;

/// What to do with a second session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The newcomer takes the place.
    Replace,
    /// The one that is there stays.
    Refuse,
}

/// The session that there is, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    /// Our side of it.
    pub role: Role,
    /// It has said nothing for so long that the peer may have lost it.
    pub is_silent: bool,
}

/// When both dialled at once, the session that the node with the lower id dialled stays. Nobody dials twice the same way while
/// the first session lives, so of two that go the same way the older one is dead.
pub(super) fn judge(ours: NodeId, peer: NodeId, present: Present, newcomer: Role) -> Verdict {
    let preferred = if ours < peer { Role::Dialler } else { Role::Acceptor };
    let takes_over = newcomer == present.role || newcomer == preferred || present.is_silent;
    if takes_over { Verdict::Replace } else { Verdict::Refuse }
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::*;

    const LOW: NodeId = NodeId(Address::repeat_byte(1));
    const HIGH: NodeId = NodeId(Address::repeat_byte(2));

    /// The role of the session that stays at one node, in its own eyes.
    fn stays(ours: NodeId, peer: NodeId, first: Role, second: Role) -> Role {
        match judge(ours, peer, Present { role: first, is_silent: false }, second) {
            Verdict::Replace => second,
            Verdict::Refuse => first,
        }
    }

    #[test]
    fn both_sides_keep_the_same_one_whatever_they_see_first() {
        use Role::{Acceptor, Dialler};
        for (first, second) in [(Dialler, Acceptor), (Acceptor, Dialler)] {
            assert_eq!(stays(LOW, HIGH, first, second), Dialler);
            assert_eq!(stays(HIGH, LOW, first, second), Acceptor);
        }
    }

    #[test]
    fn a_peer_that_dials_again_has_lost_the_first_session() {
        for role in [Role::Dialler, Role::Acceptor] {
            assert_eq!(judge(LOW, HIGH, Present { role, is_silent: false }, role), Verdict::Replace);
        }
    }

    #[test]
    fn a_silent_session_does_not_stand_in_the_way() {
        let present = Present { role: Role::Dialler, is_silent: true };
        assert_eq!(judge(LOW, HIGH, present, Role::Acceptor), Verdict::Replace);
    }
}
