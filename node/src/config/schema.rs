//! Every key of the configuration: its path, what it takes, its default, and what it is for.

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text in quotes.
    Text,
    /// `true` or `false`.
    Flag,
    /// A list of texts; separated by commas outside the file.
    List,
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// `section.name`.
    pub path: &'static str,
    pub kind: Kind,
    /// As it is written in TOML.
    pub default: &'static str,
    pub about: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, about }
}

/// All keys, section by section, in the order of the written file.
pub const KEYS: &[Key] = &[
    key("chain.name", Kind::Text, "\"alpha\"", "Name of the chain; its files are in data/<name>/."),
    key("rpc.listen", Kind::Text, "\"127.0.0.1:3030\"", "Where JSON-RPC, REST and health answer."),
    key("rpc.hosts", Kind::List, "[]", "Host names under which browsers may reach this node, besides loopback and IP addresses; \"*\" is any."),
    key("rpc.origins", Kind::List, "[]", "Pages that may call this node from a browser, as in \"https://app.example\"; \"*\" is any."),
    key(
        "rpc.public",
        Kind::Flag,
        "false",
        "Limit what each client may ask, and answer the usual methods alone. Always so when rpc.listen is no loopback address.\nBetter have sentries in front of a validator.",
    ),
    key(
        "rpc.public_also",
        Kind::List,
        "[]",
        "What a public listener answers besides: \"debug\" (debug_*), \"txpool\" (the lists of txpool_*), \"operator\" (/v1/actors, /v1/events,\n/v1/peers, and where else this node listens, on GET /).",
    ),
    key(
        "rpc.limit_reads",
        Kind::Text,
        "\"100/s burst 200\"",
        "Look-ups by one client of a public listener: a client is an IPv4 address or an IPv6 /64.",
    ),
    key("rpc.limit_calls", Kind::Text, "\"20/s burst 40\"", "The same for what runs the EVM or walks over blocks, as eth_call and eth_getLogs."),
    key("rpc.limit_submits", Kind::Text, "\"20/s burst 100\"", "The same for transactions."),
    key(
        "rpc.limit_loopback",
        Kind::Flag,
        "false",
        "Limit clients on this machine, too. Behind a proxy here all clients are one; let it do the limiting.",
    ),
    key("p2p.listen", Kind::Text, "\"127.0.0.1:4130\"", "Where other nodes reach this one."),
    key("p2p.peers", Kind::List, "[]", "Nodes to stay connected to: \"nodeid@host:port\", or \"host:port\" to take whoever answers."),
    key(
        "p2p.keepalive",
        Kind::Text,
        "\"30s\"",
        "How often a link is pinged; two misses end it. 1s to 10m. Links between validators are pinged each second, and three misses end them.\nAlso as AXOLOTL_P2P_KEEPALIVE_SECONDS, a whole number.",
    ),
    key(
        "p2p.max_inbound",
        Kind::Text,
        "\"48\"",
        "Sessions at a time with nodes that are neither configured nor validators: a whole number in quotes, up to 4096. Configured peers and\nvalidators have seats besides.",
    ),
    key(
        "p2p.max_per_ip",
        Kind::Text,
        "\"64\"",
        "Connections at a time that come from one IP address: a whole number in quotes, 1 to 4096. Behind one address there may be a whole network.",
    ),
    key(
        "p2p.advertise",
        Kind::Text,
        "\"\"",
        "Where other nodes are told to reach this one, as in \"203.0.113.7:4130\". Empty: p2p.listen, unless that is 0.0.0.0 or [::]; then nobody is told.",
    ),
    key(
        "p2p.max_outbound",
        Kind::Text,
        "\"16\"",
        "How many nodes to connect to besides p2p.peers, out of those it has learnt of: 0 to 256, in quotes.",
    ),
    key("p2p.private", Kind::Flag, "false", "Connect to p2p.peers only, and tell nobody an address: for a validator behind sentries."),
    key("p2p.private_peers", Kind::List, "[]", "Node ids that this node tells nobody of: a sentry names its validator here."),
    key("p2p.json", Kind::Flag, "false", "Also offer the JSON codec, for people and tools. A dev network always does."),
    key(
        "p2p.pow_bits",
        Kind::Text,
        "\"0\"",
        "Work that strangers must do to come in, in bits, \"0\" to \"20\"; more is demanded while too many come. Configured peers and validators\nare exempt.",
    ),
    key(
        "p2p.certificate",
        Kind::Text,
        "\"\"",
        "PEM file of a TLS certificate for p2p.listen, for whoever looks at the port from outside; other nodes accept any. Empty: a new one at\neach start.",
    ),
    key("p2p.key", Kind::Text, "\"\"", "PEM file of the private key of p2p.certificate."),
    key("metrics.listen", Kind::Text, "\"127.0.0.1:9090\"", "Where Prometheus fetches /metrics."),
    key(
        "admin.listen",
        Kind::Text,
        "\"127.0.0.1:3039\"",
        "Where `axolotl actors` reaches this node; a loopback address only. The token is in admin.token of the home.",
    ),
    key(
        "signing.on_missing",
        Kind::Text,
        "\"auto\"",
        "What to do when the sign state is lost on a running network: \"refuse\", \"observe\", \"recover\" (never on mainnet),\nor \"auto\": observe on mainnet, recover elsewhere.",
    ),
    key("telemetry.otlp_endpoint", Kind::Text, "\"\"", "OTLP collector for traces and metrics, as in \"http://127.0.0.1:4318\". Empty: off."),
    key("telemetry.log_format", Kind::Text, "\"text\"", "\"text\" or \"json\", one line per event on stderr."),
    key("telemetry.log_level", Kind::Text, "\"info\"", "error, warn, info, debug or trace; by part as in \"info,consensus=debug\"."),
    key("shutdown.grace", Kind::Text, "\"30s\"", "How long an ordered stop may take before the process ends anyway. 1s to 10m."),
    key("storage.cache", Kind::Text, "\"16MiB\"", "Memory for the database's cache. 1MiB to 1TiB."),
    key(
        "history.state",
        Kind::Text,
        "\"1024\"",
        "How many heights below the head the state is kept for eth_call, eth_getBalance, eth_getProof and the like: a whole number in quotes,\n\"archive\" for all heights, \"0\" for the head alone.",
    ),
    key("chaos.enabled", Kind::Flag, "false", "Allow faults to be injected into actors. Refused on mainnet."),
];

