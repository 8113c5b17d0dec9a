//! Everything a node needs before its first actor starts: read, checked, and its doors open.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, sync::Arc};

use primitives::{Genesis, NodeId, SecretKey};

use wire::Certificate;

use crate::{
    certificate,
    config::{Config, Origin, Override, Resolved, Setting, Sources, Value, resolve},
    exit::{ExitCode, Failure},
    genesis_file,
    home::Home,
    keys,
    listeners::Listeners,
    network::{self, Member, NetworkFile, NodeEntry},
    ports::{PortOffset, Ports},
};

/// A node ready to start.
#[derive(Debug)]
pub struct Launch {
    /// For people: `validator-0`, or the name of the home's directory.
    pub name: String,
    pub home: Home,
    pub genesis: Arc<Genesis>,
    pub config: Config,
    /// Who set what.
    pub settings: BTreeMap<&'static str, Setting>,
    pub node_key: SecretKey,
    /// None: the node follows and never votes.
    pub validator_key: Option<SecretKey>,
    /// The operator's own for the P2P listener.
    pub certificate: Option<Certificate>,
    pub listeners: Listeners,
}

/// What `axolotl start` was asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub home: PathBuf,
    /// Number of a development validator, and how many there are.
    pub development: Option<(usize, usize)>,
    /// Wins over the development genesis.
    pub genesis_file: Option<PathBuf>,
    pub port_offset: Option<PortOffset>,
    pub environment: Vec<(String, String)>,
    pub flags: Vec<Override>,
}

/// Reads the home and opens the doors. A home is made only for a development validator, and only when there is none.
pub fn prepare(request: &Request) -> Result<Launch, Failure> {
    let home = Home::at(&request.home);
    let wanted = wanted_genesis(request)?;
    if let (Some((index, count)), Some(genesis), false) = (request.development, &wanted, home.exists()) {
        let members: Vec<_> = (0..count).map(Member::development).collect();
        let ports = Ports::of_network(count, 0)?;
        make_development_home(&home, &members, index, genesis, &ports)?;
    }
    let name = match request.development {
        Some((index, _)) => network::name(index),
        None => request.home.file_name().map_or("node".to_owned(), |name| name.to_string_lossy().into_owned()),
    };
    let is_any = request.port_offset == Some(PortOffset::Any);
    let mut launch = open(name, home, placed(request)?, &request.environment, if is_any { Some(Listeners::free()?) } else { None })?;
    launch.refuse_other_genesis(wanted.as_ref())?;
    launch.refuse_other_key(request.development)?;
    NetworkFile::of(std::slice::from_ref(&launch)).write(launch.home.root())?;
    if is_any {
        launch.meet_neighbours();
    }
    Ok(launch)
}

/// Reads and checks the home; then takes `listeners`, or opens the configured ports.
pub(crate) fn open(
    name: String,
    home: Home,
    placing: Placing,
    environment: &[(String, String)],
    listeners: Option<Listeners>,
) -> Result<Launch, Failure> {
    let found = listeners.as_ref().map_or(Vec::new(), Listeners::overrides);
    let resolved = configure(&home, placing, environment, found)?;
    let genesis = genesis_file::load(&home.genesis_file())?;
    resolved.check_against(&genesis)?;
    let node_key = keys::read(&home.node_key_file())?;
    let validator_key = keys::read_if_there(&home.validator_key_file())?;
    if validator_key.as_ref().is_some_and(|key| key.address() == node_key.address()) {
        let failure = Failure::config("the validator key is also the node key").at(home.validator_key_file().display().to_string());
        return Err(failure.remedy("make a node key of its own: move keys/node.key away and run `axolotl keys new --node`"));
    }
    let certificate = resolved.config.p2p.certificate.as_ref().map(|files| certificate::load(home.root(), files)).transpose()?;
    home.refuse_if_held()?;
    let listeners = match listeners {
        Some(listeners) => listeners,
        None => Listeners::open(&name, &resolved.config)?,
    };
    let Resolved { config, settings } = resolved;
    Ok(Launch { name, home, genesis: Arc::new(genesis), config, settings, node_key, validator_key, certificate, listeners })
}

