//! `init`, `testnet init`, `keys`: what makes homes and keys.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use primitives::{B256, Genesis, NodeId, SecretKey, genesis::NetworkKind};
use serde_json::json;

use super::{
    arguments::{Init, Keys, KeysNew, NewNetwork, TestnetInit},
    printer::Printer,
};
use crate::{
    config::schema,
    exit::{ExitCode, Failure},
    genesis_file::{self, Wishes},
    home::{Contents, Home},
    keys, localnet,
    network::{self, Member},
    ports::Ports,
};

/// `axolotl init`.
pub fn home(arguments: &Init, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let member = Member::fresh(0);
    let genesis = match &arguments.genesis_file {
        Some(path) => genesis_file::load(path)?,
        None => genesis_file::make(&Wishes {
            chain_id: genesis_file::DEVELOPMENT_CHAIN_ID,
            kind: NetworkKind::Dev,
            validators: vec![member.validator()],
            block_interval: None,
            empty_block_interval: None,
            timestamp: None,
            nonce: B256::ZERO,
            funded: Vec::new(),
        })?,
    };
    let peers: Vec<_> = genesis.bootstrap_peers.iter().map(|peer| format!("\"{peer}\"")).collect();
    let values = if peers.is_empty() { Vec::new() } else { vec![("p2p.peers", format!("[{}]", peers.join(", ")))] };
    let home = Home::at(&arguments.home);
    home.create(&Contents {
        config: &schema::template(&values),
        genesis: &genesis.to_json(),
        node_key: &member.node_key,
        validator_key: (!arguments.follower).then_some(&member.validator_key),
    })?;
    let data = json!({
        "home": home.root(),
        "chain_id": genesis.chain_id,
        "genesis_hash": genesis.hash(),
        "node_id": member.node_id(),
        "validator": (!arguments.follower).then(|| member.validator_key.address()),
    });
    printer.print(&data, || {
        format!(
            "made {}\n  chain id   {}\n  genesis    {}\n  node id    {}\nnext: axolotl start --home {}",
            home.root().display(),
            genesis.chain_id,
            genesis.hash(),
            member.node_id(),
            home.root().display()
        )
    })
}

/// `axolotl testnet init`.
pub fn testnet(arguments: &TestnetInit, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let directory = &arguments.directory;
    refuse_occupied(directory)?;
    if arguments.dev {
        localnet::check_count(arguments.validators)?;
    }
    let ports = Ports::of_network(arguments.validators, arguments.port_offset)?;
    let member = if arguments.dev { Member::development } else { Member::fresh };
    let members: Vec<_> = (0..arguments.validators).map(member).collect();
    let usual = if arguments.dev { NetworkKind::Dev } else { NetworkKind::Testnet };
    let genesis = new_genesis(&arguments.network, usual, members.iter().map(Member::validator).collect())?;
    let homes: Vec<_> = (0..members.len()).map(|index| network::make_home(directory, &members, index, &genesis, &ports)).collect::<Result<_, _>>()?;
    network::record_nothing_signed(&homes, &members, &genesis)?;
    let nodes: Vec<_> = members
        .iter()
        .zip(&homes)
        .zip(&ports)
        .map(|((member, home), ports)| {
            json!({ "name": member.name, "home": home.root(), "validator": member.validator_key.address(), "node_id": member.node_id(),
                    "rpc": ports.rpc, "p2p": ports.p2p, "metrics": ports.metrics, "admin": ports.admin })
        })
        .collect();
    let tolerance = genesis_file::fault_tolerance(&genesis.validators);
    let data = json!({ "chain_id": genesis.chain_id, "genesis_hash": genesis.hash(), "fault_tolerance": tolerance, "nodes": nodes });
    printer.print(&data, || {
        let starts: Vec<_> = homes.iter().map(|home| format!("  axolotl start --home {}", home.root().display())).collect();
        let head = format!("made {} homes, chain id {}, genesis {}\n{tolerance}", homes.len(), genesis.chain_id, genesis.hash());
        format!("{head}\nnext, each in its own terminal:\n{}", starts.join("\n"))
    })
}

/// A genesis as the command line has it, with the customs of its kind of network.
pub fn new_genesis(network: &NewNetwork, usual: NetworkKind, validators: Vec<primitives::Validator>) -> Result<Genesis, Failure> {
    let kind = network.network_kind.unwrap_or(usual);
    let is_dev = kind == NetworkKind::Dev;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    genesis_file::make(&Wishes {
        chain_id: network.chain_id,
        kind,
        validators,
        block_interval: network.block_interval,
        empty_block_interval: network.empty_block_interval,
        timestamp: network.timestamp.or((!is_dev).then_some(now)),
        nonce: network.nonce.unwrap_or_else(|| if is_dev { B256::ZERO } else { B256::new(rand::random()) }),
        funded: network.fund.clone(),
    })
}

/// `axolotl keys`.
pub fn keys(command: &Keys, printer: &mut Printer<'_>) -> Result<(), Failure> {
    match command {
        Keys::New(arguments) => new_keys(arguments)?,
        Keys::Show { .. } => {}
    }
    let (Keys::New(KeysNew { home, .. }) | Keys::Show { home, .. }) = command;
    show_keys(&Home::at(home), printer)
}

fn new_keys(arguments: &KeysNew) -> Result<(), Failure> {
    let home = Home::at(&arguments.home);
    let is_all = !arguments.node && !arguments.validator;
    let wanted = [(arguments.node || is_all, home.node_key_file()), (arguments.validator || is_all, home.validator_key_file())];
    let files: Vec<PathBuf> = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, path)| path).collect();
    if let Some(path) = files.iter().find(|path| path.exists()) {
        let failure = Failure::config("there is a key already; nothing was changed").at(path.display().to_string());
        return Err(failure.remedy("move it away first, and keep it: a validator's old key may still be in the set"));
    }
    home.make_directories()?;
    files.iter().try_for_each(|path| keys::write(path, &keys::generate()))
}

fn show_keys(home: &Home, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let node = keys::read_if_there(&home.node_key_file())?;
    let validator = keys::read_if_there(&home.validator_key_file())?;
    if node.is_none() && validator.is_none() {
        let failure = Failure::config("there are no keys here").at(home.root().join("keys").display().to_string());
        return Err(failure.remedy(format!("make them with `axolotl keys new --home {}`", home.root().display())));
    }
    let public = |key: &SecretKey| json!({ "address": key.address(), "public_key": key.public_key() });
    let data = json!({
        "node": node.as_ref().map(|key| json!({ "node_id": NodeId::from(key.public_key()), "public_key": key.public_key() })),
        "validator": validator.as_ref().map(public),
    });
    printer.print(&data, || {
        let line = |what: &str, key: &Option<SecretKey>| match key {
            Some(key) => format!("{what}  {}  public key {}", key.address(), key.public_key()),
            None => format!("{what}  none"),
        };
        format!("{}\n{}", line("node     ", &node), line("validator", &validator))
    })
}

fn refuse_occupied(directory: &Path) -> Result<(), Failure> {
    let is_occupied = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if !is_occupied {
        return Ok(());
    }
    let failure = Failure::new(ExitCode::Config, "the directory is not empty").at(directory.display().to_string());
    Err(failure.remedy("name a new directory with --output"))
}
