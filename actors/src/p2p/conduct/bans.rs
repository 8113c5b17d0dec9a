//! Whom we do not talk to, and until when. No I/O; time is what the caller says it is.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
    time::Duration,
};

use primitives::NodeId;
use serde::{Deserialize, Serialize};

/// The first ban of a culprit; each further one is twice as long.
pub const FIRST_BAN: Duration = Duration::from_secs(600);
/// No ban by rule is longer.
pub const LONGEST_BAN: Duration = Duration::from_secs(24 * 3_600);
/// Nor one by a person: ten years.
pub const LONGEST_BY_HAND: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
/// How long after its end a ban makes the next one longer.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);
/// Bans that are kept; the one that ends first makes room.
pub const MAX_BANS: usize = 4_096;
/// Letters of a reason that are kept.
const MAX_REASON: usize = 200;

/// Whoever can be banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Culprit {
    Node(NodeId),
    /// An IPv4 address, or the first address of an IPv6 /64.
    Ip(IpAddr),
}

impl Culprit {
    /// Whoever comes from `ip`: an IPv6 host has a whole /64.
    pub fn at(ip: IpAddr) -> Self {
        Self::Ip(match ip.to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
            ip => ip,
        })
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// It is neither a node id nor an IP address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a node id (0x and 40 hexadecimal digits) nor an IP address")]
pub struct NoCulprit(String);

impl FromStr for Culprit {
    type Err = NoCulprit;

    fn from_str(text: &str) -> Result<Self, NoCulprit> {
        let node = || text.parse().ok().map(|address| Self::Node(NodeId(address)));
        let ip = || text.parse().ok().map(Self::at);
        ip().or_else(node).ok_or_else(|| NoCulprit(text.chars().take(MAX_REASON).collect()))
    }
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    pub culprit: Culprit,
    /// Of the monotonic clock.
    pub until: Duration,
    /// How often it was banned by rule in a row.
    pub times: u32,
    pub reason: String,
    /// Said by a person: it holds for configured peers and validators, too.
    pub is_by_operator: bool,
}

/// A ban as it outlives the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBan {
    pub culprit: Culprit,
    /// Milliseconds since the Unix epoch.
    pub until_unix_ms: u64,
    pub times: u32,
    pub reason: String,
    pub is_by_operator: bool,
}

/// All bans, and those that have ended and are not forgotten.
#[derive(Clone, Debug, Default)]
pub struct Bans(BTreeMap<Culprit, Ban>);

impl Bans {
    /// The ban of `culprit`, if it holds at this time.
    pub fn of(&self, culprit: &Culprit, now: Duration) -> Option<&Ban> {
        self.0.get(culprit).filter(|ban| now < ban.until)
    }

    /// Bans by rule, longer each time. Says for how long; a longer ban that holds already stays.
    pub fn punish(&mut self, culprit: Culprit, reason: &str, now: Duration) -> Duration {
        let before = self.0.get(&culprit).filter(|ban| now < ban.until + REMEMBERED);
        let times = before.map_or(0, |ban| ban.times).saturating_add(1);
        let long = FIRST_BAN.saturating_mul(1 << (times - 1).min(16)).min(LONGEST_BAN);
        if let Some(ban) = before.filter(|ban| now + long < ban.until) {
            return ban.until - now;
        }
        let is_by_operator = before.is_some_and(|ban| ban.is_by_operator && now < ban.until);
        self.put(Ban { culprit, until: now + long, times, reason: cut(reason), is_by_operator }, now);
        long
    }

    /// Bans for as long as a person says.
    pub fn ban(&mut self, culprit: Culprit, long: Duration, reason: &str, now: Duration) {
        let times = self.0.get(&culprit).map_or(0, |ban| ban.times);
        self.put(Ban { culprit, until: now.saturating_add(long.min(LONGEST_BY_HAND)), times, reason: cut(reason), is_by_operator: true }, now);
    }

    /// Forgives all; says whether there was a ban.
    pub fn lift(&mut self, culprit: &Culprit, now: Duration) -> bool {
        self.0.remove(culprit).is_some_and(|ban| now < ban.until)
    }

    /// The bans that hold.
    pub fn list(&self, now: Duration) -> impl Iterator<Item = &Ban> {
        self.0.values().filter(move |ban| now < ban.until)
    }

    /// What outlives the process: the time of day instead of ours.
    pub fn snapshot(&self, now: Duration, unix_ms: u64) -> Vec<KeptBan> {
        let kept = |ban: &Ban| KeptBan {
            culprit: ban.culprit,
            until_unix_ms: unix_ms.saturating_add((ban.until.saturating_sub(now)).as_millis() as u64),
            times: ban.times,
            reason: ban.reason.clone(),
            is_by_operator: ban.is_by_operator,
        };
        self.list(now).map(kept).collect()
    }

    /// Takes back what [`Bans::snapshot`] gave. A ban by rule is never longer than rules make it, whatever the clock did meanwhile.
    pub fn restore(&mut self, kept: impl IntoIterator<Item = KeptBan>, now: Duration, unix_ms: u64) {
        for KeptBan { culprit, until_unix_ms, times, reason, is_by_operator } in kept.into_iter().take(MAX_BANS) {
            let left = Duration::from_millis(until_unix_ms.saturating_sub(unix_ms));
            let left = left.min(if is_by_operator { LONGEST_BY_HAND } else { LONGEST_BAN });
            if !left.is_zero() {
                self.put(Ban { culprit, until: now.saturating_add(left), times, reason: cut(&reason), is_by_operator }, now);
            }
        }
    }

