//! Looking at our own door from outside: a server that answers nobody is found, even when its task still runs.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use supervision::Fault;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long an answer may take.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(3);
/// Looks in a row that nobody answered and that make a fault. One may be a moment's load.
const MAX_FAILED: u32 = 3;
const ANSWER: &[u8] = b"HTTP/1.1 ";

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Answered,
    /// Every place is taken: whoever is inside is served, and a restart would only throw them out.
    Crowded,
    /// This process could not even try, as when it has no file left; it says nothing about the door.
    Blind(String),
    Silent(String),
}

/// How the looks have gone.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// One at a time.
    is_looking: bool,
    failed: u32,
}

impl Looks {
    /// Whether to look now.
    pub fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.is_looking, true)
    }

    /// Takes what a look showed; too many in vain make a fault.
    pub fn ended(&mut self, look: &Look) -> Result<(), Fault> {
        self.is_looking = false;
        match look {
            Look::Answered => self.failed = 0,
            Look::Crowded | Look::Blind(_) => {}
            Look::Silent(reason) => {
                self.failed += 1;
                if MAX_FAILED <= self.failed {
                    return Err(Fault::new(format!("this node does not reach its own API: {reason}")));
                }
            }
        }
        Ok(())
    }
}

/// Asks the API at `address` whether it is there. Any answer will do.
pub(super) async fn look(address: SocketAddr, limit: Duration) -> Look {
    match timeout(limit, ask(address)).await {
        Ok(Ok(())) => Look::Answered,
        Ok(Err(error)) if is_of_the_door(&error) => Look::Silent(error.to_string()),
        Ok(Err(error)) => Look::Blind(error.to_string()),
        Err(_) => Look::Silent(format!("no answer within {limit:?}")),
    }
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer).await?;
    if answer == ANSWER { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "something else than HTTP answers")) }
}

/// A server that listens everywhere is reached on loopback.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

fn is_of_the_door(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidData, UnexpectedEof};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | ConnectionAborted | UnexpectedEof | BrokenPipe | InvalidData)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::net::TcpListener;

    /// What a look shows at a door behind which somebody says `answer`, or nothing, and keeps the connection.
    async fn at(answer: Option<&'static str>) -> Look {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            if let Some(answer) = answer {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let look = look(address, Duration::from_millis(300)).await;
        server.abort();
        look
    }

    #[tokio::test]
    async fn any_http_answer_is_one_and_silence_or_rubbish_is_none() {
        assert_eq!(at(Some("HTTP/1.1 403 Forbidden\r\n\r\n")).await, Look::Answered);
        assert!(matches!(at(Some("SSH-2.0-OpenSSH")).await, Look::Silent(_)));
        assert!(matches!(at(None).await, Look::Silent(_)));
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(matches!(look(nobody, LOOK_LIMIT).await, Look::Silent(_)));
    }

    #[test]
    fn only_silence_several_times_in_a_row_is_a_fault() {
        let silent = Look::Silent("nobody".to_owned());
        let mut looks = Looks::default();
        for _ in 0..10 {
            assert!(looks.ended(&silent).is_ok() && looks.ended(&silent).is_ok() && looks.ended(&Look::Answered).is_ok());
            assert!(looks.ended(&Look::Crowded).is_ok() && looks.ended(&Look::Blind("no file left".to_owned())).is_ok());
        }
        assert!(looks.ended(&silent).is_ok() && looks.ended(&silent).is_ok() && looks.ended(&silent).is_err());
    }

    #[test]
    fn there_is_one_look_at_a_time() {
        let mut looks = Looks::default();
        assert!(looks.begin() && !looks.begin());
        looks.ended(&Look::Crowded).unwrap();
        assert!(looks.begin());
    }

    #[test]
    fn a_server_that_listens_everywhere_is_looked_for_on_loopback() {
        assert_eq!(reachable(Ipv4Addr::UNSPECIFIED.into()), IpAddr::from(Ipv4Addr::LOCALHOST));
        assert_eq!(reachable(Ipv6Addr::UNSPECIFIED.into()), IpAddr::from(Ipv6Addr::LOCALHOST));
    }
}
