//! Both sides of the handshake, over pipes in memory that damage what goes through. Whoever is let in has proved who it is.

use std::time::Duration;

use primitives::{B256, Domain, NodeId, SecretKey};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};
use wire::{Codec, HandshakeError, Identity, Limits, Side, introduce};

use super::{bend::bend, seeds::Seeds};

const DOMAIN: Domain = Domain { chain_id: super::CHAIN, genesis_hash: B256::repeat_byte(9) };
const EXPORTER: [u8; 32] = [7; 32];
/// Where bytes were taken away both sides may wait for more.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a handshake that is broken off may take at most: its own limits, and a busy machine.
const END: Duration = Duration::from_secs(20);
const MAX_BITS: u8 = 4;
const PIPE_BYTES: usize = 16 << 10;
/// Of a hundred cases, those where a stranger speaks to one side.
const STRANGERS: u32 = 40;

type Verdict = Option<Result<NodeId, HandshakeError>>;

/// Hellos and proofs.
pub async fn introduction(seeds: &Seeds, random: &mut StdRng) -> Result<(), String> {
    let (dialler, acceptor, limits) = (identity(1)?, identity(2)?, limits());
    let bits = random.random_range(0..=MAX_BITS);
    let demand = move |_: NodeId| bits;
    if random.random_ratio(STRANGERS, 100) {
        return stranger(seeds, &dialler, &limits, random).await;
    }
    let (is_damaged, [near, far], relays) = pipe(random);
    let dial = side(near, &dialler, Side::Dialler(None), &limits);
    let accept = side(far, &acceptor, Side::Acceptor(&demand), &limits);
    let (dialled, accepted) = tokio::join!(dial, accept);
    relays.iter().for_each(|relay| relay.abort());
    judge(is_damaged, (&dialled, acceptor.node()), (&accepted, dialler.node()))
}

/// TLS, hellos, proofs and the WebSocket upgrade.
pub async fn whole(random: &mut StdRng) -> Result<(), String> {
    let (dialler, acceptor, limits) = (identity(1)?, identity(2)?, limits());
    let (is_damaged, [near, far], relays) = pipe(random);
    let both = async {
        let dial = async { wire::dial(near, &dialler, None, &limits).await.map(|connection| connection.peer) };
        let accept = async { wire::accept(far, &acceptor, &limits).await.map(|connection| connection.peer) };
        tokio::join!(dial, accept)
    };
    let ended = timeout(END, both).await;
    relays.iter().for_each(|relay| relay.abort());
    let (dialled, accepted) = ended.map_err(|_| format!("no end after {END:?}"))?;
    // The other side may have hung up on a peer that had got in; undamaged, both are in.
    judge(is_damaged, (&Some(dialled), acceptor.node()), (&Some(accepted), dialler.node()))
}

/// Recorded words, damaged or not, say nothing on another connection.
async fn stranger(seeds: &Seeds, identity: &Identity, limits: &Limits, random: &mut StdRng) -> Result<(), String> {
    let (near, mut far) = duplex(PIPE_BYTES);
    let mut words = [&seeds.hello[..], &seeds.proof[..]].concat();
    if random.random() {
        bend(&mut words, &seeds.hello, random);
    }
    let demand = |_: NodeId| 0;
    let part = if random.random() { Side::Dialler(None) } else { Side::Acceptor(&demand) };
    let speaking = async {
        let _ = far.write_all(&words).await;
        let _ = far.shutdown().await;
        let _ = timeout(PATIENCE, far.read_to_end(&mut Vec::new())).await;
    };
    match tokio::join!(side(near, identity, part, limits), speaking).0 {
        Some(Ok(node)) => Err(format!("{part:?} took a stranger for {node} after {}", hex::encode(&words))),
        Some(Err(_)) | None => Ok(()),
    }
}

async fn side(mut stream: DuplexStream, identity: &Identity, side: Side<'_>, limits: &Limits) -> Verdict {
    let introduction = introduce(&mut stream, &EXPORTER, identity, side, limits);
    timeout(PATIENCE.max(if cfg!(debug_assertions) { Duration::from_millis(200) } else { PATIENCE }), introduction)
        .await
        .ok()
        .map(|done| done.map(NodeId::from))
}

/// Whoever is let in is the one that is there. Without damage, and unless the machine was too slow, both are.
fn judge(is_damaged: bool, dialled: (&Verdict, NodeId), accepted: (&Verdict, NodeId)) -> Result<(), String> {
    for (name, (verdict, other)) in [("the dialler", dialled), ("the acceptor", accepted)] {
        match verdict {
            Some(Ok(node)) if *node != other => return Err(format!("{name} took {other} for {node}")),
            Some(Err(error)) if !is_damaged && !is_about_time(error) => return Err(format!("{name} refused good bytes: {error}")),
            _ => {}
        }
    }
    Ok(())
}

/// What a slow machine does to good bytes, on this side or on the other.
fn is_about_time(error: &HandshakeError) -> bool {
    matches!(error, HandshakeError::Late { .. } | HandshakeError::Closed { .. })
}

/// Two ends, and whether what goes between them is damaged.
fn pipe(random: &mut StdRng) -> (bool, [DuplexStream; 2], [tokio::task::JoinHandle<()>; 2]) {
    let ((near, middle_near), (middle_far, far)) = (duplex(PIPE_BYTES), duplex(PIPE_BYTES));
    let ((near_read, near_write), (far_read, far_write)) = (tokio::io::split(middle_near), tokio::io::split(middle_far));
    let damage: [bool; 2] = [random.random(), random.random_ratio(1, 4)];
    let forth = tokio::spawn(relay(near_read, far_write, damage[0].then(|| StdRng::from_rng(random))));
    let back = tokio::spawn(relay(far_read, near_write, damage[1].then(|| StdRng::from_rng(random))));
    (damage.contains(&true), [near, far], [forth, back])
}

/// Passes bytes on, and damages one of the first few turns.
async fn relay(mut from: tokio::io::ReadHalf<DuplexStream>, mut to: tokio::io::WriteHalf<DuplexStream>, mut random: Option<StdRng>) {
    let mut turns: u32 = random.as_mut().map_or(0, |random| random.random_range(0..3));
    let mut buffer = vec![0; PIPE_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut words = buffer[..count].to_vec();
        if turns == 0
            && let Some(mut random) = random.take()
        {
            bend(&mut words, &buffer[..count], &mut random);
        }
        turns = turns.saturating_sub(1);
        if to.write_all(&words).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

fn identity(byte: u8) -> Result<Identity, String> {
    let key = SecretKey::from_bytes([byte; 32]).map_err(|error| error.to_string())?;
    Identity::new(key, DOMAIN).map_err(|error| error.to_string())
}

/// Short, because where bytes are missing both sides wait for them.
fn limits() -> Limits {
    let short = Duration::from_millis(if cfg!(debug_assertions) { 300 } else { 100 });
    Limits { tls: short, hello: short, ..Limits::standard(vec![Codec::Msgpack]) }
}
