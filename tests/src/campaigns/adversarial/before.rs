//! Attacks on the door, by those who never become a peer.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;
use primitives::{B256, Domain};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;
use wire::Codec;

use super::attack::Trace;
use crate::stranger::{Hello, Raw, STEP_LIMIT, Target, fresh_key};

/// For TLS and for the hello the victim waits 5 s each.
const LATE_LIMIT: Duration = Duration::from_secs(40);
/// Between two bytes of somebody slow.
const SLOWLY: Duration = Duration::from_millis(300);
/// Slow connections of one attack, from as many IP addresses as it takes to stay below the bound of each.
const SLOW_ONES: usize = 96;
const SLOW_ONES_PER_IP: usize = 32;
/// More than one IP address may have.
const CROWD: usize = 200;
const FAILED: &str = "handshake failed";

pub async fn garbage(target: Target) -> Result<Trace> {
    let mut random = StdRng::seed_from_u64(1);
    let mut bytes = [0; 16 << 10];
    random.fill_bytes(&mut bytes);
    let raw = Raw::tcp(&target).await?;
    raw.pours(STEP_LIMIT, || bytes.to_vec()).await?;
    Ok(Trace::said("TLS failed"))
}

/// A TLS record that begins well and is larger than a stranger's may be, byte after byte as fast as it goes.
pub async fn endless_client_hello(target: Target) -> Result<Trace> {
    let mut raw = Raw::tcp(&target).await?;
    // A handshake record of 16 KiB, with a client hello of 16 MiB.
    raw.say(&[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]).await?;
    raw.pours(STEP_LIMIT, || vec![0; 512]).await?;
    Ok(Trace::said("before TLS was done"))
}

pub async fn garbage_for_a_hello(target: Target) -> Result<Trace> {
    let mut raw = Raw::tls(&target).await?;
    raw.say(&[b'x'; 400]).await?;
    raw.until_cut(STEP_LIMIT).await?;
    Ok(Trace::said("the hello cannot be read"))
}

pub async fn wrong_chain(target: Target) -> Result<Trace> {
    let domain = Domain { chain_id: target.domain.chain_id + 1, ..target.domain };
    says_hello(&target, |hello| hello.domain = domain).await?;
    Ok(Trace::said(format!("the peer is on chain {}", domain.chain_id)))
}

pub async fn wrong_genesis(target: Target) -> Result<Trace> {
    let genesis_hash = B256::repeat_byte(0x66);
    says_hello(&target, |hello| hello.domain.genesis_hash = genesis_hash).await?;
    Ok(Trace::said(format!("the peer's genesis is {genesis_hash}")))
}

/// Somebody who says the role of the acceptor, as an echo of the victim would.
pub async fn reflected(target: Target) -> Result<Trace> {
    says_hello(&target, |hello| hello.role = 2).await?;
    Ok(Trace::said("our own side of the handshake"))
}

/// Somebody who claims to be the victim.
pub async fn own_identity(target: Target) -> Result<Trace> {
    let node = target.node;
    says_hello(&target, |hello| hello.key = node).await?;
    // What the victim's look at its own door says is what it hears here: nothing to be said about.
    Ok(Trace::said(""))
}

async fn says_hello(target: &Target, bend: impl FnOnce(&mut Hello)) -> Result<()> {
    let mut raw = Raw::tls(target).await?;
    let mut hello = Hello::of(target.domain, fresh_key().public_key());
    bend(&mut hello);
    raw.say(&hello.encode()).await?;
    raw.until_cut(STEP_LIMIT).await
}

/// A handshake that was good once, byte by byte again.
pub async fn replayed(target: Target) -> Result<Trace> {
    let key = fresh_key();
    let mut first = Raw::tls(&target).await?;
    let hello = Hello::of(target.domain, key.public_key());
    first.say(&hello.encode()).await?;
    let theirs = first.hello(&target).await?;
    let proof = hello.prove(&theirs, &first.exporter, &key).await;
    first.say(&proof).await?;
    first.read::<1>().await?;
    let mut second = Raw::tls(&target).await?;
    second.say(&hello.encode()).await?;
    second.hello(&target).await?;
    second.say(&proof).await?;
    second.until_cut(STEP_LIMIT).await?;
    Ok(Trace::said(format!("claims to be node {}", key.address())))
}

