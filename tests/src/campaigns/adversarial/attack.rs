//! The attacks, by name.

use std::pin::Pin;

use anyhow::Result;
use primitives::SecretKey;

use super::{before, frames, words};
use crate::{stranger::Target, validator::Metrics};
use Counted::{Handshake, Message, Misconduct};

pub type Running = Pin<Box<dyn Future<Output = Result<Trace>> + Send>>;

/// How an attacker is named in the victim's log.
pub struct Trace(pub String);

impl Trace {
    pub fn said(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// By the node id that goes with `key`.
    pub fn of(key: &SecretKey) -> Self {
        Self(key.address().to_string())
    }
}

/// One attack. It is over when the attacker was cut, or has done its worst where nobody is cut for it.
#[derive(Clone, Copy)]
pub struct Attack {
    pub name: &'static str,
    pub counted: Counted,
    pub run: fn(Target) -> Running,
}

/// Where the victim counts an attack.
#[derive(Clone, Copy, Debug)]
pub enum Counted {
    /// Among handshakes with this result.
    Handshake(&'static str),
    /// Among what is held against peers, or was not taken from them.
    Misconduct,
    /// Among messages of this kind, where nothing is held against anybody.
    Message(&'static str),
}

impl Counted {
    pub fn of(self, metrics: &Metrics) -> f64 {
        match self {
            Self::Handshake(result) => metrics.of("p2p_handshake_seconds_count", &format!("result=\"{result}\"")),
            Self::Misconduct => MISCONDUCT.into_iter().map(|name| metrics.sum(name)).sum(),
            Self::Message(kind) => metrics.of("p2p_messages_total", &format!("kind=\"{kind}\"")),
        }
    }
}

const MISCONDUCT: [&str; 4] = ["p2p_dropped_total", "p2p_offences_total", "p2p_evictions_total", "p2p_signature_failures_total"];

macro_rules! attacks {
    ($($name:literal, $counted:expr, $run:path;)*) => {
        /// All of them, in the order in which they are run.
        pub const ATTACKS: &[Attack] = &[$(Attack { name: $name, counted: $counted, run: |target| Box::pin($run(target)) }),*];
    };
}

attacks! {
    "garbage", Handshake("io"), before::garbage;
    "endless-client-hello", Handshake("too_many_bytes"), before::endless_client_hello;
    "garbage-hello", Handshake("malformed"), before::garbage_for_a_hello;
    "wrong-chain", Handshake("wrong_chain"), before::wrong_chain;
    "wrong-genesis", Handshake("wrong_genesis"), before::wrong_genesis;
    "reflected", Handshake("reflected"), before::reflected;
    "mirrored-proof", Handshake("forged"), before::mirrored_proof;
    "replayed", Handshake("forged"), before::replayed;
    "own-identity", Handshake("self"), before::own_identity;
    "no-upgrade", Handshake("upgrade"), before::no_upgrade;
    "endless-upgrade", Handshake("upgrade"), before::endless_upgrade;
    "compression-bomb", Misconduct, before::compression_bomb;
    "oversize-frame", Misconduct, frames::oversize;
    "endless-continuation", Misconduct, frames::endless_continuation;
    "empty-continuation", Handshake("ok"), frames::empty_continuation;
    "endless-line", Misconduct, frames::endless_line;
    "nested-msgpack", Misconduct, frames::nested_msgpack;
    "nested-json", Misconduct, frames::nested_json;
    "never-reads", Message("get_blocks"), frames::never_reads;
    "forged-validator", Misconduct, words::forged_validator;
    "forged-parts", Message("parts_start"), words::forged_parts;
    "wrong-part-index", Message("part"), words::wrong_part_index;
    "bad-signatures", Misconduct, words::bad_signatures;
    "far-heights", Misconduct, words::far_heights;
    "outsider-equivocates", Message("consensus"), words::outsider_equivocates;
    "standing-flood", Misconduct, words::standing_flood;
    "current-flood", Misconduct, words::current_flood;
    "status-flood", Message("status"), words::status_flood;
    "ping-flood", Message("ping"), words::ping_flood;
    "get-parts-flood", Message("get_parts"), words::get_parts_flood;
    "get-blocks-flood", Message("get_blocks"), words::get_blocks_flood;
    "block-chunk-flood", Message("block_chunk"), words::block_chunk_flood;
    "transactions-flood", Message("transactions"), words::transactions_flood;
    "absurd-height", Message("status"), words::absurd_height;
    "same-key-twice", Handshake("ok"), words::same_key_twice;
    "connections", Misconduct, before::connections;
    "slowloris", Handshake("late"), before::slowloris;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attack_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = ATTACKS.iter().map(|attack| attack.name).collect();
        assert_eq!(names.len(), ATTACKS.len());
    }
}
