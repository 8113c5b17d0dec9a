//! One connection over HTTP that is used again and again, and sends whatever bytes it is told to.

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::Reply;

/// More than any answer has.
const MAX_ANSWER_BYTES: usize = 80 << 20;

/// A connection, opened when it is needed.
pub struct HttpLine {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
}

impl HttpLine {
    pub fn to(port: u16) -> Self {
        Self { port, stream: None }
    }

    /// What `body` is answered with.
    pub async fn post(&mut self, path: &str, body: &[u8]) -> Result<Reply> {
        let head = format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        self.exchange(&[head.as_bytes(), body].concat()).await
    }

    pub async fn get(&mut self, path: &str) -> Result<Reply> {
        self.exchange(format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").as_bytes()).await
    }

    /// Once more on a fresh connection when the one at hand was closed: an idle one, or one whose last request was refused.
    async fn exchange(&mut self, request: &[u8]) -> Result<Reply> {
        let was_open = self.stream.is_some();
        match self.attempt(request).await {
            Err(_) if was_open => self.attempt(request).await,
            outcome => outcome,
        }
    }

    async fn attempt(&mut self, request: &[u8]) -> Result<Reply> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        // A server that refuses early may have closed its side; its answer is still read.
        let _ = stream.write_all(request).await;
        let (reply, is_kept) = read(&mut stream).await?;
        self.stream = is_kept.then_some(stream);
        Ok(reply)
    }
}

/// An answer, and whether the connection stays.
async fn read(stream: &mut BufReader<TcpStream>) -> Result<(Reply, bool)> {
    let status = line(stream).await?;
    let status: u16 = status.split(' ').nth(1).and_then(|code| code.parse().ok()).with_context(|| format!("no status: {status:?}"))?;
    let (mut length, mut is_chunked, mut is_kept) = (0, false, true);
    loop {
        let header = line(stream).await?.to_lowercase();
        match header.split_once(':').map(|(name, value)| (name, value.trim())) {
            None => break,
            Some(("content-length", value)) => length = value.parse::<usize>()?,
            Some(("transfer-encoding", value)) => is_chunked = value == "chunked",
            Some(("connection", "close")) => is_kept = false,
            Some(_) => {}
        }
    }
    let body = if is_chunked { chunks(stream).await? } else { exactly(stream, length).await? };
    Ok((Reply { status, body }, is_kept))
}

async fn chunks(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(line(stream).await?.split(';').next().unwrap_or_default(), 16)?;
        ensure!(body.len() + length <= MAX_ANSWER_BYTES, "an answer without an end");
        body.extend(exactly(stream, length).await?);
        line(stream).await?;
        if length == 0 {
            return Ok(body);
        }
    }
}

async fn exactly(stream: &mut BufReader<TcpStream>, length: usize) -> Result<Vec<u8>> {
    ensure!(length <= MAX_ANSWER_BYTES, "an answer of {length} bytes");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        bail!("closed without an answer");
    }
    Ok(line.trim_end().to_owned())
}
