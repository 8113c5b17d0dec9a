//! From settings to meaning: every value is parsed once, and every mistake is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use api::{MalformedRate, Offer, Rate, RateLimits, UnknownGroup};
use primitives::{NodeId, PeerAddress};
use storage::Retention;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use wire::MAX_STAMP_BITS;

use super::{
    Admin, Chain, Chaos, Config, History, LogFormat, Metrics, Mistake, OnMissing, P2p, Rpc, Setting, Shutdown, Signing, Storage, Telemetry, Value,
};

/// Reads key by key; a value that is wrong is replaced by a harmless one, because the whole is refused anyway.
pub(super) struct Reader<'a> {
    pub settings: &'a BTreeMap<&'static str, Setting>,
    pub mistakes: &'a mut Vec<Mistake>,
}

/// Connections of any sort that a limit may allow: each costs descriptors and buffers.
const MAX_CONNECTIONS: usize = 4_096;
/// Sessions that a node may dial by itself.
const MAX_OUTBOUND: usize = 256;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const UNITS: [(&str, u64); 4] = [("KiB", KIB), ("MiB", MIB), ("GiB", GIB), ("TiB", TIB)];

impl Reader<'_> {
    pub fn config(&mut self) -> Config {
        let config = Config {
            chain: Chain { name: self.name("chain.name") },
            rpc: Rpc {
                listen: self.socket("rpc.listen"),
                hosts: self.list("rpc.hosts"),
                origins: self.origins("rpc.origins"),
                public: self.is_on("rpc.public"),
                also: self.offer("rpc.public_also"),
                rates: RateLimits {
                    reads: self.rate("rpc.limit_reads"),
                    calls: self.rate("rpc.limit_calls"),
                    submits: self.rate("rpc.limit_submits"),
                    loopback: self.is_on("rpc.limit_loopback"),
                },
            },
            p2p: P2p {
                listen: self.socket("p2p.listen"),
                peers: self.peers("p2p.peers"),
                advertise: self.advertise("p2p.advertise"),
                max_outbound: self.count("p2p.max_outbound", 0, MAX_OUTBOUND),
                private: self.is_on("p2p.private"),
                private_peers: self.nodes("p2p.private_peers"),
                keepalive: self.duration("p2p.keepalive", Duration::from_secs(1), Duration::from_secs(600)),
                max_inbound: self.count("p2p.max_inbound", 0, MAX_CONNECTIONS),
                max_per_ip: self.count("p2p.max_per_ip", 1, MAX_CONNECTIONS),
                json: self.is_on("p2p.json"),
                pow_bits: self.stamp_bits("p2p.pow_bits"),
                certificate: self.certificate("p2p.certificate", "p2p.key"),
            },
            metrics: Metrics { listen: self.socket("metrics.listen") },
            admin: Admin { listen: self.loopback("admin.listen") },
            signing: Signing { on_missing: self.on_missing("signing.on_missing") },
            telemetry: Telemetry {
                otlp_endpoint: self.endpoint("telemetry.otlp_endpoint"),
                log_format: self.log_format("telemetry.log_format"),
                log_level: self.log_level("telemetry.log_level"),
            },
            shutdown: Shutdown { grace: self.duration("shutdown.grace", Duration::from_secs(1), Duration::from_secs(600)) },
            storage: Storage { cache_bytes: self.size("storage.cache", MIB, TIB) },
            history: History { state: self.retention("history.state") },
            chaos: Chaos { enabled: self.is_on("chaos.enabled") },
        };
        self.refuse_shared_ports();
        config
    }

    fn text(&self, path: &str) -> &str {
        match self.settings.get(path).map(|setting| &setting.value) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    fn is_on(&self, path: &str) -> bool {
        matches!(self.settings.get(path).map(|setting| &setting.value), Some(Value::Flag(true)))
    }

    fn refuse(&mut self, path: &str, value: &str, remedy: impl Into<String>) {
        if let Some(setting) = self.settings.get(path) {
            self.mistakes.push(Mistake { key: path.to_owned(), value: format!("{value:?}"), origin: setting.origin.clone(), remedy: remedy.into() });
        }
    }

    /// What `parse` makes of the text at `path`; if nothing, a mistake and `instead`.
    fn parse<T>(&mut self, path: &str, parse: impl Fn(&str) -> Option<T>, remedy: impl Into<String>, instead: T) -> T {
        let text = self.text(path).to_owned();
        parse(&text).unwrap_or_else(|| {
            self.refuse(path, &text, remedy);
            instead
        })
    }

    fn name(&mut self, path: &str) -> String {
        let is_name = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            (is_plain && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.len() <= 32).then(|| text.to_owned())
        };
        self.parse(path, is_name, "must be 1 to 32 lower case letters, digits or -, beginning with a letter; it names a directory", String::new())
    }

    fn socket(&mut self, path: &str) -> SocketAddr {
        let remedy = "must be an IP address with a port, as in \"127.0.0.1:3030\"";
        self.parse(path, |text| SocketAddr::from_str(text).ok(), remedy, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// A listener that nobody but this machine may reach.
    fn loopback(&mut self, path: &str) -> SocketAddr {
        let address = self.socket(path);
        if !address.ip().to_canonical().is_loopback() {
            let remedy =
                "must be a loopback address, as in \"127.0.0.1:3039\": whoever reaches it changes the node; from elsewhere use an SSH tunnel";
            let text = self.text(path).to_owned();
            self.refuse(path, &text, remedy);
        }
        address
    }

    fn list(&self, path: &str) -> Vec<String> {
        match self.settings.get(path).map(|setting| &setting.value) {
            Some(Value::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    fn origins(&mut self, path: &str) -> Vec<String> {
        let origins = self.list(path);
        for origin in &origins {
            let is_origin = origin.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty() && !rest.contains('/'));
            if origin != "*" && !is_origin {
                self.refuse(path, origin, "is no origin; write scheme://host or scheme://host:port without a path, or \"*\"");
            }
        }
        origins
    }

    fn offer(&mut self, path: &str) -> Offer {
        let mut offer = Offer::USUAL;
        for group in self.list(path) {
            match group.parse() {
                Ok(more) => offer = offer.and(more),
                Err(UnknownGroup) => self.refuse(path, &group, UnknownGroup.to_string()),
            }
        }
        offer
    }

    fn peers(&mut self, path: &str) -> Vec<PeerAddress> {
        let mut peers = Vec::new();
        for item in self.list(path) {
            match item.parse() {
                Ok(peer) => peers.push(peer),
                Err(_) => {
                    self.refuse(path, &item, "is no peer address; write \"host:port\" or \"nodeid@host:port\", where nodeid is 20 bytes of hex")
                }
            }
        }
        peers
    }

    fn nodes(&mut self, path: &str) -> BTreeSet<NodeId> {
        let mut nodes = BTreeSet::new();
        for item in self.list(path) {
            match item.parse() {
                Ok(node) => _ = nodes.insert(NodeId(node)),
                Err(_) => self.refuse(path, &item, "is no node id; write 20 bytes of hex, as `axolotl keys show` has them"),
            }
        }
        nodes
    }

    fn advertise(&mut self, path: &str) -> Option<SocketAddr> {
        if self.text(path).is_empty() {
            return None;
        }
        let parse = |text: &str| SocketAddr::from_str(text).ok().filter(wire::is_dialable).map(Some);
        self.parse(path, parse, "must be an IP address with a port at which others reach this node, as in \"203.0.113.7:4130\", or be empty", None)
    }

    fn duration(&mut self, path: &str, least: Duration, most: Duration) -> Duration {
        let remedy = format!("must be a duration with its unit from {} to {}", humantime::format_duration(least), humantime::format_duration(most));
        self.parse(path, |text| humantime::parse_duration(text).ok().filter(|given| (least..=most).contains(given)), remedy, least)
    }

    fn count(&mut self, path: &str, least: usize, most: usize) -> usize {
        let remedy = format!("must be a whole number in quotes, {least} to {most}");
        self.parse(path, |text| text.parse().ok().filter(|given| (least..=most).contains(given)), remedy, least)
    }

    fn stamp_bits(&mut self, path: &str) -> u8 {
        let remedy = format!("must be a number of bits in quotes from 0 to {MAX_STAMP_BITS}, as in \"14\"");
        self.parse(path, |text| text.parse().ok().filter(|bits| *bits <= MAX_STAMP_BITS), remedy, 0)
    }

    /// Two files, or none.
    fn certificate(&mut self, certificate: &str, key: &str) -> Option<(PathBuf, PathBuf)> {
        let files = (self.text(certificate).to_owned(), self.text(key).to_owned());
        match (files.0.is_empty(), files.1.is_empty()) {
            (true, true) => None,
            (false, false) => Some((files.0.into(), files.1.into())),
            (true, false) => {
                self.refuse(key, &files.1, format!("is of no use without a certificate; name its file: {certificate} = \"cert.pem\""));
                None
            }
            (false, true) => {
                self.refuse(certificate, &files.0, format!("is of no use without its key; name its file: {key} = \"key.pem\""));
                None
            }
        }
    }

    fn rate(&mut self, path: &str) -> Rate {
        let remedy = MalformedRate.to_string();
        self.parse(path, |text| text.parse().ok(), remedy, Rate { per_second: 1, burst: 1 })
    }

    fn size(&mut self, path: &str, least: u64, most: u64) -> u64 {
        let remedy = "must be a whole number with KiB, MiB, GiB or TiB, from 1MiB to 1TiB, as in \"64MiB\"";
        self.parse(path, |text| size(text).filter(|given| (least..=most).contains(given)), remedy, least)
    }

    fn retention(&mut self, path: &str) -> Retention {
        let parse = |text: &str| match text {
            "archive" => Some(Retention::Archive),
            number => number.parse().ok().map(Retention::Heights),
        };
        self.parse(path, parse, "must be \"archive\" or a number of heights in quotes, as in \"1024\"", Retention::Archive)
    }

    fn on_missing(&mut self, path: &str) -> Option<OnMissing> {
        let parse = |text: &str| match text {
            "auto" => Some(None),
            "refuse" => Some(Some(OnMissing::Refuse)),
            "observe" => Some(Some(OnMissing::Observe)),
            "recover" => Some(Some(OnMissing::Recover)),
            _ => None,
        };
        self.parse(path, parse, "must be \"auto\", \"refuse\", \"observe\" or \"recover\"", None)
    }

    fn log_format(&mut self, path: &str) -> LogFormat {
        let parse = |text: &str| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        };
        self.parse(path, parse, "must be \"text\" or \"json\"", LogFormat::Text)
    }

    fn log_level(&mut self, path: &str) -> Targets {
        // A lone word that is no level would be taken for the name of a part, and silence all others.
        let is_known = |directive: &str| !directive.trim().is_empty() && (directive.contains('=') || LevelFilter::from_str(directive.trim()).is_ok());
        let parse = |text: &str| if text.split(',').all(is_known) { Targets::from_str(text).ok() } else { None };
        self.parse(path, parse, "must be error, warn, info, debug or trace, or by part as in \"info,consensus=debug\"", Targets::new())
    }

    fn endpoint(&mut self, path: &str) -> Option<String> {
        let parse = |text: &str| {
            let uri: http::Uri = text.parse().ok()?;
            (uri.scheme_str() == Some("http") && uri.host().is_some()).then(|| Some(text.trim_end_matches('/').to_owned()))
        };
        if self.text(path).is_empty() {
            return None;
        }
        self.parse(path, parse, "must begin http:// and name a host, as in \"http://127.0.0.1:4318\", or be empty", None)
    }

    fn refuse_shared_ports(&mut self) {
        let paths = ["rpc.listen", "p2p.listen", "metrics.listen", "admin.listen"];
        for (number, path) in paths.iter().enumerate() {
            let text = self.text(path).to_owned();
            let is_fixed = text.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0);
            if let Some(other) = paths[..number].iter().find(|other| is_fixed && self.text(other) == text) {
                self.refuse(path, &text, format!("is taken by {other}; give each its own port"));
            }
        }
    }
}

fn size(text: &str) -> Option<u64> {
    UNITS.iter().find_map(|(unit, bytes)| text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(*bytes))
}
