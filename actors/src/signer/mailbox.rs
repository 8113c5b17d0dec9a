//! How consensus talks to the signer.

use consensus::host::Batch;
use primitives::{ConsensusMessage, Height};
use supervision::{Incarnation, Lane, MailboxLimits};

/// One lane for all that consensus says: its order carries meaning.
const LIMITS: MailboxLimits = MailboxLimits { urgent: 16, normal: 256, bulk: 16 };

pub(super) enum Message {
    TakeOver(Incarnation),
    Open(Incarnation, Height),
    MakeJournal(Incarnation, Height),
    Release(Incarnation, Box<Batch>),
    Judge { life: Incarnation, tip: Height, highest_tip: Height, claims: Vec<ConsensusMessage> },
    Initialise(Incarnation, Height),
    Committed(Height),
    Recall,
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::TakeOver(_) => "TakeOver",
            Self::Open(..) => "Open",
            Self::MakeJournal(..) => "MakeJournal",
            Self::Release(..) => "Release",
            Self::Judge { .. } => "Judge",
            Self::Initialise(..) => "Initialise",
            Self::Committed(_) => "Committed",
            Self::Recall => "Recall",
        }
    }

    fn lane(&self) -> Lane {
        Lane::Normal
    }
}

/// The signer, seen from consensus. Each method says whether there was room.
#[derive(Clone, Debug)]
pub struct SignerMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl SignerMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("signer", LIMITS) }
    }

    /// Consensus speaks as `incarnation` from now on.
    pub fn take_over(&self, incarnation: Incarnation) -> bool {
        self.say(Message::TakeOver(incarnation))
    }

    /// `height` begins; the one before it is committed.
    pub fn open(&self, incarnation: Incarnation, height: Height) -> bool {
        self.say(Message::Open(incarnation, height))
    }

    /// Journal and promise of `height` are wanted soon.
    pub fn make_journal(&self, incarnation: Incarnation, height: Height) -> bool {
        self.say(Message::MakeJournal(incarnation, height))
    }

    /// Makes a batch durable and lets its messages leave.
    pub fn release(&self, incarnation: Incarnation, batch: Batch) -> bool {
        self.say(Message::Release(incarnation, Box::new(batch)))
    }

    /// What may our key do? `claims` are messages of ours above `tip` that others hold.
    pub fn judge(&self, life: Incarnation, tip: Height, highest_tip: Height, claims: Vec<ConsensusMessage>) -> bool {
        self.say(Message::Judge { life, tip, highest_tip, claims })
    }

    /// The key has no record and signs above this height from now on.
    pub fn initialise(&self, life: Incarnation, above: Height) -> bool {
        self.say(Message::Initialise(life, above))
    }

    pub fn committed(&self, height: Height) -> bool {
        self.say(Message::Committed(height))
    }

    /// The keeper of proposals has lost its book.
    pub fn recall(&self) -> bool {
        self.say(Message::Recall)
    }

    fn say(&self, message: Message) -> bool {
        self.address.try_send(message).is_ok()
    }
}

impl Default for SignerMailbox {
    fn default() -> Self {
        Self::new()
    }
}
