//! A peer that claims to have blocks, and has none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Result;
use primitives::{B256, Bytes, Certificate, Domain, Height, PeerAddress, Round, limits::MAX_CHUNK_BYTES};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use wire::{BlockChunk, Codec, DecidedBlock, Encoded, GetBlocks, Identity, Limits, Message, Outbound, Outline, Pong, Status, chunks};

use super::fresh_key;

/// Between two chunks of somebody who drips.
const DRIP: Duration = Duration::from_secs(1);
const DRIPPED_BYTES: u64 = 30 << 20;

/// What becomes of a request for blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    Silence,
    /// A block of many megabytes, a chunk a second.
    Drip,
    /// Blocks that nobody decided.
    BadCertificate,
    /// The height that was claimed is taken back, and claimed again.
    TakenBack,
}

/// Listens, and lies to everybody who comes.
pub struct Liar {
    pub address: PeerAddress,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Liar {
    /// Claims to be at `height`.
    pub async fn start(domain: Domain, lie: Lie, height: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let identity = Identity::new(fresh_key(), domain)?;
        let address = PeerAddress { node: Some(identity.node()), host: "127.0.0.1".to_owned(), port: listener.local_addr()?.port() };
        let asked = Arc::<AtomicUsize>::default();
        let counter = asked.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let lies = Lies { domain, lie, height: Height(height), asked: counter.clone() };
                sessions.spawn(lies.to(stream, identity.clone()));
            }
        });
        Ok(Self { address, asked, _tasks: tasks })
    }

    /// Requests for blocks that it has heard.
    pub fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }
}

#[derive(Clone)]
struct Lies {
    domain: Domain,
    lie: Lie,
    height: Height,
    asked: Arc<AtomicUsize>,
}

impl Lies {
    async fn to(self, stream: TcpStream, identity: Identity) {
        let Ok(connection) = wire::accept(stream, &identity, &Limits::standard(vec![Codec::Msgpack])).await else { return };
        let (outbound, mut inbound) = (connection.outbound.clone(), connection.inbound);
        self.say(&outbound, self.status(self.height));
        let mut drips = JoinSet::new();
        let reading = async {
            while let Ok(received) = inbound.next().await {
                match received.message {
                    Message::Ping(ping) => self.say(&outbound, Message::Pong(Pong { nonce: ping.nonce, received_ms: ping.sent_ms })),
                    Message::GetBlocks(request) => {
                        self.asked.fetch_add(1, Relaxed);
                        let (lies, outbound) = (self.clone(), outbound.clone());
                        drips.spawn(async move { lies.answer(request, &outbound).await });
                    }
                    _ => {}
                }
            }
        };
        tokio::select! { () = reading => {}, _ = connection.writer.run() => {} }
    }

    async fn answer(&self, GetBlocks { from, count }: GetBlocks, outbound: &Outbound) {
        match self.lie {
            Lie::Silence => {}
            Lie::Drip => {
                let outline = Outline { total_bytes: DRIPPED_BYTES, hash: B256::ZERO };
                for index in 0..outline.chunks() - 1 {
                    let bytes = Bytes::from(vec![1; MAX_CHUNK_BYTES]);
                    self.say(outbound, Message::BlockChunk(BlockChunk { height: from, outline, index, bytes }));
                    tokio::time::sleep(DRIP).await;
                }
            }
            Lie::BadCertificate => {
                for height in (from.0..from.0 + u64::from(count)).map(Height) {
                    let certificate = Certificate { height, round: Round(0), value: B256::ZERO, signatures: Vec::new() };
                    let whole = DecidedBlock { body: Bytes::from_static(b"nothing"), certificate }.encode();
                    let outline = Outline::of(&whole);
                    for (index, bytes) in chunks::cut(&whole) {
                        self.say(outbound, Message::BlockChunk(BlockChunk { height, outline, index, bytes }));
                    }
                }
            }
            Lie::TakenBack => {
                self.say(outbound, self.status(Height(0)));
                self.say(outbound, self.status(self.height));
            }
        }
    }

    fn status(&self, height: Height) -> Message {
        Message::Status(Status { height, hash: B256::ZERO })
    }

    fn say(&self, outbound: &Outbound, message: Message) {
        if let Ok(message) = Encoded::new(self.domain.chain_id, message, None) {
            // One lie less.
            let _ = outbound.try_send(&message);
        }
    }
}
