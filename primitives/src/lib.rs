//! The vocabulary of Axolotl: values that every part agrees on, and the seams through which the outside reaches them.
//!
//! Nothing here runs, waits or opens anything by itself. What comes from outside (a genesis file, a certificate, a block)
//! is parsed once into a type that cannot be wrong and is never checked again.

mod block;
mod certificate;
mod clock;
mod disk;
mod domain;
mod evidence;
pub mod genesis;
mod height;
mod keys;
pub mod light;
pub mod limits;
mod lossy;
mod message;
mod metadata;
mod peer;
mod validators;
mod vote;

pub use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
pub use block::{Block, Body, Header, MalformedBody, RecoveredTransaction, Transaction, block_hash};
pub use certificate::{Certificate, CertificateError, CommitSignature};
pub use clock::{Clock, ManualClock, SystemClock};
pub use disk::{Disk, DiskFile, Filesystem};
pub use domain::Domain;
pub use evidence::{Evidence, EvidenceError, Offence};
pub use genesis::Genesis;
pub use height::{Height, Round};
pub use keys::{MalformedKey, PublicKey, SecretKey, Signature};
pub use lossy::{LossyDisk, Survival};
pub use message::{ConsensusMessage, PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundVote, Standing};
pub use metadata::{MalformedMetadata, Metadata};
pub use peer::{MalformedPeer, NodeId, PeerAddress};
pub use validators::{Validator, ValidatorSet, ValidatorSetError};
pub use vote::{Proposal, Signable, Signed, Vote, VoteKind};
