//! What the operator decided for one node: `config/config.toml` of its home, `AXOLOTL_*` variables, flags.
//!
//! ```text
//!   --set rpc.listen=...     flag          wins
//!   AXOLOTL_RPC_LISTEN       environment    over
//!   [rpc] listen = "..."     config.toml    over
//!   schema::KEYS             default
//! ```
//!
//! Everything is checked before anything is opened. Every mistake is reported at once, with its key, value, origin and
//! remedy. What all validators must agree on is not here but in the genesis.

mod layers;
mod read;
pub mod schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use api::{Offer, RateLimits};
use primitives::{Genesis, NodeId, PeerAddress, genesis::NetworkKind};
use storage::Retention;
use tracing_subscriber::filter::Targets;

pub use layers::{Origin, Override, Setting, Sources, Value};

use crate::exit::Failure;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub chain: Chain,
    pub rpc: Rpc,
    pub p2p: P2p,
    pub metrics: Metrics,
    pub admin: Admin,
    pub signing: Signing,
    pub telemetry: Telemetry,
    pub shutdown: Shutdown,
    pub storage: Storage,
    pub history: History,
    pub chaos: Chaos,
}

#[derive(Clone, Debug)]
pub struct Chain {
    /// Names the directory below `data`.
    pub name: String,
}

#[derive(Clone, Debug)]
pub struct Rpc {
    pub listen: SocketAddr,
    /// Host names under which browsers may reach us, besides loopback and IP addresses.
    pub hosts: Vec<String>,
    /// Pages that may call us.
    pub origins: Vec<String>,
    /// As configured; [`Rpc::limits`] and [`Rpc::offer`] tell what holds.
    pub public: bool,
    /// What a public listener answers besides the usual.
    pub also: Offer,
    /// What one client of a public listener may ask.
    pub rates: RateLimits,
}

#[derive(Clone, Debug)]
pub struct P2p {
    pub listen: SocketAddr,
    pub peers: Vec<PeerAddress>,
    /// None: as it listens.
    pub advertise: Option<SocketAddr>,
    /// Sessions with nodes that are not among `peers`.
    pub max_outbound: usize,
    pub private: bool,
    pub private_peers: BTreeSet<NodeId>,
    /// Time between pings on a link that is not between validators.
    pub keepalive: Duration,
    /// Sessions with nodes that are neither configured nor validators.
    pub max_inbound: usize,
    /// Connections that come from one IP address.
    pub max_per_ip: usize,
    /// As configured; [`Config::offers_json`] tells what holds.
    pub json: bool,
    /// Work that is demanded of strangers when all is calm, in bits.
    pub pow_bits: u8,
    /// PEM files of a certificate and of its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone, Debug)]
pub struct Metrics {
    pub listen: SocketAddr,
}

/// What changes the node, for its operator only.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Always a loopback address.
    pub listen: SocketAddr,
}

#[derive(Clone, Debug)]
pub struct Signing {
    /// None: as the kind of network has it; [`Config::on_missing`] tells what holds.
    pub on_missing: Option<OnMissing>,
}

/// What a validator does whose sign state is lost while the network runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// Signs nothing until a person says from which height.
    Refuse,
    /// Signs from ten decided heights after first contact.
    Observe,
    /// Observes, and takes part again when the chain stands without it.
    Recover,
}

#[derive(Clone, Debug)]
pub struct Telemetry {
    /// None: nothing is exported.
    pub otlp_endpoint: Option<String>,
    pub log_format: LogFormat,
    pub log_level: Targets,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug)]
pub struct Shutdown {
    /// How long an ordered stop may take.
    pub grace: Duration,
}

#[derive(Clone, Debug)]
pub struct Storage {
    pub cache_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct History {
    /// How much of the past state is kept.
    pub state: Retention,
}

#[derive(Clone, Debug)]
pub struct Chaos {
    pub enabled: bool,
}

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Path of the key, as in `rpc.listen`.
    pub key: String,
    pub value: String,
    pub origin: Origin,
    /// What is wrong with it, and what to write instead.
    pub remedy: String,
}

/// Every mistake of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedConfig(pub Vec<Mistake>);

/// A configuration and who set each of its values.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub config: Config,
    pub settings: BTreeMap<&'static str, Setting>,
}

/// The configuration that `sources` make together, or every mistake in them.
pub fn resolve(sources: &Sources) -> Result<Resolved, MalformedConfig> {
    let mut mistakes = Vec::new();
    let settings = layers::merge(sources, &mut mistakes);
    let config = read::Reader { settings: &settings, mistakes: &mut mistakes }.config();
    if mistakes.is_empty() { Ok(Resolved { config, settings }) } else { Err(MalformedConfig(mistakes)) }
}

impl Resolved {
    /// Refuses what this network forbids.
    pub fn check_against(&self, genesis: &Genesis) -> Result<(), MalformedConfig> {
        let is_mainnet = genesis.network_kind == NetworkKind::Mainnet;
        let is_recovering = self.config.signing.on_missing == Some(OnMissing::Recover);
        let forbidden = [
            ("chaos.enabled", self.config.chaos.enabled, "is for tests and refused on mainnet; set it to false"),
            ("signing.on_missing", is_recovering, "can break safety and is refused on mainnet; use \"observe\" or \"refuse\""),
        ];
        let mistakes: Vec<_> = forbidden
            .into_iter()
            .filter(|(_, is_set, _)| is_mainnet && *is_set)
            .filter_map(|(path, _, remedy)| {
                let setting = self.settings.get(path)?;
                Some(Mistake { key: path.to_owned(), value: setting.value.to_string(), origin: setting.origin.clone(), remedy: remedy.to_owned() })
            })
            .collect();
        if mistakes.is_empty() { Ok(()) } else { Err(MalformedConfig(mistakes)) }
    }
}

impl Config {
    /// What to do when the sign state is lost, on a network of this kind.
    pub fn on_missing(&self, kind: NetworkKind) -> OnMissing {
        let usual = if kind == NetworkKind::Mainnet { OnMissing::Observe } else { OnMissing::Recover };
        self.signing.on_missing.unwrap_or(usual)
    }

    /// Whether the JSON codec is offered to peers, on a network of this kind.
    pub fn offers_json(&self, kind: NetworkKind) -> bool {
        self.p2p.json || kind == NetworkKind::Dev
    }
}

impl Rpc {
    /// What one client may ask; none where only this machine can ask at all.
    pub fn limits(&self) -> Option<RateLimits> {
        self.is_public().then_some(self.rates)
    }

    /// What is answered: everything where only this machine can ask.
    pub fn offer(&self) -> Offer {
        if self.is_public() { self.also } else { Offer::ALL }
    }

    fn is_public(&self) -> bool {
        self.public || !self.listen.ip().to_canonical().is_loopback()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({}): {}", self.key, self.value, self.origin, self.remedy)
    }
}

impl From<MalformedConfig> for Failure {
    fn from(malformed: MalformedConfig) -> Self {
        let count = malformed.0.len();
        let what = if count == 1 { "the configuration has a mistake".to_owned() } else { format!("the configuration has {count} mistakes") };
        malformed.0.iter().fold(Failure::config(what), |failure, mistake| failure.at(mistake.to_string()))
    }
}

#[cfg(test)]
mod tests;
