//! What nodes send each other.

use primitives::{B256, Bytes, Certificate, ConsensusMessage, Height, Standing};

/// One message on a link.
#[derive(Clone, Debug)]
pub enum Packet {
    Consensus(ConsensusMessage),
    /// The parts of a proposed block, in one piece.
    Body {
        body: Bytes,
    },
    /// Whoever has this body should send it.
    WantBody(B256),
    /// Where are you, and what of mine do you hold?
    AskStanding,
    Standing(Box<Standing>),
    /// What is said in the current round?
    AskRound,
    Tip(Height),
    WantBlock(Height),
    Block {
        certificate: Certificate,
        body: Bytes,
    },
}
