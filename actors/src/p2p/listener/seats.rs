//! How many connections one IP address may have.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

/// Counts connections by address, from their handshake to the end of their session.
#[derive(Clone, Debug)]
pub(super) struct Seats {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max_per_ip: usize,
}

/// One connection's place. Dropping it frees the place.
#[derive(Debug)]
pub struct Seat {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    ip: IpAddr,
}

impl Seats {
    pub fn new(max_per_ip: usize) -> Self {
        Self { taken: Arc::default(), max_per_ip }
    }

    /// A place for one more connection from `ip`, if there is one.
    pub fn take(&self, ip: IpAddr) -> Option<Seat> {
        let mut taken = self.taken.lock();
        let count = taken.entry(ip).or_default();
        if self.max_per_ip <= *count {
            return None;
        }
        *count += 1;
        Some(Seat { taken: self.taken.clone(), ip })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.ip);
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
}