/// The victim's own proof, sent back to it.
pub async fn mirrored_proof(target: Target) -> Result<Trace> {
    let key = fresh_key();
    let mut raw = Raw::tls(&target).await?;
    let hello = Hello::of(target.domain, key.public_key());
    raw.say(&hello.encode()).await?;
    let theirs = raw.hello(&target).await?;
    // It signs what the victim signs, with the only key it has.
    let proof = theirs.prove(&hello, &raw.exporter, &key).await;
    raw.say(&proof).await?;
    raw.until_cut(STEP_LIMIT).await?;
    Ok(Trace::said(format!("claims to be node {}", key.address())))
}

pub async fn no_upgrade(target: Target) -> Result<Trace> {
    let mut raw = Raw::proved(&target, &fresh_key()).await?;
    raw.say(b"BREW /pot HTTP/1.1\r\n\r\n").await?;
    raw.until_cut(STEP_LIMIT).await?;
    Ok(Trace::said("the WebSocket upgrade failed"))
}

pub async fn endless_upgrade(target: Target) -> Result<Trace> {
    let mut raw = Raw::proved(&target, &fresh_key()).await?;
    raw.say(b"GET / HTTP/1.1\r\n").await?;
    raw.pours(STEP_LIMIT, || b"X-More: and more\r\n".repeat(20)).await?;
    Ok(Trace::said(FAILED))
}

/// Where somebody slow becomes slow.
#[derive(Clone, Copy)]
enum Slow {
    Tcp,
    Tls,
    Hello,
    Upgrade,
}

/// Many who are slow at each stage of a handshake, at the same time.
pub async fn slowloris(target: Target) -> Result<Trace> {
    let mut slow = JoinSet::new();
    for index in 0..SLOW_ONES {
        let stage = [Slow::Tcp, Slow::Tls, Slow::Hello, Slow::Upgrade][index % 4];
        let last = 100 + (index / SLOW_ONES_PER_IP) as u8;
        let target = Target { from: Ipv4Addr::new(127, 9, 9, last), ..target.clone() };
        slow.spawn(async move { dawdles(&target, stage).await });
    }
    while let Some(done) = slow.join_next().await {
        done??;
    }
    Ok(Trace::said("was not done within"))
}

async fn dawdles(target: &Target, stage: Slow) -> Result<()> {
    let key = fresh_key();
    let (mut raw, bytes) = match stage {
        Slow::Tcp => (Raw::tcp(target).await?, Vec::new()),
        Slow::Tls => (Raw::tcp(target).await?, [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0; 500]].concat()),
        Slow::Hello => (Raw::tls(target).await?, Hello::of(target.domain, key.public_key()).encode()),
        Slow::Upgrade => (Raw::proved(target, &key).await?, b"GET / HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket".to_vec()),
    };
    let dripping = tokio::time::timeout(LATE_LIMIT, raw.drip(&bytes, SLOWLY)).await;
    anyhow::ensure!(dripping.is_ok(), "the victim took single bytes for {LATE_LIMIT:?}");
    raw.until_cut(LATE_LIMIT).await
}

/// More connections from one IP address than it may have.
pub async fn connections(target: Target) -> Result<Trace> {
    let mut open = Vec::new();
    for _ in 0..CROWD {
        open.push(Raw::tcp(&target).await?);
    }
    for raw in open {
        raw.until_cut(LATE_LIMIT).await?;
    }
    Ok(Trace::said("too many"))
}

/// Permessage-deflate is offered and not taken, and a frame that says it is compressed ends the session.
pub async fn compression_bomb(target: Target) -> Result<Trace> {
    let key = fresh_key();
    let (raw, head) = Raw::session(&target, &key, Codec::Msgpack, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await?;
    anyhow::ensure!(!head.to_lowercase().contains("sec-websocket-extensions"), "the victim takes an extension: {head}");
    // Final, compressed, binary.
    let bomb = crate::stranger::frame(0x80 | 0x40 | 2, 1_000, &[0; 1_000]);
    raw.pours(STEP_LIMIT, || bomb.clone()).await?;
    Ok(Trace::of(&key))
}
