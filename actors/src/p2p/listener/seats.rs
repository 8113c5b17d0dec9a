//! How many connections one IP address may have; of IPv6, one /64, which is what one host has.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

use super::super::Culprit;

/// Counts connections by address, from their handshake to the end of their session.
#[derive(Clone, Debug)]
pub(super) struct Seats {
    taken: Arc<Mutex<HashMap<Culprit, usize>>>,
    max_per_ip: usize,
}

/// One connection's place. Dropping it frees the place.
#[derive(Debug)]
pub struct Seat {
    taken: Arc<Mutex<HashMap<Culprit, usize>>>,
    at: Culprit,
}

impl Seats {
    pub fn new(max_per_ip: usize) -> Self {
        Self { taken: Arc::default(), max_per_ip }
    }

    /// A place for one more connection from `ip`, if there is one.
    pub fn take(&self, ip: IpAddr) -> Option<Seat> {
        let (mut taken, at) = (self.taken.lock(), Culprit::at(ip));
        let count = taken.entry(at).or_default();
        if self.max_per_ip <= *count {
            return None;
        }
        *count += 1;
        Some(Seat { taken: self.taken.clone(), at })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_address_has_its_own_places_and_gets_them_back() {
        let seats = Seats::new(2);
        let [here, there] = [1, 2].map(|byte| IpAddr::V4(Ipv4Addr::new(10, 0, 0, byte)));
        let (first, second) = (seats.take(here), seats.take(here));
        assert!(first.is_some() && second.is_some());
        assert!(seats.take(here).is_none());
        assert!(seats.take(there).is_some());
        drop(first);
        assert!(seats.take(here).is_some());
        drop(second);
        assert!(seats.taken.lock().is_empty());
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_share_their_places() {
        let seats = Seats::new(1);
        let [here, next, there] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse::<IpAddr>().ok());
        let _taken = here.and_then(|ip| seats.take(ip));
        assert!(next.is_some_and(|ip| seats.take(ip).is_none()) && there.is_some_and(|ip| seats.take(ip).is_some()));
    }
}