/// The configuration of `home` with the ports that were `found` free and what the command line says.
pub(crate) fn configure(home: &Home, placing: Placing, environment: &[(String, String)], found: Vec<Override>) -> Result<Resolved, Failure> {
    let file = Some((home.config_file(), home.read_config()?));
    let mut sources = Sources { file, environment: environment.to_vec(), flags: found };
    if let Placing::Shift(by, _) = &placing {
        sources.flags = shifted(&sources, *by)?;
    }
    let (Placing::Shift(_, flags) | Placing::Flags(flags)) = placing;
    sources.flags.extend(flags);
    Ok(resolve(&sources)?)
}

/// How the command line moves a node.
pub(crate) enum Placing {
    /// Each configured port by so many, then these flags.
    Shift(u16, Vec<Override>),
    Flags(Vec<Override>),
}

impl Launch {
    /// Peers that took whatever ports were free are also looked for where they say they are.
    fn meet_neighbours(&mut self) {
        let found = network::neighbours(self.home.root(), &self.config.p2p.peers);
        if found.is_empty() {
            return;
        }
        self.config.p2p.peers.extend(found);
        let value = Value::List(self.config.p2p.peers.iter().map(ToString::to_string).collect());
        self.settings.insert("p2p.peers", Setting { value, origin: Origin::Flag { flag: "--port-offset any".to_owned() } });
    }

    pub fn node_id(&self) -> NodeId {
        self.node_key.public_key().into()
    }

    /// Whether this node's key is in the genesis validator set.
    pub fn is_validator(&self) -> bool {
        self.validator_key.as_ref().is_some_and(|key| self.genesis.validators.get(&key.address()).is_some())
    }

    /// What this node does on its chain, for people: one that only follows by mistake must say so.
    pub fn role(&self) -> String {
        match &self.validator_key {
            Some(key) if self.is_validator() => format!("validator {}", key.address()),
            Some(key) => format!("a follower that never signs: {} is not in the validator set of this genesis", key.address()),
            None => format!("a follower that never signs: there is no {}", self.home.validator_key_file().display()),
        }
    }

    /// Arguments with which `axolotl` runs this node as a process of its own: what is not in its file or the environment.
    pub fn arguments(&self) -> Vec<OsString> {
        let given = self.settings.iter().filter(|(_, setting)| matches!(setting.origin, Origin::Flag { .. }));
        let settings = given.flat_map(|(path, setting)| ["--set".into(), format!("{path}={}", setting.value.plain()).into()]);
        ["start".into(), "--home".into(), self.home.root().into()].into_iter().chain(settings).collect()
    }

    fn refuse_other_genesis(&self, wanted: Option<&Genesis>) -> Result<(), Failure> {
        match wanted {
            Some(wanted) if wanted.hash() != self.genesis.hash() => {
                let failure = Failure::config("the home belongs to another genesis")
                    .at(format!("{}: {}", self.home.genesis_file().display(), self.genesis.hash()))
                    .at(format!("asked for: {}", wanted.hash()));
                Err(failure.remedy("use another --home, or leave out --genesis-file and --dev"))
            }
            _ => Ok(()),
        }
    }

    fn refuse_other_key(&self, development: Option<(usize, usize)>) -> Result<(), Failure> {
        let Some((index, _)) = development else { return Ok(()) };
        let expected = crate::development::validator_key(index as u32).address();
        match self.validator_key.as_ref().map(SecretKey::address) {
            Some(address) if address == expected => Ok(()),
            other => {
                let found = other.map_or("no validator key".to_owned(), |address| format!("the key of {address}"));
                let failure = Failure::config(format!("the home is not that of development validator {index}"));
                let failure = failure.at(format!("{} holds {found}, not that of {expected}", self.home.root().display()));
                Err(failure.remedy("use another --home for each --dev number"))
            }
        }
    }
}

