//! What may overtake what on a link.

/// The four queues of a link. A lower lane is written only as far as the higher ones leave room in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Consensus, pings, standing: small, and everybody waits for it.
    Votes,
    /// Parts of proposed blocks.
    Proposals,
    /// Gossip of transactions.
    Transactions,
    /// Sync: large, and nobody is harmed when it waits.
    Bulk,
}

impl Lane {
    /// All lanes, the first to be written first.
    pub const ALL: [Self; 4] = [Self::Votes, Self::Proposals, Self::Transactions, Self::Bulk];

    /// The word for it in metrics and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Proposals => "proposals",
            Self::Transactions => "transactions",
            Self::Bulk => "bulk",
        }
    }
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
