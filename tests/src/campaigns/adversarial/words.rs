//! Attacks by a peer with an identity, in good frames: what it says is forged, worthless, or too much.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::Result;
use primitives::{Address, B256, Bytes, ConsensusMessage, Height, Proposal, Round, SecretKey, Signed, Vote, VoteKind};
use tokio::time::timeout;
use wire::{
    BlockChunk, CurrentRequest, GetBlocks, GetParts, Message, Outline, Part, PartsStart, Ping, StandingRequest, Status, Transactions, ValidatorProof,
};

use super::attack::Trace;
use crate::stranger::{Ear, Polite, STEP_LIMIT, Target, fresh_key};

/// Of a flood for which nobody is left.
const FLOOD: Duration = Duration::from_secs(3);
/// What every validator of a development network is known by.
const KNOWN_VALIDATOR: u32 = 1;
const CHUNK: usize = 32 << 10;

fn deaf() -> Ear {
    Arc::new(|_| {})
}

async fn peer(target: &Target) -> Result<(Polite, SecretKey)> {
    let key = fresh_key();
    Ok((Polite::connect(target, &key, deaf()).await?, key))
}

fn known_validator() -> Address {
    node::development::validator_key(KNOWN_VALIDATOR).address()
}

/// A vote in the name of a validator, signed by somebody else.
fn forged_vote(target: &Target, key: &SecretKey, validator: Address, height: u64, number: u64) -> Message {
    let value = Some(B256::left_padding_from(&number.to_be_bytes()));
    let vote = Vote { kind: VoteKind::Prevote, height: Height(height), round: Round(number as u32 % 4), value, validator };
    Message::Consensus(ConsensusMessage::Vote(Signed::new(vote, key, &target.domain)))
}

/// Waits for the tip that the victim tells a new peer.
async fn tip_of_victim(target: &Target) -> Result<u64> {
    let (told, mut tell) = tokio::sync::watch::channel(None);
    let ear: Ear = Arc::new(move |message| {
        if let Message::Status(status) = message {
            told.send_replace(Some(status.height.0));
        }
    });
    // From elsewhere: who asks has nothing to do with the attack.
    let peer = Polite::connect_from(target, &fresh_key(), Ipv4Addr::LOCALHOST, ear).await?;
    let tip = timeout(STEP_LIMIT, tell.wait_for(Option::is_some)).await??.unwrap_or_default();
    peer.leave();
    Ok(tip)
}

pub async fn forged_validator(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    let mut proof = ValidatorProof::new(&key, &target.domain, peer.node);
    proof.validator = node::development::validator_key(KNOWN_VALIDATOR).public_key();
    peer.say(Message::ValidatorProof(proof))?;
    peer.until_cut(STEP_LIMIT).await?;
    Ok(Trace::of(&key))
}

/// A stream of parts whose proposal nobody signed.
pub async fn forged_parts(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    let mut height = tip_of_victim(&target).await?;
    let content = Bytes::from(vec![5; 100]);
    while !peer.is_over() {
        // The chain goes on; one of these is the height at hand.
        height += 1;
        let proposer = known_validator();
        let proposal = Proposal { height: Height(height), round: Round(0), value: B256::repeat_byte(5), pol_round: None, proposer };
        let proposal = Signed::new(proposal, &key, &target.domain);
        let start = Message::PartsStart(PartsStart { proposal, outline: Outline::of(&content) });
        if peer.say(start).is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        if height % 200 == 0 {
            height = tip_of_victim(&target).await?;
        }
    }
    peer.until_cut(STEP_LIMIT).await?;
    Ok(Trace::of(&key))
}

/// A stream of the right proposer, whose key leaked, with a part where the stream has none.
pub async fn wrong_part_index(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    let started = std::time::Instant::now();
    while !peer.is_over() && started.elapsed() < STEP_LIMIT {
        let height = Height(tip_of_victim(&target).await? + 2);
        let proposer = target.validators.proposer(height, Round(0)).address;
        let keys = (0..node::development::MAX_VALIDATORS as u32).map(node::development::validator_key);
        let Some(leaked) = keys.into_iter().find(|key| key.address() == proposer) else { anyhow::bail!("{proposer} has no development key") };
        let value = B256::new(rand::random());
        let proposal = Signed::new(Proposal { height, round: Round(0), value, pol_round: None, proposer }, &leaked, &target.domain);
        let outline = Outline { total_bytes: 1_000, hash: B256::ZERO };
        // Errors say that the session is over.
        let _ = peer.say(Message::PartsStart(PartsStart { proposal, outline }));
        let _ = peer.say(Message::Part(Part { height, round: Round(0), value, index: 9, bytes: Bytes::from_static(b"x") }));
    }
    peer.until_cut(STEP_LIMIT).await?;
    Ok(Trace::of(&key))
}

