//! How connections become sessions.

use std::{net::SocketAddr, time::Duration};

use supervision::{Address, AskError, Lane, MailboxLimits, Reply};
use wire::Connection;

use super::super::{SessionKey, listener::Seat};

/// How long a proved connection waits to become a session.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// Proved connections that wait.
const MAX_OPENING: usize = 64;

/// A connection whose peer has proved who it is.
pub struct Opened<S> {
    pub connection: Connection<S>,
    pub origin: Origin,
    /// Where the peer is, if the network knows.
    pub remote: Option<SocketAddr>,
}

/// How a connection came about.
pub enum Origin {
    /// They came to our door, and take a place among those of their IP address.
    Door(Seat),
    /// We dialled the configured peer of this index.
    Dial(usize),
    /// We dialled somebody from the peer book.
    Found,
}

/// Why a connection became no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is a session with this peer already")]
    Duplicate,
    #[error("there is no seat for one more than {limit} strangers")]
    TooMany { limit: usize },
    #[error("the peer is banned")]
    Banned,
    #[error("the tree is stopping")]
    Stopping,
    #[error(transparent)]
    Ask(#[from] AskError),
}

pub(super) enum Message<S> {
    Open(Box<Opened<S>>, Reply<Result<(), Refused>>),
    Ended(SessionKey, String),
    Sweep,
}

impl<S: Send + 'static> supervision::Message for Message<S> {
    fn name(&self) -> &'static str {
        match self {
            Self::Open(..) => "Open",
            Self::Ended(..) => "Ended",
            Self::Sweep => "Sweep",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Ended(..) => Lane::Urgent,
            // Whom we dialled does not wait behind a crowd of strangers.
            Self::Open(opened, _) if matches!(opened.origin, Origin::Dial(_) | Origin::Found) => Lane::Urgent,
            Self::Open(..) | Self::Sweep => Lane::Normal,
        }
    }
}

/// The address of gossip.
pub struct GossipMailbox<S>(pub(super) Address<Message<S>>);

impl<S> Clone for GossipMailbox<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Send + 'static> GossipMailbox<S> {
    pub(in super::super) fn new(max_sessions: usize) -> Self {
        let limits = MailboxLimits { urgent: 2 * max_sessions, normal: MAX_OPENING, bulk: 1 };
        Self(Address::new(super::NAME, limits))
    }

    /// Makes a session of a connection. When this returns `Ok`, the peer is in the directory.
    pub async fn open(&self, opened: Opened<S>) -> Result<(), Refused> {
        self.0.ask(OPEN_LIMIT, |reply| Message::Open(Box::new(opened), reply)).await?
    }
}
