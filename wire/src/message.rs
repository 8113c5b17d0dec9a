//! Everything that nodes say to each other, with the name and the lane of each.

use primitives::{Address, B256, Bytes, ConsensusMessage, Evidence, Height, Proposal, Round, Signed};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AddressRecord, Lane, Outline, ValidatorProof, octets};

/// One row for each message: doc, variant, payload, name on the wire, lane.
macro_rules! messages {
    ($($(#[$doc:meta])* $variant:ident($payload:ty) = $kind:literal in $lane:ident;)*) => {
        /// One message between nodes.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Message {
            $($(#[$doc])* $variant($payload),)*
        }

        impl Message {
            /// Every name a message may have on the wire.
            pub const KINDS: &[&'static str] = &[$($kind),*];

            /// Its name on the wire and in metrics.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// The lane it is written in.
            pub fn lane(&self) -> Lane {
                match self { $(Self::$variant(_) => Lane::$lane,)* }
            }

            pub(crate) fn serialize_payload<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(payload) => payload.serialize(serializer),)* }
            }

            /// The message of that kind; none if there is no such kind.
            pub(crate) fn deserialize_payload<'de, D: Deserializer<'de>>(kind: &str, payload: D) -> Result<Option<Self>, D::Error> {
                match kind {
                    $($kind => <$payload>::deserialize(payload).map(|payload| Some(Self::$variant(payload))),)*
                    _ => Ok(None),
                }
            }
        }
    };
}

messages! {
    /// A vote, a proposal, or a certificate of a polka or a round.
    Consensus(ConsensusMessage) = "consensus" in Votes;
    /// "Where are you, and what of mine do you hold?"
    StandingRequest(StandingRequest) = "standing_request" in Votes;
    /// The answer, from storage and journal.
    Standing(StandingAnswer) = "standing" in Votes;
    /// The sender's tip.
    Status(Status) = "status" in Votes;
    /// "Send me proposal, parts, votes and polka certificates of your current height."
    CurrentRequest(CurrentRequest) = "current_request" in Votes;
    /// Measures round trip and clock.
    Ping(Ping) = "ping" in Votes;
    /// The answer to a ping.
    Pong(Pong) = "pong" in Votes;
    /// Which validator the sender speaks for.
    ValidatorProof(ValidatorProof) = "validator_proof" in Votes;
    /// The last message of a session.
    Goodbye(Goodbye) = "goodbye" in Votes;
    /// A stream of parts begins.
    PartsStart(PartsStart) = "parts_start" in Proposals;
    /// One chunk of such a stream.
    Part(Part) = "part" in Proposals;
    /// "Send me the parts that I lack."
    GetParts(GetParts) = "get_parts" in Proposals;
    /// Transactions for the mempool.
    Transactions(Transactions) = "transactions" in Transactions;
    /// Transactions that the sender can give.
    HaveTransactions(HaveTransactions) = "have_transactions" in Transactions;
    /// "Send me these transactions."
    GetTransactions(GetTransactions) = "get_transactions" in Transactions;
    /// "Send me these decided blocks."
    GetBlocks(GetBlocks) = "get_blocks" in Bulk;
    /// One chunk of a decided block.
    BlockChunk(BlockChunk) = "block_chunk" in Bulk;
    /// Proof that a validator contradicted itself.
    Evidence(Box<Evidence>) = "evidence" in Bulk;
    /// "Whom do you know?"
    GetAddrs(GetAddrs) = "get_addrs" in Bulk;
    /// Where nodes are, in their own words.
    Addrs(Addrs) = "addrs" in Bulk;
}

/// Asks a validator for its standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingRequest {
    /// Comes back in the answer.
    pub nonce: u64,
    /// The validator that asks: its votes are wanted.
    pub validator: Address,
}

/// Answers [`StandingRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingAnswer {
    pub nonce: u64,
    pub standing: primitives::Standing,
}

/// Where the sender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The highest committed height.
    pub height: Height,
    /// Hash of its block.
    pub hash: B256,
}

/// Asks for everything about the receiver's current height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentRequest {
    /// The height the asker works on.
    pub height: Height,
}

/// A ping; one a second on validator links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    pub nonce: u64,
    /// The sender's clock, in milliseconds since the Unix epoch.
    pub sent_ms: u64,
}