    fn put(&mut self, ban: Ban, now: Duration) {
        if MAX_BANS <= self.0.len() && !self.0.contains_key(&ban.culprit) {
            self.0.retain(|_, ban| now < ban.until + REMEMBERED);
            let first = self.0.values().min_by_key(|ban| (ban.is_by_operator, ban.until)).map(|ban| ban.culprit);
            if let Some(first) = first.filter(|_| MAX_BANS <= self.0.len()) {
                self.0.remove(&first);
            }
        }
        self.0.insert(ban.culprit, ban);
    }
}

fn cut(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::Address;

    use super::*;

    const SOMEBODY: Culprit = Culprit::Node(NodeId(Address::repeat_byte(1)));
    const START: Duration = Duration::ZERO;

    fn ip(text: &str) -> Culprit {
        text.parse().unwrap()
    }

    #[test]
    fn a_ban_ends_by_itself_or_when_it_is_lifted() {
        let mut bans = Bans::default();
        assert_eq!(bans.punish(SOMEBODY, "flood", START), FIRST_BAN);
        assert!(bans.of(&SOMEBODY, FIRST_BAN - Duration::from_millis(1)).is_some());
        assert!(bans.of(&SOMEBODY, FIRST_BAN).is_none() && bans.list(FIRST_BAN).next().is_none());
        assert!(bans.lift(&SOMEBODY, START) && !bans.lift(&SOMEBODY, START));
        assert!(bans.of(&SOMEBODY, START).is_none());
    }

    #[test]
    fn each_ban_is_twice_as_long_as_the_one_before_up_to_a_day() {
        let (mut bans, mut now) = (Bans::default(), START);
        let mut lengths = Vec::new();
        for _ in 0..20 {
            let long = bans.punish(SOMEBODY, "flood", now);
            now += long;
            lengths.push(long.as_secs() / 60);
        }
        assert_eq!(lengths[..9], [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440]);
        assert!(lengths[9..].iter().all(|minutes| *minutes == 1_440));
        assert_eq!(bans.punish(SOMEBODY, "flood", now + REMEMBERED), FIRST_BAN, "after a day without one all is forgotten");
    }

    #[test]
    fn a_person_s_longer_ban_is_not_shortened_by_rule() {
        let mut bans = Bans::default();
        bans.ban(SOMEBODY, LONGEST_BAN, "by hand", START);
        assert_eq!(bans.punish(SOMEBODY, "flood", START), LONGEST_BAN);
        let ban = bans.of(&SOMEBODY, START).unwrap();
        assert!(ban.is_by_operator && ban.reason == "by hand");
    }

    #[test]
    fn a_host_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:1"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_eq!(ip("::ffff:10.0.0.1"), ip("10.0.0.1"));
        assert_ne!(ip("10.0.0.1"), ip("10.0.0.2"));
        assert_eq!(SOMEBODY.to_string().parse(), Ok(SOMEBODY));
        assert!("nobody".parse::<Culprit>().unwrap_err().to_string().contains("nobody"));
    }

    #[test]
    fn bans_survive_a_restart_and_a_clock_that_jumped_makes_none_longer() {
        let mut bans = Bans::default();
        bans.punish(SOMEBODY, "flood", Duration::from_secs(100));
        bans.ban(ip("10.0.0.1"), 2 * LONGEST_BAN, "by hand", Duration::from_secs(100));
        let kept = bans.snapshot(Duration::from_secs(160), 1_000_000);
        let mut restored = Bans::default();
        restored.restore(kept.clone(), START, 1_060_000);
        assert_eq!(restored.of(&SOMEBODY, START).unwrap().until, FIRST_BAN - Duration::from_secs(120));
        let mut jumped = Bans::default();
        jumped.restore(kept, START, 0);
        assert_eq!(jumped.of(&SOMEBODY, START).unwrap().until, FIRST_BAN - Duration::from_secs(60) + Duration::from_secs(1_000));
        jumped.restore([KeptBan { culprit: SOMEBODY, until_unix_ms: u64::MAX, times: 1, reason: String::new(), is_by_operator: false }], START, 0);
        assert_eq!(jumped.of(&SOMEBODY, START).unwrap().until, LONGEST_BAN);
    }

    #[test]
    fn the_table_has_an_end_and_keeps_what_a_person_said() {
        let mut bans = Bans::default();
        bans.ban(SOMEBODY, FIRST_BAN, "by hand", START);
        for number in 0..2 * MAX_BANS as u32 {
            bans.punish(Culprit::at(IpAddr::from(number.to_be_bytes())), "flood", START + Duration::from_millis(number.into()));
        }
        assert_eq!(bans.0.len(), MAX_BANS);
        assert!(bans.of(&SOMEBODY, START).is_some());
        assert!(bans.of(&Culprit::at(IpAddr::from((2 * MAX_BANS as u32 - 1).to_be_bytes())), START).is_some());
    }
}
