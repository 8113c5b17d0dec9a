//! A network on one machine: its members, their homes, and the file that says where each of them answers.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use consensus::signer::{self, Identity};
use primitives::{Filesystem, Genesis, NodeId, PeerAddress, SecretKey, Validator};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Override, Setting, Sources, Value, resolve, schema},
    development,
    exit::{ExitCode, Failure},
    home::{self, Contents, Home},
    keys,
    ports::Ports,
};

/// Directories beside a home that are looked at.
const MAX_NEIGHBOURS: usize = 1_000;

/// A node of a new network.
pub struct Member {
    /// `validator-0` and so on; also the name of its directory.
    pub name: String,
    pub node_key: SecretKey,
    pub validator_key: SecretKey,
}

impl Member {
    /// With the keys that everybody knows.
    pub fn development(index: usize) -> Self {
        let number = index as u32;
        Self { name: name(index), node_key: development::node_key(number), validator_key: development::validator_key(number) }
    }

    /// With keys that nobody else has.
    pub fn fresh(index: usize) -> Self {
        Self { name: name(index), node_key: keys::generate(), validator_key: keys::generate() }
    }

    /// Its entry in a genesis, with power 1.
    pub fn validator(&self) -> Validator {
        let public_key = self.validator_key.public_key();
        Validator { address: public_key.address(), public_key, power: 1 }
    }

    pub fn node_id(&self) -> NodeId {
        self.node_key.public_key().into()
    }
}

/// Name of the member number `index`, and of its directory.
pub fn name(index: usize) -> String {
    format!("validator-{index}")
}

/// Makes the home of `members[index]` below `directory`, connected to all others.
pub fn make_home(directory: &Path, members: &[Member], index: usize, genesis: &Genesis, ports: &[Ports]) -> Result<Home, Failure> {
    let member = &members[index];
    let home = Home::at(directory.join(&member.name));
    let config = config_text(&placement(members, index, ports), &[]);
    home.create(&Contents { config: &config, genesis: &genesis.to_json(), node_key: &member.node_key, validator_key: Some(&member.validator_key) })?;
    Ok(home)
}

/// Writes into `homes`, those of all `members`, that nothing was signed on this chain. Only for a chain that is new to everybody:
/// the gate, at which the others say what they hold of a key, is all that is left when it is not, as with a second development
/// network of the same genesis elsewhere.
pub fn record_nothing_signed(homes: &[Home], members: &[Member], genesis: &Genesis) -> Result<(), Failure> {
    for (home, member) in homes.iter().zip(members) {
        let resolved = resolve(&Sources { file: Some((home.config_file(), home.read_config()?)), ..Sources::default() })?;
        let disk = Filesystem::at(home.data(&resolved.config.chain.name));
        let identity = Identity { genesis: genesis.hash(), key: member.validator_key.address() };
        signer::record_nothing_signed(&disk, &identity).map_err(|error| Failure::new(ExitCode::Disk, error.to_string()))?;
    }
    Ok(())
}

/// A configuration file with this placement, and with what `kept` set otherwise.
pub fn config_text(placement: &[(&'static str, Value)], kept: &[(&'static str, &Setting)]) -> String {
    let is_placed = |path: &str| placement.iter().any(|(placed, _)| *placed == path);
    let kept = kept.iter().filter(|(path, _)| !is_placed(path)).map(|(path, setting)| (*path, setting.value.to_string()));
    let values: Vec<_> = placement.iter().map(|(path, value)| (*path, value.to_string())).chain(kept).collect();
    schema::template(&values)
}

/// The settings that place member `index` among the others on loopback.
pub fn placement(members: &[Member], index: usize, ports: &[Ports]) -> Vec<(&'static str, Value)> {
    let listen = |port: u16| Value::Text(loopback(port).to_string());
    let others = members.iter().zip(ports).enumerate().filter(|(other, _)| *other != index);
    let peer =
        |(member, ports): (&Member, &Ports)| PeerAddress { node: Some(member.node_id()), host: Ipv4Addr::LOCALHOST.to_string(), port: ports.p2p };
    let peers = others.map(|(_, other)| peer(other).to_string()).collect();
    vec![
        ("rpc.listen", listen(ports[index].rpc)),
        ("p2p.listen", listen(ports[index].p2p)),
        ("p2p.peers", Value::List(peers)),
        ("metrics.listen", listen(ports[index].metrics)),
        ("admin.listen", listen(ports[index].admin)),
    ]
}