/// Votes of each height at hand in the names of validators, as fast as they are taken.
pub async fn bad_signatures(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    let tip = tip_of_victim(&target).await?;
    peer.floods(STEP_LIMIT, |number| forged_vote(&target, &key, known_validator(), tip + number % 32, number)).await;
    peer.until_cut(STEP_LIMIT).await?;
    Ok(Trace::of(&key))
}

pub async fn far_heights(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    peer.floods(STEP_LIMIT, |number| forged_vote(&target, &key, known_validator(), u64::MAX - number, number)).await;
    peer.until_cut(STEP_LIMIT).await?;
    Ok(Trace::of(&key))
}

/// Two different votes for everything, by somebody who has none.
pub async fn outsider_equivocates(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    let tip = tip_of_victim(&target).await?;
    for number in 0..40 {
        peer.say(forged_vote(&target, &key, key.address(), tip + number / 2, number))?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    peer.leave();
    Ok(Trace::of(&key))
}

pub async fn standing_flood(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    peer.floods(STEP_LIMIT, |nonce| Message::StandingRequest(StandingRequest { nonce, validator: known_validator() })).await;
    peer.until_cut(STEP_LIMIT).await?;
    Ok(Trace::of(&key))
}

pub async fn current_flood(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    peer.floods(STEP_LIMIT, |number| Message::CurrentRequest(CurrentRequest { height: Height(number) })).await;
    peer.until_cut(STEP_LIMIT).await?;
    Ok(Trace::of(&key))
}

pub async fn status_flood(target: Target) -> Result<Trace> {
    flood(&target, |number| Message::Status(Status { height: Height(number), hash: B256::ZERO })).await
}

pub async fn ping_flood(target: Target) -> Result<Trace> {
    flood(&target, |nonce| Message::Ping(Ping { nonce, sent_ms: nonce })).await
}

pub async fn get_parts_flood(target: Target) -> Result<Trace> {
    let have: Vec<u32> = (0..1_000).collect();
    flood(&target, |number| Message::GetParts(GetParts { height: Height(number), round: Round(0), value: B256::ZERO, have: have.clone() })).await
}

pub async fn get_blocks_flood(target: Target) -> Result<Trace> {
    flood(&target, |number| Message::GetBlocks(GetBlocks { from: Height(number % 64), count: u32::MAX })).await
}

pub async fn block_chunk_flood(target: Target) -> Result<Trace> {
    let bytes = Bytes::from(vec![9; CHUNK]);
    let outline = Outline { total_bytes: 16 << 20, hash: B256::ZERO };
    flood(&target, |number| Message::BlockChunk(BlockChunk { height: Height(number), outline, index: 0, bytes: bytes.clone() })).await
}

/// Things that are no transactions, and one transaction type that does not exist.
pub async fn transactions_flood(target: Target) -> Result<Trace> {
    let rubbish = |number: u64| Bytes::from([&[2, 0xf8][..], &number.to_be_bytes()[..], &[7; 200][..]].concat());
    flood(&target, |number| Message::Transactions(Transactions { transactions: (0..16).map(|part| rubbish(16 * number + part)).collect() })).await
}

/// What nobody need be left for at once; a node that has more patience than this may as well cut it.
async fn flood(target: &Target, next: impl FnMut(u64) -> Message) -> Result<Trace> {
    let (peer, key) = peer(target).await?;
    peer.floods(FLOOD, next).await;
    peer.leave();
    Ok(Trace::of(&key))
}

/// A stranger far ahead of everybody. Nobody lags because of it.
pub async fn absurd_height(target: Target) -> Result<Trace> {
    let (peer, key) = peer(&target).await?;
    peer.say(Message::Status(Status { height: Height(u64::MAX - 1), hash: B256::ZERO }))?;
    tokio::time::sleep(FLOOD).await;
    peer.leave();
    Ok(Trace::of(&key))
}

/// The second session of one key ends the first.
pub async fn same_key_twice(target: Target) -> Result<Trace> {
    let key = fresh_key();
    let first = Polite::connect(&target, &key, deaf()).await?;
    let second = Polite::connect(&target, &key, deaf()).await?;
    first.until_cut(STEP_LIMIT).await?;
    anyhow::ensure!(!second.is_over(), "both sessions of one key are over");
    second.leave();
    Ok(Trace::of(&key))
}
