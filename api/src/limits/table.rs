//! What each client owes; a client that owes nothing is forgotten when room is needed.

use std::{collections::HashMap, time::Duration};

use super::{
    class::Class,
    client::Client,
    rate::{Debt, Rate},
};

/// How often a full table is gone through at most.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

type Debts = [Debt; Class::COUNT];

#[derive(Debug)]
pub(super) struct Table {
    debts: HashMap<Client, Debts>,
    max_clients: usize,
    /// When it may be gone through again.
    next_sweep: Duration,
}

impl Table {
    pub fn new(max_clients: usize) -> Self {
        Self { debts: HashMap::new(), max_clients, next_sweep: Duration::ZERO }
    }

    /// One more request of `client` at `now`; how long it has to wait when that is one too many.
    pub fn spend(&mut self, client: Client, class: Class, rate: Rate, now: Duration) -> Result<(), Duration> {
        let is_new = !self.debts.contains_key(&client);
        if is_new && self.max_clients <= self.debts.len() {
            self.sweep(now);
        }
        let has_room = !is_new || self.debts.len() < self.max_clients;
        let client = if has_room { client } else { Client::CROWD };
        self.debts.entry(client).or_default()[class.index()].add(rate, now)
    }

    fn sweep(&mut self, now: Duration) {
        if self.next_sweep <= now {
            self.next_sweep = now + SWEEP_INTERVAL;
            self.debts.retain(|_, debts| !debts.iter().all(|debt| debt.is_paid(now)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 1, burst: 2 };

    fn client(number: u8) -> Client {
        Client::at([192, 0, 2, number].into())
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn clients_do_not_pay_for_each_other() {
        let mut table = Table::new(10);
        for number in 0..3 {
            let outcomes: Vec<_> = (0..3).map(|_| table.spend(client(number), Class::Reads, RATE, at(9)).is_ok()).collect();
            assert_eq!(outcomes, [true, true, false]);
        }
    }

    #[test]
    fn those_that_find_no_room_share_one_allowance_and_the_table_stays_small() {
        let mut table = Table::new(2);
        let outcomes: Vec<_> = (0..100).map(|number| table.spend(client(number), Class::Reads, RATE, at(9)).is_ok()).collect();
        // Two clients of their own, and two requests of the crowd.
        assert_eq!(outcomes.iter().filter(|is_allowed| **is_allowed).count(), 4);
        assert_eq!(table.debts.len(), 3);
    }

    #[test]
    fn who_has_been_quiet_makes_room() {
        let mut table = Table::new(1);
        assert!(table.spend(client(1), Class::Reads, RATE, at(9)).is_ok());
        assert!(table.spend(client(2), Class::Submits, RATE, at(20)).is_ok());
        assert!(table.debts.contains_key(&client(2)) && table.debts.len() == 1);
    }
}