/// The same as flags, set by `flag`.
pub fn overrides(placement: &[(&'static str, Value)], flag: &str) -> Vec<Override> {
    placement.iter().map(|(path, value)| Override { path: path.to_string(), value: value.plain(), flag: flag.to_owned() }).collect()
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// `network.json`: where the nodes of a running network answer, for scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFile {
    pub chain_id: u64,
    pub genesis_hash: String,
    /// The process that wrote the file.
    pub pid: u32,
    pub nodes: Vec<NodeEntry>,
}

/// One node of a [`NetworkFile`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEntry {
    pub name: String,
    /// Address of the consensus key; none for a node that only follows.
    pub validator: Option<String>,
    pub node_id: String,
    pub rpc: String,
    pub p2p: String,
    pub metrics: String,
    /// The admin listener; its token is in the home.
    #[serde(default)]
    pub admin: String,
    pub home: PathBuf,
}

impl NetworkFile {
    /// Writes `network.json` into `directory`, whole or not at all.
    pub fn write(&self, directory: &Path) -> Result<PathBuf, Failure> {
        let path = directory.join("network.json");
        let text = serde_json::to_string_pretty(self).expect("strings and numbers are always JSON");
        home::write(&path, &(text + "\n"))?;
        Ok(path)
    }

    /// The file in `directory`, if there is one that can be read.
    pub fn read(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory.join("network.json")).ok()?).ok()
    }
}

/// Where the neighbours of `home`, each begun with `--port-offset any`, say that the nodes among `peers` answer.
///
/// Homes of one network stand side by side. Whoever begins writes its own `network.json` first and reads those of the others
/// then, so that of any two at least one knows where the other is, in whatever order or hurry they begin. A file from an
/// earlier run does no harm: only the node with that id is spoken to.
pub fn neighbours(home: &Path, peers: &[PeerAddress]) -> Vec<PeerAddress> {
    let beside = home.canonicalize().ok().and_then(|home| home.parent().map(Path::to_owned));
    let Some(entries) = beside.and_then(|beside| fs::read_dir(beside).ok()) else { return Vec::new() };
    let files = entries.flatten().take(MAX_NEIGHBOURS).filter_map(|entry| NetworkFile::read(&entry.path()));
    let addresses = files.flat_map(|file| file.nodes).filter_map(|node| node.p2p.parse::<PeerAddress>().ok());
    let is_wanted = |address: &PeerAddress| address.node.is_some() && peers.iter().any(|peer| peer.node == address.node) && !peers.contains(address);
    addresses.filter(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Sources, resolve};

    #[test]
    fn each_member_is_connected_to_all_others_by_node_id() {
        let members: Vec<_> = (0..3).map(Member::development).collect();
        let ports = Ports::of_network(3, 0).unwrap();
        let text = config_text(&placement(&members, 1, &ports), &[]);
        let config = resolve(&Sources { file: Some(("c".into(), text)), ..Sources::default() }).unwrap().config;
        assert_eq!(config.rpc.listen.port(), 3_040);
        let peers: Vec<_> = config.p2p.peers.iter().map(|peer| (peer.node, peer.port)).collect();
        assert_eq!(peers, [(Some(members[0].node_id()), 4_130), (Some(members[2].node_id()), 4_150)]);
    }

    #[test]
    fn flags_say_the_same_as_the_file() {
        let members: Vec<_> = (0..2).map(Member::development).collect();
        let placement = placement(&members, 0, &Ports::of_network(2, 7).unwrap());
        let by_flags = resolve(&Sources { flags: overrides(&placement, "--port-offset 7"), ..Sources::default() }).unwrap();
        let by_file = resolve(&Sources { file: Some(("c".into(), config_text(&placement, &[]))), ..Sources::default() }).unwrap();
        assert_eq!(by_flags.config.p2p.peers, by_file.config.p2p.peers);
        assert_eq!(by_flags.settings["p2p.peers"].origin.to_string(), "flag --port-offset 7");
    }

    #[test]
    fn a_rewritten_file_keeps_what_the_operator_set() {
        let mine = resolve(&Sources { file: Some(("c".into(), "[storage]\ncache = \"64MiB\"\n".into())), ..Sources::default() }).unwrap();
        let kept = [("storage.cache", &mine.settings["storage.cache"])];
        let text = config_text(&[("rpc.listen", Value::Text("127.0.0.1:1".into()))], &kept);
        assert!(text.contains("\ncache = \"64MiB\"\n") && text.contains("\nlisten = \"127.0.0.1:1\"\n"), "{text}");
    }
}
