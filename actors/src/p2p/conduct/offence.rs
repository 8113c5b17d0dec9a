//! What a peer can do wrong, and what it costs.

use wire::Farewell;

/// Points at which a peer is left, and a stranger among them banned.
pub const LIMIT: f64 = 100.0;

/// One row for each offence: doc, variant, name in metrics, points, whether only a dishonest node does it, whether it ends the session at once.
macro_rules! offences {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $points:literal points, provable: $provable:literal, ends: $ends:literal;)*) => {
        /// Something that a peer should not have done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Offence {
            $($(#[$doc])* $variant,)*
        }

        impl Offence {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it in metrics, logs and `/v1/peers`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it costs, of [`LIMIT`].
            pub const fn points(self) -> f64 {
                match self { $(Self::$variant => $points,)* }
            }

            /// Whether no honest node does it, however busy it is or late. Everything else is load, for which nobody with a right to
            /// a seat pays.
            pub const fn is_provable(self) -> bool {
                match self { $(Self::$variant => $provable,)* }
            }

            /// Whether the session ends at once, whoever the peer is.
            pub const fn ends_session(self) -> bool {
                match self { $(Self::$variant => $ends,)* }
            }
        }
    };
}

offences! {
    /// A frame that cannot be read. The 16th in a row is one too many.
    Malformed = "malformed", 6.5 points, provable: true, ends: false;
    /// The WebSocket protocol or the framing is broken, and nothing after it can be read.
    Broken = "broken_link", 60.0 points, provable: true, ends: true;
    /// A proof for a validator that does not hold for this node.
    ForgedProof = "forged_proof", 100.0 points, provable: true, ends: true;
    /// Evidence that proves nothing.
    ForgedEvidence = "forged_evidence", 100.0 points, provable: true, ends: true;
    /// A stream of parts that does not hash to its value, has parts outside of it, or begins with a proposal that nobody signed.
    BadStream = "bad_stream", 50.0 points, provable: true, ends: true;
    /// A decided block that does not hash to its certificate, or whose certificate does not hold.
    BadBlock = "bad_block", 100.0 points, provable: true, ends: true;
    /// A vote, proposal or certificate with a signature that does not hold. Honest nodes pass on only what they have verified.
    BadSignature = "bad_signature", 20.0 points, provable: true, ends: false;
    /// A transaction that is none in any state: honest nodes check before they pass on.
    BadTransaction = "bad_transaction", 2.0 points, provable: true, ends: false;
    /// More streams, or more blocks for a round, than are taken. A dishonest proposer makes honest nodes pass them on.
    Excess = "excess", 1.0 points, provable: false, ends: false;
    /// Far more messages or bytes than anybody honest says.
    Flood = "flood", 40.0 points, provable: false, ends: true;
    /// It took nothing of what is said to it for as long as one flush may take.
    Slow = "slow", 4.0 points, provable: false, ends: true;
}

impl Offence {
    /// What the peer is told when its session ends for this.
    pub const fn farewell(self) -> Farewell {
        if self.is_provable() { Farewell::Nonsense } else { Farewell::Overflow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offence_has_its_own_name_and_costs_something() {
        let names: std::collections::BTreeSet<_> = Offence::ALL.iter().map(|offence| offence.name()).collect();
        assert_eq!(names.len(), Offence::ALL.len());
        assert!(Offence::ALL.iter().all(|offence| (1.0..=LIMIT).contains(&offence.points())));
    }

    #[test]
    fn what_honest_nodes_may_get_into_is_forgiven_several_times() {
        let forgivable = Offence::ALL.iter().filter(|offence| !offence.is_provable());
        assert!(forgivable.into_iter().all(|offence| offence.points() * 2.0 < LIMIT));
    }
}
