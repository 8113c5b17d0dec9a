//! Peers that come and go, properly or in the middle of everything: a node has afterwards what it had before.
//!
//! Each connection is one of these, by the seed: a whole handshake and a session; one that breaks after so many bytes of a
//! handshake, which is in TLS, in the hello or in the upgrade; one that says nothing and goes; one that says nothing and stays
//! until the node has had enough of it.

use std::{
    fs, io,
    net::Ipv4Addr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use node::network::Member;
use primitives::Domain;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use wire::{Codec, Identity, Limits};

use super::{START_LIMIT, Settings};
use crate::{process::rss_mib, report::Report, validator::Validator, wait::eventually};

/// At the same time.
const AT_ONCE: usize = 8;
/// Of each ten connections.
const WHOLE: u32 = 4;
const SILENT: u32 = 1;
const PATIENT: u32 = 1;
/// How long a node may let somebody stand at its door who says nothing.
const PATIENCE_LIMIT: Duration = Duration::from_secs(60);
/// How long everything may take to be as it was.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// Sockets of those who look: the pools of HTTP clients.
const SOCKETS_OF_OURS: usize = 6;
/// Memory that so many connections may leave with the allocator and in what a chain keeps meanwhile.
const MEMORY_MIB: f64 = 64.0;

/// What a node holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    sockets: usize,
    actors: usize,
    sessions: f64,
    mib: f64,
}

/// So many connections to validator 0.
pub async fn leaks(settings: &Settings, count: u32) -> Result<Report> {
    let mut report = Report::of("leaks");
    let mut random = StdRng::seed_from_u64(settings.seed);
    let mut network = settings.plan().make(&mut random)?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let (port, domain) = (network.validators[0].ports.p2p, network.genesis.domain());
    let whole = whole(port, domain).await.context("a whole handshake")?;
    report.figure("bytes of a handshake, both ways", whole as f64, "B");
    // What is made once is made now.
    visit(port, domain, whole, count / 10, &mut random).await;
    let others = network.validators.len() - 1;
    let is_calm = async || held(&network.validators[0]).await.ok().filter(|held| held.sessions == others as f64);
    let before = eventually("only the validators have sessions", SETTLE_LIMIT, is_calm).await?;
    let began = Instant::now();
    visit(port, domain, whole, count, &mut random).await;
    let took = began.elapsed();
    let is_flat =
        async |held: &Held| held.sockets <= before.sockets + SOCKETS_OF_OURS && held.actors <= before.actors && held.sessions <= before.sessions;
    let settled = eventually("everything is as it was", SETTLE_LIMIT, async || {
        let held = held(&network.validators[0]).await.ok()?;
        is_flat(&held).await.then_some(held)
    });
    let after = match settled.await {
        Ok(after) => after,
        Err(error) => {
            report.fail(format!("{error:#}: before {before:?}"));
            held(&network.validators[0]).await?
        }
    };
    report.figure("connections", count.into(), "");
    report.figure("connections a second", f64::from(count) / took.as_secs_f64(), "/s");
    report.figure("sockets before", before.sockets as f64, "");
    report.figure("sockets after", after.sockets as f64, "");
    report.figure("actors before", before.actors as f64, "");
    report.figure("actors after", after.actors as f64, "");
    report.figure("memory before", before.mib, "MiB");
    report.figure("memory after", after.mib, "MiB");
    if before.mib + MEMORY_MIB < after.mib {
        report.fail(format!("memory grew from {:.0} to {:.0} MiB", before.mib, after.mib));
    }
    let height = network.history.highest();
    network.reach(height + 2, START_LIMIT).await?;
    settings.finish(&mut network, &mut report);
    Ok(report)
}

async fn held(validator: &Validator) -> Result<Held> {
    let (_, body) = validator.client.get("/v1/actors?flat").await?;
    let tree: serde_json::Value = serde_json::from_slice(&body)?;
    let actors = tree["children"].as_array().context("a list of actors")?.len();
    let sessions = validator.metrics().await?.sum("p2p_sessions");
    Ok(Held { sockets: sockets(validator.pid())?, actors, sessions, mib: rss_mib(validator.pid()) })
}

fn sockets(pid: u32) -> Result<usize> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let is_socket = |entry: io::Result<fs::DirEntry>| Some(fs::read_link(entry.ok()?.path()).ok()?.to_str()?.starts_with("socket:"));
    Ok(entries.filter_map(is_socket).filter(|is_socket| *is_socket).count())
}

/// Comes and goes so many times, some at once.
async fn visit(port: u16, domain: Domain, whole: usize, count: u32, random: &mut StdRng) {
    let mut visits = JoinSet::new();
    for _ in 0..count {
        let (kind, bytes, stay) = (random.random_range(0..10), random.random_range(1..whole), random.random_range(0..20));
        visits.spawn(async move {
            // However it ends is as good as any; what counts is what the node keeps of it.
            let _ = match kind {
                kind if kind < WHOLE => session(port, domain, usize::MAX, Duration::from_millis(stay)).await,
                kind if kind < WHOLE + SILENT => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map(|_| ()).map_err(Into::into),
                kind if kind < WHOLE + SILENT + PATIENT => wait_to_be_shown_out(port).await,
                _ => session(port, domain, bytes, Duration::ZERO).await,
            };
        });
        if AT_ONCE <= visits.len() {
            visits.join_next().await;
        }
    }
    visits.join_all().await;
}

/// A session of somebody new, which breaks after so many bytes or after a while.
async fn session(port: u16, domain: Domain, bytes: usize, stay: Duration) -> Result<()> {
    let stream = Brittle { stream: TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?, left: bytes };
    let identity = Identity::new(Member::fresh(0).node_key, domain)?;
    let _connection = wire::dial(stream, &identity, None, &Limits::standard(vec![Codec::Msgpack])).await?;
    tokio::time::sleep(stay).await;
    Ok(())
}

/// Bytes of a whole handshake.
async fn whole(port: u16, domain: Domain) -> Result<usize> {
    let mut stream = Brittle { stream: TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?, left: usize::MAX };
    let identity = Identity::new(Member::fresh(0).node_key, domain)?;
    wire::dial(&mut stream, &identity, None, &Limits::standard(vec![Codec::Msgpack])).await?;
    Ok(usize::MAX - stream.left)
}

async fn wait_to_be_shown_out(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    timeout(PATIENCE_LIMIT, stream.read(&mut [0])).await??;
    Ok(())
}

/// A stream that breaks after so many bytes, both ways together.
struct Brittle {
    stream: TcpStream,
    left: usize,
}

impl Brittle {
    fn use_up(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn check(&self) -> io::Result<()> {
        if self.left == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Brittle {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.use_up(buffer.filled().len() - before);
        outcome
    }
}

impl AsyncWrite for Brittle {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        // What is left goes out, so that the other side sees the beginning of a frame.
        let bytes = &bytes[..bytes.len().min(self.left)];
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &outcome {
            self.use_up(*count);
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
