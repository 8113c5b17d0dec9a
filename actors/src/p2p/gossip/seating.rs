//! Who has a right to a seat, and which stranger makes room for the next one. No I/O.

use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr};

use primitives::{Address, NodeId, PeerAddress};

use super::super::SessionKey;

/// Nodes of one validator that have a right to a seat: the one that it moves from, and the one that it moves to. A dishonest
/// validator may prove itself for as many nodes as it likes.
pub(in super::super) const SEATS_PER_VALIDATOR: usize = 2;

/// The configured peers, and which nodes they are as far as we know: by their place in the configuration, so that whoever
/// answers there in the end is one node at a time.
#[derive(Clone, Debug)]
pub(super) struct Configured(BTreeMap<usize, NodeId>);

impl Configured {
    pub fn new(peers: &[PeerAddress]) -> Self {
        Self(peers.iter().enumerate().filter_map(|(index, peer)| peer.node.map(|node| (index, node))).collect())
    }

    /// A dial of ours has shown who lives there.
    pub fn found(&mut self, index: usize, node: NodeId) {
        self.0.insert(index, node);
    }

    pub fn has(&self, node: &NodeId) -> bool {
        self.0.values().any(|known| known == node)
    }
}

/// A session, as far as its seat is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    pub key: SessionKey,
    pub ip: Option<IpAddr>,
    /// It has had no time yet to prove anything.
    pub is_new: bool,
    /// Or we have dialled it.
    pub is_configured: bool,
    /// The validator of the set that it has proved to speak for.
    pub validator: Option<Address>,
}

/// Whether there is a seat for one more stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    /// When this stranger has left.
    After(SessionKey),
    /// No stranger is ever seated.
    Never,
}

/// The seat of a newcomer from `ip` that has no right to one yet. Whoever comes may be a validator that has had no time to
/// prove it, so somebody leaves for it, from the address with most strangers: the latest that had its time to prove something, so
/// that those who are here for long stay, or if all are new the first.
pub(super) fn room(guests: &[Guest], ip: Option<IpAddr>, max_strangers: usize) -> Room {
    let strangers = strangers(guests);
    if strangers.len() < max_strangers {
        return Room::Free;
    }
    let crowd = |at: Option<IpAddr>| strangers.iter().filter(|guest| guest.ip == at).count() + usize::from(at == ip);
    let order = |guest: &Guest| if guest.is_new { (false, u64::MAX - guest.key.number) } else { (true, guest.key.number) };
    let leaver = strangers.iter().max_by_key(|guest| (crowd(guest.ip), order(guest)));
    leaver.filter(|_| 0 < max_strangers).map_or(Room::Never, |guest| Room::After(guest.key))
}

/// Those without a right to a seat.
fn strangers(guests: &[Guest]) -> Vec<Guest> {
    let mut newest_first = guests.to_vec();
    newest_first.sort_by_key(|guest| Reverse(guest.key.number));
    let mut seated: BTreeMap<Address, usize> = BTreeMap::new();
    newest_first.retain(|guest| {
        let speaks_for = guest.validator.map(|validator| seated.entry(validator).or_default());
        let has_seat = speaks_for.is_some_and(|nodes| {
            *nodes += 1;
            *nodes <= SEATS_PER_VALIDATOR
        });
        !has_seat && !guest.is_configured
    });
    newest_first
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(number: u8) -> SessionKey {
        SessionKey { node: NodeId(Address::repeat_byte(number)), number: number.into() }
    }

    fn ip(byte: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, byte]))
    }

    /// A stranger.
    fn guest(number: u8, at: u8) -> Guest {
        Guest { key: key(number), ip: ip(at), is_new: false, is_configured: false, validator: None }
    }

    fn validator(number: u8, validator: u8) -> Guest {
        Guest { validator: Some(Address::repeat_byte(validator)), ..guest(number, 1) }
    }

    #[test]
    fn configured_peers_and_validators_take_no_seat_of_a_stranger() {
        let guests = [Guest { is_configured: true, ..guest(1, 1) }, validator(2, 7), validator(3, 7), validator(4, 8), guest(5, 1)];
        assert_eq!(room(&guests, ip(1), 2), Room::Free);
        assert_eq!(room(&guests, ip(1), 1), Room::After(key(5)));
    }

    #[test]
    fn a_third_node_of_one_validator_is_a_stranger() {
        let guests = [validator(1, 7), validator(2, 7), validator(3, 7)];
        assert_eq!(room(&guests, ip(1), 1), Room::After(key(1)));
    }

    #[test]
    fn of_the_most_crowded_address_the_latest_leaves() {
        let guests = [guest(1, 1), guest(2, 3), guest(3, 3), guest(4, 2)];
        assert_eq!(room(&guests, ip(4), 4), Room::After(key(3)));
        assert_eq!(room(&guests[2..], ip(4), 2), Room::After(key(4)));
    }

    #[test]
    fn whoever_just_came_has_time_to_prove_itself() {
        let new = |number| Guest { is_new: true, ..guest(number, 1) };
        assert_eq!(room(&[guest(1, 1), guest(2, 1), new(3)], ip(1), 3), Room::After(key(2)));
        assert_eq!(room(&[new(1), new(2), new(3)], ip(1), 3), Room::After(key(1)));
    }

    #[test]
    fn a_newcomer_takes_the_seat_of_its_own_crowd_first() {
        let guests = [guest(1, 1), guest(2, 2), guest(3, 3)];
        assert_eq!(room(&guests, ip(2), 3), Room::After(key(2)));
    }

    #[test]
    fn without_seats_for_strangers_nobody_leaves() {
        assert_eq!(room(&[validator(1, 7)], ip(1), 0), Room::Never);
        assert_eq!(room(&[guest(1, 1)], ip(1), 0), Room::Never);
    }

    #[test]
    fn a_configured_address_is_one_node_at_a_time() {
        let [one, two] = [1, 2].map(|byte| NodeId(Address::repeat_byte(byte)));
        let mut configured = Configured::new(&[format!("{one}@10.0.0.1:4130").parse().unwrap(), "10.0.0.2:4130".parse().unwrap()]);
        assert!(configured.has(&one) && !configured.has(&two));
        configured.found(1, two);
        assert!(configured.has(&two));
        configured.found(1, one);
        assert!(!configured.has(&two));
    }
}
