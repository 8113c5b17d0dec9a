//! Who is left for what, and who is banned. No I/O; time is what the caller says it is.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use primitives::NodeId;

use super::{
    bans::{Bans, Culprit},
    offence::{LIMIT, Offence},
    score::Fading,
    scores::Scores,
};

/// What one banned node counts for against the address that it came from: the third within a short time bans the address.
const BANNED_NODE: f64 = 40.0;
/// What a handshake counts for that no node makes. A name costs nothing, and these have none.
const NONSENSE_HANDSHAKE: f64 = 2.0;
/// What one counts for that is not done in time. A node that is overloaded and comes again every 7 s shall never be banned for it.
const LATE_HANDSHAKE: f64 = 0.5;
/// Addresses that are remembered for that.
const MAX_ADDRESSES: usize = 4_096;

/// Everything that is known of how peers behave.
#[derive(Clone, Debug, Default)]
pub struct Register {
    pub scores: Scores,
    pub bans: Bans,
    addresses: BTreeMap<Culprit, Fading>,
}

/// A peer that did something wrong.
#[derive(Clone, Copy, Debug)]
pub struct Suspect {
    pub node: NodeId,
    pub ip: Option<IpAddr>,
    /// It has a right to its seat: a configured peer, or a validator of the set.
    pub has_seat: bool,
    /// Somebody with a right to a seat is at the same address, or it is this machine's own: it is never banned.
    pub is_shared: bool,
}

/// How a handshake failed that tells of its maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rudeness {
    /// It was not done in time.
    Late,
    /// No node begins like this.
    Nonsense,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// It was written down.
    Noted,
    /// The session ends.
    Cut,
    /// The session ends, and the node is banned for so long; its address too, perhaps.
    Banned { node: Duration, ip: Option<Duration> },
}

impl Register {
    /// A peer did something wrong.
    pub fn judge(&mut self, suspect: &Suspect, offence: Offence, now: Duration) -> Sentence {
        let score = self.scores.of(suspect.node, now);
        let counts = offence.is_provable() || !suspect.has_seat;
        if !counts {
            score.note(offence);
        }
        let is_too_much = counts && score.offend(offence, now);
        match (is_too_much, suspect.has_seat) {
            (true, false) => self.punish(suspect, offence, now),
            (true, true) => Sentence::Cut,
            (false, _) if offence.ends_session() => Sentence::Cut,
            (false, _) => Sentence::Noted,
        }
    }

    /// Somebody at `ip` failed at a handshake. Says for how long the address is banned, if it is.
    pub fn was_rude(&mut self, ip: IpAddr, rudeness: Rudeness, is_shared: bool, now: Duration) -> Option<Duration> {
        let points = if rudeness == Rudeness::Late { LATE_HANDSHAKE } else { NONSENSE_HANDSHAKE };
        self.blame(ip, is_shared, points, "handshakes that no node makes", now)
    }

    fn punish(&mut self, suspect: &Suspect, offence: Offence, now: Duration) -> Sentence {
        let node = self.bans.punish(Culprit::Node(suspect.node), offence.name(), now);
        let ip = suspect.ip.and_then(|ip| self.blame(ip, suspect.is_shared, BANNED_NODE, "several banned nodes", now));
        Sentence::Banned { node, ip }
    }

    fn blame(&mut self, ip: IpAddr, is_shared: bool, points: f64, reason: &str, now: Duration) -> Option<Duration> {
        if is_shared || ip.to_canonical().is_loopback() {
            return None;
        }
        let culprit = Culprit::at(ip);
        if MAX_ADDRESSES <= self.addresses.len() && !self.addresses.contains_key(&culprit) {
            let least = self.addresses.iter().min_by(|(_, a), (_, b)| a.left(now).total_cmp(&b.left(now))).map(|(least, _)| *least);
            least.map(|least| self.addresses.remove(&least));
        }
        let blame = self.addresses.entry(culprit).or_default();
        if blame.add(points, LIMIT, now) < LIMIT {
            return None;
        }
        self.addresses.remove(&culprit);
        Some(self.bans.punish(culprit, reason, now))
    }
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::{
        super::bans::{FIRST_BAN, LONGEST_BAN},
        *,
    };

    const START: Duration = Duration::ZERO;
    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

    fn stranger(number: u8) -> Suspect {
        Suspect { node: NodeId(Address::repeat_byte(number)), ip: Some(FAR), has_seat: false, is_shared: false }
    }

    fn seated(number: u8) -> Suspect {
        Suspect { has_seat: true, is_shared: true, ..stranger(number) }
    }