impl NetworkFile {
    /// Where these nodes answer.
    pub fn of(launches: &[Launch]) -> Self {
        let entry = |launch: &Launch| NodeEntry {
            name: launch.name.clone(),
            validator: launch.validator_key.as_ref().map(|key| key.address().to_string()),
            node_id: launch.node_id().to_string(),
            rpc: format!("http://{}", launch.config.rpc.listen),
            p2p: format!("{}@{}", launch.node_id(), launch.config.p2p.listen),
            metrics: format!("http://{}/metrics", launch.config.metrics.listen),
            admin: format!("http://{}", launch.config.admin.listen),
            home: launch.home.root().to_owned(),
        };
        Self {
            chain_id: launches.first().map_or(0, |launch| launch.genesis.chain_id),
            genesis_hash: launches.first().map_or(String::new(), |launch| launch.genesis.hash().to_string()),
            pid: std::process::id(),
            nodes: launches.iter().map(entry).collect(),
        }
    }
}

/// The genesis the command line names, if it names one.
fn wanted_genesis(request: &Request) -> Result<Option<Genesis>, Failure> {
    if let Some((index, count)) = request.development {
        check_development_number(index, count)?;
    }
    match (&request.genesis_file, request.development) {
        (Some(path), _) => genesis_file::load(path).map(Some),
        (None, Some((_, count))) => crate::localnet::development_genesis(count, None, None).map(Some),
        (None, None) => Ok(None),
    }
}

fn check_development_number(index: usize, count: usize) -> Result<(), Failure> {
    if index < count && count <= crate::development::MAX_VALIDATORS {
        return Ok(());
    }
    let failure = Failure::new(ExitCode::Usage, format!("there is no development validator {index} of {count}"));
    Err(failure.remedy(format!("--dev counts from 0 and is below --dev-num-validators, which is at most {}", crate::development::MAX_VALIDATORS)))
}

fn make_development_home(home: &Home, members: &[Member], index: usize, genesis: &Genesis, ports: &[Ports]) -> Result<(), Failure> {
    let config = network::config_text(&network::placement(members, index, ports), &[]);
    let member = &members[index];
    home.create(&crate::home::Contents {
        config: &config,
        genesis: &genesis.to_json(),
        node_key: &member.node_key,
        validator_key: Some(&member.validator_key),
    })
}

/// A development validator moves together with its peers; any other node moves alone.
fn placed(request: &Request) -> Result<Placing, Failure> {
    let flags = request.flags.clone();
    match (request.port_offset, request.development) {
        (Some(PortOffset::By(by)), Some((index, count))) => {
            let members: Vec<_> = (0..count).map(Member::development).collect();
            let placement = network::placement(&members, index, &Ports::of_network(count, by)?);
            let moved = network::overrides(&placement, &format!("--port-offset {by}"));
            Ok(Placing::Flags(moved.into_iter().chain(flags).collect()))
        }
        (Some(PortOffset::By(by)), None) => Ok(Placing::Shift(by, flags)),
        _ => Ok(Placing::Flags(flags)),
    }
}

/// Flags that move each configured port by `by`.
fn shifted(sources: &Sources, by: u16) -> Result<Vec<Override>, Failure> {
    let config = resolve(sources)?.config;
    let doors = [
        ("rpc.listen", config.rpc.listen),
        ("p2p.listen", config.p2p.listen),
        ("metrics.listen", config.metrics.listen),
        ("admin.listen", config.admin.listen),
    ];
    let moved = |(path, mut address): (&str, std::net::SocketAddr)| {
        let port = address.port().checked_add(by).ok_or_else(|| {
            let failure = Failure::new(ExitCode::Usage, format!("port {} cannot be moved by {by}", address.port())).at(path);
            failure.remedy("use a smaller --port-offset")
        })?;
        address.set_port(port);
        Ok(Override { path: path.to_owned(), value: address.to_string(), flag: format!("--port-offset {by}") })
    };
    doors.into_iter().map(moved).collect()
}

#[cfg(test)]
mod tests;