/// The key at `path`.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

impl Key {
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(section, _)| section)
    }

    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    /// The environment variable that sets it: `AXOLOTL_RPC_LISTEN` for `rpc.listen`.
    pub fn variable(&self) -> String {
        format!("AXOLOTL_{}", self.path.replace('.', "_").to_uppercase())
    }
}

/// The names known in `section`, or the sections when there is no such section.
pub fn known(section: &str) -> String {
    let names: Vec<_> = KEYS.iter().filter(|key| key.section() == section).map(Key::name).collect();
    if !names.is_empty() {
        return format!("[{section}] knows {}", names.join(", "));
    }
    let mut sections: Vec<_> = KEYS.iter().map(Key::section).collect();
    sections.dedup();
    format!("the sections are {}", sections.join(", "))
}

/// A commented configuration file. `values` are written as they are (TOML), everything else as a comment with its default.
pub fn template(values: &[(&str, String)]) -> String {
    let mut text = String::from(
        "# Configuration of an Axolotl node.\n# A flag (--set section.key=value) wins over an AXOLOTL_SECTION_KEY variable, which wins over this file.\n# `axolotl config show --origin` tells where each value comes from.\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            text.push_str(&format!("\n[{section}]\n"));
        }
        for line in key.about.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        match values.iter().find(|(path, _)| *path == key.path) {
            Some((_, value)) => text.push_str(&format!("{} = {value}\n", key.name())),
            None => text.push_str(&format!("#{} = {}\n", key.name(), key.default)),
        }
    }
    text
}