    fn is_banned(register: &Register, number: u8) -> bool {
        register.bans.of(&Culprit::Node(stranger(number).node), START).is_some()
    }

    #[test]
    fn a_stranger_is_banned_for_what_nobody_honest_does() {
        let mut register = Register::default();
        assert_eq!(register.judge(&stranger(1), Offence::BadStream, START), Sentence::Cut);
        assert_eq!(register.judge(&stranger(1), Offence::BadStream, START), Sentence::Banned { node: FIRST_BAN, ip: None });
        assert!(is_banned(&register, 1) && !is_banned(&register, 2));
    }

    #[test]
    fn a_validator_is_left_and_never_banned() {
        let mut register = Register::default();
        for _ in 0..1_000 {
            assert_eq!(register.judge(&seated(1), Offence::BadBlock, START), Sentence::Cut);
        }
        assert!(!is_banned(&register, 1));
        assert!(register.bans.list(START).next().is_none());
    }

    #[test]
    fn load_costs_whoever_has_a_seat_nothing() {
        let mut register = Register::default();
        for _ in 0..1_000 {
            assert_eq!(register.judge(&seated(1), Offence::Excess, START), Sentence::Noted);
            assert_eq!(register.judge(&seated(1), Offence::Flood, START), Sentence::Cut);
        }
        let score =
            register.scores.get(&seated(1).node).map(|score| (score.parts(Default::default(), START).offences, score.offences()[&Offence::Flood]));
        assert_eq!(score, Some((0, 1_000)));
    }

    #[test]
    fn a_slow_stranger_is_left_and_banned_only_when_it_stays_slow() {
        let mut register = Register::default();
        let sentences: Vec<_> = (0..40).map(|nth| register.judge(&stranger(1), Offence::Slow, Duration::from_secs(10 * nth))).collect();
        assert!(sentences[..24].iter().all(|sentence| *sentence == Sentence::Cut));
        assert!(sentences[24..].iter().any(|sentence| matches!(sentence, Sentence::Banned { .. })));
        let rare = (0..1_000).map(|nth| register.judge(&stranger(2), Offence::Slow, Duration::from_secs(120 * nth)));
        assert!(rare.into_iter().all(|sentence| sentence == Sentence::Cut));
    }

    #[test]
    fn the_third_banned_node_of_an_address_bans_the_address() {
        let mut register = Register::default();
        let sentences = [1, 2, 3].map(|number| register.judge(&stranger(number), Offence::ForgedProof, START));
        let banned = |ip| Sentence::Banned { node: FIRST_BAN, ip };
        assert_eq!(sentences, [banned(None), banned(None), banned(Some(FIRST_BAN))]);
        assert!(register.bans.of(&Culprit::at(FAR), START).is_some());
    }

    #[test]
    fn an_address_that_others_need_is_never_banned() {
        for (ip, is_shared) in [(FAR, true), (IpAddr::from([127, 0, 0, 1]), false), (IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), false)] {
            let mut register = Register::default();
            for number in 0..100 {
                register.judge(&Suspect { ip: Some(ip), is_shared, ..stranger(number) }, Offence::ForgedProof, START);
                assert_eq!(register.was_rude(ip, Rudeness::Nonsense, is_shared, START), None);
            }
            assert!(register.bans.of(&Culprit::at(ip), START).is_none());
        }
    }

    #[test]
    fn rude_handshakes_ban_an_address_and_those_of_a_slow_node_do_not() {
        let mut register = Register::default();
        assert!((0..49).all(|_| register.was_rude(FAR, Rudeness::Nonsense, false, START).is_none()));
        assert_eq!(register.was_rude(FAR, Rudeness::Nonsense, false, START), Some(FIRST_BAN));
        let mut register = Register::default();
        assert!((0..199).all(|_| register.was_rude(FAR, Rudeness::Late, false, START).is_none()));
        assert_eq!(register.was_rude(FAR, Rudeness::Late, false, START), Some(FIRST_BAN));
        let mut register = Register::default();
        assert!((0..10_000).all(|nth| register.was_rude(FAR, Rudeness::Late, false, Duration::from_secs(7 * nth)).is_none()));
    }

    #[test]
    fn bans_grow_for_whoever_comes_back_and_goes_on() {
        let (mut register, mut now, mut last) = (Register::default(), START, START);
        for _ in 0..20 {
            let Sentence::Banned { node, .. } = register.judge(&Suspect { is_shared: true, ..stranger(1) }, Offence::BadBlock, now) else {
                panic!("not banned")
            };
            assert!(last <= node);
            (last, now) = (node, now + node);
        }
        assert_eq!(last, LONGEST_BAN);
    }
}
