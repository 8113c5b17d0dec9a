//! Questions to the admin listener of a running node.

use std::time::Duration;

use http::{Method, Request, header};
use http_body_util::Full;
use primitives::{NodeId, PeerAddress};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use supervision::{Event, FaultInjection};

use super::{ActorPage, Order, Provocation, TapRequest, Token, TreePage, Wish, peers::Addition};
use crate::{
    client::{Client, ClientError},
    exit::Failure,
    peers::{Bundle as PeerBundle, Imported, Mode, PeerLine, PeersPage},
};

/// Who may ask a node's admin listener.
#[derive(Clone, Debug)]
pub struct AdminClient {
    client: Client,
    token: Token,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(transparent)]
    Unanswered(#[from] ClientError),
    #[error("{message}")]
    Refused { status: u16, code: String, message: String },
}

impl AdminClient {
    /// A client of the listener at `url`, as in `http://127.0.0.1:3039`.
    pub fn new(url: &str, token: Token) -> Result<Self, Failure> {
        let client = Client::new(url).map_err(|failure| failure.remedy("write http://host:port, as in http://127.0.0.1:3039"))?;
        Ok(Self { client, token })
    }

    pub async fn tree(&self) -> Result<TreePage, AdminError> {
        self.ask(Method::GET, "/actors", None::<()>).await
    }

    pub async fn actor(&self, path: &str) -> Result<ActorPage, AdminError> {
        self.ask(Method::GET, &format!("/actors/{}", encoded(path)), None::<()>).await
    }

    /// What happened after event number `after`; waits for the first one, but not longer than `wait`.
    pub async fn events(&self, after: u64, wait: Duration) -> Result<Vec<Event>, AdminError> {
        let page = format!("/events?after={after}&wait={}ms", wait.as_millis());
        let text = self.text(Method::GET, &page, None::<()>).await?;
        let events = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        events.map_err(|error| self.client.unexpected("/events", error).into())
    }

    /// What went by on the links, one object for each frame.
    pub async fn tap(&self, request: &TapRequest) -> Result<Vec<Value>, AdminError> {
        let text = self.text(Method::GET, &request.page(), None::<()>).await?;
        let frames = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        frames.map_err(|error| self.client.unexpected("/wire", error).into())
    }

    /// Arms a fault.
    pub async fn inject(&self, fault: &FaultInjection) -> Result<(), AdminError> {
        self.ask::<Value>(Method::POST, "/faults", Some(fault)).await.map(drop)
    }

    /// Done when the supervisor has taken it; the events tell what comes of it.
    pub async fn order(&self, path: &str, order: Order) -> Result<Value, AdminError> {
        self.ask(Method::POST, &format!("/actors/{}/{}", encoded(path), order.name()), None::<()>).await
    }

    pub async fn provoke(&self, path: &str, what: Provocation, wish: &Wish) -> Result<Value, AdminError> {
        self.ask(Method::POST, &format!("/actors/{}/{}", encoded(path), what.name()), Some(wish)).await
    }

    /// Takes back the faults of an actor that have not struck yet.
    pub async fn clear(&self, path: &str) -> Result<(), AdminError> {
        self.ask::<Value>(Method::DELETE, &format!("/faults/{}", encoded(path)), None::<()>).await.map(drop)
    }

    pub async fn peers(&self) -> Result<PeersPage, AdminError> {
        self.ask(Method::GET, "/peers", None::<()>).await
    }

    pub async fn peer(&self, node: NodeId) -> Result<PeerLine, AdminError> {
        self.ask(Method::GET, &format!("/peers/{node}"), None::<()>).await
    }

    pub async fn export_peers(&self) -> Result<PeerBundle, AdminError> {
        self.ask(Method::GET, "/peers/bundle", None::<()>).await
    }

    pub async fn import_peers(&self, bundle: &PeerBundle, mode: Mode) -> Result<Imported, AdminError> {
        let mode = if mode == Mode::Replace { "replace" } else { "merge" };
        self.ask(Method::POST, &format!("/peers/bundle?mode={mode}"), Some(bundle)).await
    }

    /// Stays connected to `address` from now on.
    pub async fn add_peer(&self, address: &PeerAddress) -> Result<Value, AdminError> {
        self.ask(Method::POST, "/peers", Some(Addition { address: address.clone() })).await
    }

    pub async fn ban(&self, node: NodeId, length: Duration) -> Result<Value, AdminError> {
        self.ask(Method::POST, &format!("/peers/{node}/ban?for={}ms", length.as_millis()), None::<()>).await
    }

    pub async fn unban(&self, node: NodeId) -> Result<Value, AdminError> {
        self.ask(Method::POST, &format!("/peers/{node}/unban"), None::<()>).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, page: &str, body: Option<impl Serialize>) -> Result<T, AdminError> {
        let text = self.text(method, page, body).await?;
        serde_json::from_str(&text).map_err(|error| self.client.unexpected(page, error).into())
    }

    async fn text(&self, method: Method, page: &str, body: Option<impl Serialize>) -> Result<String, AdminError> {
        let body = body.map(|body| serde_json::to_vec(&body)).transpose().map_err(|error| self.client.unexpected(page, error))?;
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{page}", self.client.authority()))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .header(header::CONTENT_TYPE, "application/json");
        let (status, bytes) = self.client.send(page, request.body(Full::from(body.unwrap_or_default()))).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let refusal: Value = serde_json::from_str(&text).unwrap_or_default();
        match (refusal["error"]["code"].as_str(), refusal["error"]["message"].as_str()) {
            (Some(code), Some(message)) => Err(AdminError::Refused { status: status.as_u16(), code: code.to_owned(), message: message.to_owned() }),
            _ => Err(ClientError::Status { authority: self.client.authority().to_owned(), what: page.to_owned(), status }.into()),
        }
    }
}

/// Names of actors are plain but for the keys of sessions; slashes stay, the door knows them.
fn encoded(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/@:".contains(&byte);
    path.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let failure = Failure::runtime(error.to_string());
        match error {
            AdminError::Unanswered(ClientError::Unreachable { .. } | ClientError::Deadline { .. }) => {
                failure.remedy("start the node, or name another with --home DIR or --admin http://host:port")
            }
            AdminError::Unanswered(_) => {
                failure.remedy("check that --admin names the admin listener of an Axolotl node (the first of a localnet: http://127.0.0.1:3039)")
            }
            AdminError::Refused { code, .. } => match code.as_str() {
                "unauthorized" => Failure::runtime("the token is not that of this node").remedy("name the right one: --token-file HOME/admin.token"),
                "chaos_disabled" => Failure::runtime("fault injection is off")
                    .remedy("set chaos.enabled = true (refused on mainnet) and start the node again; a localnet: `axolotl localnet --chaos`"),
                "not_found" => failure.remedy("`axolotl actors` shows every actor by name"),
                _ => failure,
            },
        }
    }
}
