//! The network that is put to it: nodes that run on this machine, each with its public face and its admin listener.

use std::{fs, path::Path, time::Duration};

use primitives::{Address, Genesis, genesis::NetworkKind};
use supervision::{ChildSnapshot, Snapshot};
use tokio::time::timeout;

use super::plan::{Actor, Subject};
use crate::{
    admin::{AdminClient, Place},
    client::Client,
    exit::{ExitCode, Failure},
    genesis_file,
    home::Home,
    network::{NetworkFile, NodeEntry},
};

/// Homes that are looked at in a directory without a `network.json`.
const MAX_HOMES: usize = 1_000;
/// How long a node may take to say of itself how it is.
pub const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// A running network.
#[derive(Clone, Debug)]
pub struct Target {
    pub nodes: Vec<Node>,
    pub genesis: Genesis,
}

/// One running node.
#[derive(Clone, Debug)]
pub struct Node {
    pub name: String,
    pub rpc: String,
    pub client: Client,
    pub admin: AdminClient,
    pub subject: Subject,
}

impl Target {
    /// The network in `directory`, all of whose nodes run and may be made to fail.
    pub async fn open(directory: &Path) -> Result<Self, Failure> {
        let entries = entries(directory);
        let Some(first) = entries.first() else {
            let failure = usage("there is no network").at(directory.display().to_string());
            return Err(failure.remedy("name the directory of a network that runs, or let one be made: --network localnet"));
        };
        let genesis = genesis_file::load(&Home::at(&first.home).genesis_file()).map_err(as_usage)?;
        if genesis.network_kind == NetworkKind::Mainnet {
            let failure = usage("this is a mainnet, on which nothing is made to fail").at(first.home.display().to_string());
            return Err(failure.remedy("use a network of kind dev or testnet"));
        }
        let mut nodes = Vec::new();
        for entry in entries {
            nodes.push(Node::open(entry, &genesis).await?);
        }
        Ok(Self { nodes, genesis })
    }

    pub fn subjects(&self) -> Vec<Subject> {
        self.nodes.iter().map(|node| node.subject.clone()).collect()
    }

    /// Takes back all faults that have not struck.
    pub async fn clear(&self) {
        for node in &self.nodes {
            for actor in &node.subject.actors {
                // A node that is away has forgotten them.
                let _ = timeout(PROBE_LIMIT, node.admin.clear(&actor.name)).await;
            }
        }
    }
}

impl Node {
    async fn open(entry: NodeEntry, genesis: &Genesis) -> Result<Self, Failure> {
        let (url, token) = Place::find(&Home::at(&entry.home)).map_err(as_usage)?;
        let (client, admin) = (Client::new(&entry.rpc)?, AdminClient::new(&url, token)?);
        let page = admin.tree().await.map_err(|error| as_usage(error.into()).at(entry.name.clone()))?;
        if !page.chaos_enabled {
            let failure = usage("fault injection is off").at(format!("{} in {}", entry.name, entry.home.display()));
            return Err(failure.remedy("set chaos.enabled = true in its configuration and start it again; a localnet: `axolotl localnet --chaos`"));
        }
        let address: Option<Address> = entry.validator.as_ref().and_then(|address| address.parse().ok());
        let power = address.map_or(0, |address| genesis.validators.power_of(&address));
        let subject = Subject { name: entry.name.clone(), power, actors: actors(&page.tree) };
        Ok(Self { name: entry.name, rpc: entry.rpc, client, admin, subject })
    }

    /// Its tree now; none when it does not say in time.
    pub async fn tree(&self) -> Option<Snapshot> {
        timeout(PROBE_LIMIT, self.admin.tree()).await.ok()?.ok().map(|page| page.tree)
    }

    /// Whether all of `/readyz` holds now; otherwise what does not.
    pub async fn readiness(&self) -> Result<(), String> {
        match timeout(PROBE_LIMIT, self.client.get("/readyz")).await {
            Ok(Ok((status, _))) if status.is_success() => Ok(()),
            Ok(Ok((_, body))) => {
                let text = String::from_utf8_lossy(&body).into_owned();
                let missing: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("[-] ")).collect();
                Err(format!("{}: {}", self.name, missing.join("; ")))
            }
            Ok(Err(error)) => Err(format!("{}: {error}", self.name)),
            Err(_) => Err(format!("{}: no answer within {PROBE_LIMIT:?}", self.name)),
        }
    }
}

/// The static actors, by name.
fn actors(tree: &Snapshot) -> Vec<Actor> {
    let own = |child: &&ChildSnapshot| child.parent.is_none();
    let mut actors: Vec<_> =
        tree.children.iter().filter(own).map(|child| Actor { name: child.name.clone(), is_exclusive: child.exclusive }).collect();
    actors.sort();
    actors
}

/// The nodes of `directory`: those of its own file, otherwise those that each home in it names.
fn entries(directory: &Path) -> Vec<NodeEntry> {
    if let Some(file) = NetworkFile::read(directory) {
        return file.nodes;
    }
    let beside = fs::read_dir(directory).map(|entries| entries.flatten().take(MAX_HOMES).collect::<Vec<_>>()).unwrap_or_default();
    let mut nodes: Vec<_> = beside.iter().filter_map(|entry| NetworkFile::read(&entry.path())).flat_map(|file| file.nodes).collect();
    nodes.sort_by(|left, right| left.home.cmp(&right.home));
    nodes
}

/// Whatever keeps a run from beginning is a matter of how it was asked for.
fn as_usage(mut failure: Failure) -> Failure {
    failure.code = ExitCode::Usage;
    failure
}

fn usage(what: &str) -> Failure {
    Failure::new(ExitCode::Usage, what)
}
