//! Bytes inside TLS, each as wrong as wanted.

use std::time::Duration;

use anyhow::{Context, Result};
use primitives::SecretKey;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use wire::Codec;

use super::{Hello, STEP_LIMIT, Target};

/// A hello and a proof as they travel, newline included.
const HELLO_LINE_BYTES: usize = 117;
const PROOF_LINE_BYTES: usize = 74;
/// How much of an answer to an upgrade is read.
const MAX_HEAD_BYTES: usize = 4 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream to the victim, encrypted or not.
pub struct Raw {
    stream: Box<dyn Stream>,
    /// Of TLS, when there is some.
    pub exporter: [u8; 32],
}

impl Raw {
    /// A TCP connection and no more.
    pub async fn tcp(target: &Target) -> Result<Self> {
        Ok(Self { stream: Box::new(target.connect().await?), exporter: [0; 32] })
    }

    /// TLS, and no word yet.
    pub async fn tls(target: &Target) -> Result<Self> {
        let bare = timeout(STEP_LIMIT, wire::bare(target.connect().await?)).await.context("TLS takes for ever")??;
        Ok(Self { stream: Box::new(bare.stream), exporter: bare.exporter })
    }

    /// An honest handshake up to the WebSocket upgrade, which is not done yet.
    pub async fn proved(target: &Target, key: &SecretKey) -> Result<Self> {
        let mut raw = Self::tls(target).await?;
        let ours = Hello::of(target.domain, key.public_key());
        raw.say(&ours.encode()).await?;
        let theirs = raw.hello(target).await?;
        let proof = ours.prove(&theirs, &raw.exporter, key).await;
        raw.say(&proof).await?;
        raw.read::<PROOF_LINE_BYTES>().await?;
        Ok(raw)
    }

    /// A session: everything honest up to here, and the head of the answer to the upgrade.
    pub async fn session(target: &Target, key: &SecretKey, codec: Codec, further: &str) -> Result<(Self, String)> {
        let mut raw = Self::proved(target, key).await?;
        raw.say(upgrade(codec, further).as_bytes()).await?;
        let head = raw.head().await?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 101"), "no upgrade: {head}");
        Ok((raw, head))
    }

    /// The victim's hello.
    pub async fn hello(&mut self, target: &Target) -> Result<Hello> {
        let line = self.read::<HELLO_LINE_BYTES>().await?;
        Hello::decode(&line[..HELLO_LINE_BYTES - 1], target.domain)
    }

    pub async fn say(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(STEP_LIMIT, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await
        .context("the victim takes no bytes")??;
        Ok(())
    }

    /// Says this byte by byte with a pause after each, until it is over or the victim has enough.
    pub async fn drip(&mut self, bytes: &[u8], pause: Duration) {
        for byte in bytes {
            if self.say(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    pub async fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        timeout(STEP_LIMIT, self.stream.read_exact(&mut bytes)).await.context("the victim is silent")??;
        Ok(bytes)
    }

    async fn head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
            head.extend(self.read::<1>().await?);
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    /// Waits until the victim has ended the connection, and reads meanwhile.
    pub async fn until_cut(self, limit: Duration) -> Result<()> {
        self.pours(limit, Vec::new).await
    }

    /// Says what `next` gives again and again, and reads meanwhile, until the victim has ended the connection.
    pub async fn pours(self, limit: Duration, mut next: impl FnMut() -> Vec<u8>) -> Result<()> {
        let (mut reader, mut writer) = tokio::io::split(self.stream);
        let reading = async { while matches!(reader.read(&mut [0; 16 << 10]).await, Ok(1..)) {} };
        let writing = async {
            loop {
                let bytes = next();
                if bytes.is_empty() {
                    return std::future::pending::<()>().await;
                }
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        };
        let cut = timeout(limit, async {
            tokio::select! { () = reading => {}, () = writing => {} }
        });
        cut.await.with_context(|| format!("the attacker was not cut within {limit:?}"))
    }

    /// Says what `next` gives again and again and never reads a byte, until the victim has ended the connection.
    pub async fn never_reads(mut self, limit: Duration, mut next: impl FnMut() -> Vec<u8>, pause: Duration) -> Result<()> {
        let writing = async {
            while self.stream.write_all(&next()).await.is_ok() && self.stream.flush().await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        };
        timeout(limit, writing).await.with_context(|| format!("the attacker was not cut within {limit:?}"))
    }
}

/// A request to speak WebSocket, with `further` header lines.
fn upgrade(codec: Codec, further: &str) -> String {
    let codec = codec.subprotocol();
    format!(
        "GET / HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \
         dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {codec}\r\n{further}\r\n"
    )
}

/// A WebSocket frame that begins with `first` (end of the message, reserved bits, opcode) and announces `announced` bytes. Its
/// mask is zero, which changes nothing.
pub fn frame(first: u8, announced: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 127];
    frame.extend(announced.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    if announced < 126 {
        frame.splice(1..10, [0x80 | announced as u8]);
    } else if announced <= u64::from(u16::MAX) {
        frame.splice(1..10, [0x80 | 126].into_iter().chain((announced as u16).to_be_bytes()));
    }
    frame
}
