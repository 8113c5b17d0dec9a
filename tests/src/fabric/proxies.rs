//! TCP proxies between validators on one machine, one for each that dials and each that is dialled.
//!
//! A stream keeps its order, so a lost segment is a wait for everything behind it, and where nothing arrives the stream stands
//! still, as TCP makes it: whoever sends gets as far as the buffers reach, and what is in them arrives when the way is open again.
//! What a proxy cannot show is a packet that nobody acknowledges: the kernel on its side does.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};

use super::ways::{Way, Ways};

/// Read at once.
const CHUNK_BYTES: usize = 16 << 10;
/// Chunks under way in one direction of a stream; what a window of TCP holds.
const CHUNKS_UNDER_WAY: usize = 64;
/// Wait after a failed accept.
const PAUSE: Duration = Duration::from_millis(50);

/// All proxies of a network. They end with it.
pub(super) struct Proxies {
    addresses: Vec<(Way, SocketAddr)>,
    _doors: JoinSet<()>,
}

impl Proxies {
    /// Between validators that listen on these ports.
    pub async fn start(ports: &[u16], ways: &Ways, seed: u64) -> Result<Self> {
        let (mut addresses, mut doors) = (Vec::new(), JoinSet::new());
        let streams = Arc::new(AtomicU64::new(0));
        for (from, to) in (0..ports.len()).flat_map(|from| (0..ports.len()).map(move |to| (from, to))).filter(|(from, to)| from != to) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.push(((from, to), listener.local_addr()?));
            let door = Door { way: (from, to), port: ports[to], ways: ways.clone(), seed, streams: streams.clone() };
            doors.spawn(door.run(listener));
        }
        Ok(Self { addresses, _doors: doors })
    }

    /// Where `from` dials to reach each of the others.
    pub fn peers(&self, from: usize) -> Vec<(usize, SocketAddr)> {
        self.addresses.iter().filter(|((by, _), _)| *by == from).map(|((_, to), address)| (*to, *address)).collect()
    }
}

/// Where one validator dials another.
struct Door {
    way: Way,
    port: u16,
    ways: Ways,
    seed: u64,
    /// Dice for each stream are its own.
    streams: Arc<AtomicU64>,
}

impl Door {
    async fn run(self, listener: TcpListener) {
        let mut streams = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((near, _)) => {
                        streams.spawn(self.stream(near));
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                // Whoever talked through it has seen its end.
                Some(_) = streams.join_next() => {}
            }
        }
    }

    fn stream(&self, near: TcpStream) -> impl Future<Output = io::Result<()>> + use<> {
        let (ways, (from, to), port) = (self.ways.clone(), self.way, self.port);
        let number = self.streams.fetch_add(2, Relaxed);
        let dice = |direction: u64| StdRng::seed_from_u64(self.seed ^ (number + direction).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (there, back) = (dice(0), dice(1));
        async move {
            let resets = ways.next_reset((from, to));
            let talk = async {
                // A connection is there when a packet has gone there, one back, and one there again.
                ways.open((from, to)).await;
                ways.open((to, from)).await;
                tokio::time::sleep(ways.of((from, to)).delay + ways.of((to, from)).delay).await;
                let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                let ways = &ways;
                let there = pump(near_in, far_out, ways, (from, to), there);
                let back = pump(far_in, near_out, ways, (to, from), back);
                tokio::try_join!(there, back).map(|_| ())
            };
            tokio::select! {
                ended = talk => ended,
                () = resets => Ok(()),
            }
        }
    }
}

/// Carries one direction to its end.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, ways: &Ways, way: Way, mut random: StdRng) -> io::Result<()> {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_UNDER_WAY);
    let read = async move {
        let (mut arrives, mut free) = (Instant::now(), Instant::now());
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            // A reset is told as an end is: when it gets there.
            let count = from.read(&mut chunk).await.unwrap_or_default();
            chunk.truncate(count);
            let weather = ways.of(way);
            free = free.max(Instant::now()) + weather.busy(count);
            arrives = arrives.max(free + weather.stretch(count, &mut random));
            if sender.send((arrives, chunk)).await.is_err() || count == 0 {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((arrives, chunk)) = chunks.recv().await {
            tokio::time::sleep_until(arrives).await;
            ways.open(way).await;
            if chunk.is_empty() {
                break;
            }
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|_| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::Weather, *};

    /// A stream through a proxy from 0 to 1: its near and its far end.
    async fn stream(ways: &Ways) -> (Proxies, TcpStream, TcpStream) {
        let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxies = Proxies::start(&[0, far.local_addr().unwrap().port()], ways, 1).await.unwrap();
        let near = TcpStream::connect(proxies.peers(0)[0].1).await.unwrap();
        (proxies, near, far.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn bytes_arrive_in_order_and_the_end_after_them() {
        let bad =
            Weather { jitter: Duration::from_millis(2), delay: Duration::from_millis(1), bytes_per_second: Some(10 << 20), ..Weather::default() };
        let (_proxies, mut near, mut far) = stream(&Ways::new(bad)).await;
        let sent: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
        let copy = sent.clone();
        let writing = tokio::spawn(async move {
            near.write_all(&copy).await.unwrap();
            near.shutdown().await.unwrap();
            near
        });
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.unwrap();
        assert!(received == sent);
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn one_direction_stands_still_while_the_other_goes_on_and_nothing_is_lost() {
        let ways = Ways::new(Weather::default());
        let (_proxies, mut near, mut far) = stream(&ways).await;
        ways.set((0, 1), Weather::BLOCKED);
        near.write_all(b"late").await.unwrap();
        far.write_all(b"now").await.unwrap();
        let mut heard = [0; 4];
        near.read_exact(&mut heard[..3]).await.unwrap();
        assert_eq!(&heard[..3], b"now");
        assert!(tokio::time::timeout(Duration::from_millis(50), far.peek(&mut [0])).await.is_err());
        ways.heal();
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"late");
    }

    #[tokio::test]
    async fn a_reset_ends_both_sides() {
        let ways = Ways::new(Weather::default());
        let (_proxies, mut near, mut far) = stream(&ways).await;
        near.write_all(b"x").await.unwrap();
        far.read_exact(&mut [0]).await.unwrap();
        ways.reset((1, 0));
        let is_over = |read: io::Result<usize>| read.unwrap_or_default() == 0;
        assert!(is_over(near.read(&mut [0]).await) && is_over(far.read(&mut [0]).await));
    }
}