/// Answers [`Ping`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    pub nonce: u64,
    /// The clock of the one who answers, in milliseconds since the Unix epoch.
    pub received_ms: u64,
}

/// Announces the parts of a proposed block. Nothing in the stream is signed but the proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartsStart {
    /// Names height, round and value of the stream.
    pub proposal: Signed<Proposal>,
    /// Size and hash of the body that follows in parts.
    pub outline: Outline,
}

/// One chunk of a proposed block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub height: Height,
    pub round: Round,
    /// Hash of the block.
    pub value: B256,
    /// Place in the stream, from 0.
    pub index: u32,
    #[serde(with = "octets")]
    pub bytes: Bytes,
}

/// Asks for the parts of a proposed block that are not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetParts {
    pub height: Height,
    pub round: Round,
    pub value: B256,
    /// Indexes the asker has already.
    pub have: Vec<u32>,
}

/// Transactions in their EIP-2718 form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transactions {
    #[serde(with = "octets::list")]
    pub transactions: Vec<Bytes>,
}

/// Announces transactions that wait at the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaveTransactions {
    pub hashes: Vec<B256>,
}

/// Asks for transactions that were announced. Those that still wait at the receiver come as [`Transactions`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTransactions {
    pub hashes: Vec<B256>,
}

/// Asks for decided blocks. Those that the receiver has come in order; [`Status`] says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBlocks {
    pub from: Height,
    pub count: u32,
}

/// One chunk of a decided block; all together are a `DecidedBlock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockChunk {
    pub height: Height,
    /// Size and hash of the whole, the same in every chunk.
    pub outline: Outline,
    /// Place in the stream, from 0.
    pub index: u32,
    #[serde(with = "octets")]
    pub bytes: Bytes,
}

/// Asks for addresses of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetAddrs {
    /// How many at most; nobody sends more than [`crate::MAX_RECORDS`].
    pub count: u32,
}

/// Addresses of nodes: the sender's own after a session begins, a random few when asked, and news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addrs {
    /// At most [`crate::MAX_RECORDS`].
    pub records: Vec<AddressRecord>,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    pub reason: Farewell,
}

/// Reasons for a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// The sender stops.
    Stopping,
    /// There is another session between the same two nodes, and that one stays.
    Duplicate,
    /// The sender has as many sessions as it takes.
    TooMany,
    /// Too much nonsense came.
    Nonsense,
    /// The receiver of messages at the sender did not keep up; a new session begins with current state.
    Overflow,
    /// Pings were not answered.
    Silent,
    /// The receiver is banned at the sender.
    Banned,
    /// Words of a later version.
    #[serde(other)]
    Other,
}

impl Transactions {
    /// Cuts `transactions` into messages of at most [`primitives::limits::MAX_CHUNK_BYTES`] each. One that is larger by
    /// itself goes alone, for the encoder to refuse if no frame can hold it.
    pub fn cut(transactions: impl IntoIterator<Item = Bytes>) -> Vec<Self> {
        let mut messages: Vec<Self> = Vec::new();
        let mut room = 0;
        for transaction in transactions {
            let bytes = transaction.len() + 5;
            match messages.last_mut() {
                Some(last) if bytes <= room => last.transactions.push(transaction),
                _ => {
                    messages.push(Self { transactions: vec![transaction] });
                    room = primitives::limits::MAX_CHUNK_BYTES;
                }
            }
            room = room.saturating_sub(bytes);
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_name() {
        let names: std::collections::BTreeSet<_> = Message::KINDS.iter().collect();
        assert_eq!(names.len(), Message::KINDS.len());
    }

    #[test]
    fn transactions_are_cut_by_size_and_keep_their_order() {
        let transaction = |byte: u8, length: usize| Bytes::from(vec![byte; length]);
        let lengths = [100, 30 << 10, 30 << 10, 1, 100 << 10, 1];
        let transactions: Vec<Bytes> = lengths.iter().zip(0..).map(|(length, byte)| transaction(byte, *length)).collect();
        let cut = Transactions::cut(transactions.clone());
        assert_eq!(cut.iter().map(|message| message.transactions.len()).collect::<Vec<_>>(), [2, 2, 1, 1]);
        assert_eq!(cut.into_iter().flat_map(|message| message.transactions).collect::<Vec<_>>(), transactions);
    }
}
