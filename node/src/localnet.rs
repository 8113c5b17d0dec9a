//! A development network in one directory: made on the first run, found again on every later one.
//!
//! ```text
//!   axolotl-localnet/validator-0/   a complete home each
//!   axolotl-localnet/validator-1/   ...
//!   axolotl-localnet/network.json   where they answer now
//! ```

use std::{path::PathBuf, time::Duration};

use primitives::{Genesis, genesis::NetworkKind};
use serde_json::{Value, json};

use crate::{
    config::{Origin, Override, Sources, resolve},
    development,
    exit::{ExitCode, Failure},
    genesis_file::{self, DEVELOPMENT_CHAIN_ID, Wishes},
    home::{self, Fresh, Home},
    launch::{self, Launch, Placing},
    listeners::Listeners,
    network::{self, Member, NetworkFile},
    ports::{self, PortOffset, Ports},
};

/// Validators of a network that does not say how many it wants.
pub const USUAL_VALIDATORS: usize = 4;

/// What `axolotl localnet` was asked for. What is none stays as it was, or is as usual in a new network.
#[derive(Clone, Debug)]
pub struct Request {
    pub directory: PathBuf,
    pub validators: Option<usize>,
    pub block_interval: Option<Duration>,
    pub empty_block_interval: Option<Duration>,
    pub port_offset: Option<PortOffset>,
    pub fresh_start: bool,
    pub environment: Vec<(String, String)>,
    pub flags: Vec<Override>,
}

/// A network ready to start.
#[derive(Debug)]
pub struct Localnet {
    pub directory: PathBuf,
    pub genesis: Genesis,
    /// One for each validator, in order.
    pub nodes: Vec<Launch>,
    /// What a fresh start did, one for each home that was there.
    pub fresh: Vec<Fresh>,
    /// `network.json`.
    pub network_file: PathBuf,
}

/// Makes or finds the homes, reads them all, opens all doors and writes `network.json`.
pub fn prepare(request: &Request) -> Result<Localnet, Failure> {
    let existing = existing_genesis(request)?;
    let genesis = match &existing {
        Some(genesis) if !request.fresh_start => keep(request, genesis.clone())?,
        _ => development_genesis(request.validators.unwrap_or(USUAL_VALIDATORS), request.block_interval, request.empty_block_interval)?,
    };
    let members: Vec<_> = (0..genesis.validators.len()).map(Member::development).collect();
    let fresh = match &existing {
        Some(old) if request.fresh_start => begin_anew(request, old, &genesis, &members)?,
        _ => Vec::new(),
    };
    let homes: Vec<_> = (0..members.len()).map(|index| home_of(request, index)).collect();
    let is_new = request.fresh_start || existing.is_none() && homes.iter().all(Home::is_unused);
    make_missing_homes(request, &genesis, &members)?;
    if is_new {
        network::record_nothing_signed(&homes, &members, &genesis)?;
    }
    let nodes = open(request, &members)?;
    refuse_mixed(&nodes, &genesis)?;
    let network_file = NetworkFile::of(&nodes).write(&request.directory)?;
    Ok(Localnet { directory: request.directory.clone(), genesis, nodes, fresh, network_file })
}

/// The genesis of a development network of `validators` well-known validators.
pub fn development_genesis(validators: usize, block_interval: Option<Duration>, empty_block_interval: Option<Duration>) -> Result<Genesis, Failure> {
    check_count(validators)?;
    genesis_file::make(&Wishes {
        chain_id: DEVELOPMENT_CHAIN_ID,
        kind: NetworkKind::Dev,
        validators: (0..validators).map(|index| Member::development(index).validator()).collect(),
        block_interval,
        empty_block_interval,
        timestamp: None,
        nonce: Default::default(),
        funded: Vec::new(),
    })
}

/// Refuses more validators than there are development keys, and none.
pub fn check_count(validators: usize) -> Result<(), Failure> {
    if (1..=development::MAX_VALIDATORS).contains(&validators) {
        return Ok(());
    }
    let failure = Failure::new(ExitCode::Usage, format!("a development network cannot have {validators} validators"));
    Err(failure.at(format!("--validators {validators}")).remedy(format!("ask for 1 to {}", development::MAX_VALIDATORS)))
}

/// What a new network begins with; the same on every machine.
pub fn initial_state(genesis: &Genesis) -> Value {
    let validators: Vec<_> = (0..genesis.validators.len())
        .map(|index| {
            let member = Member::development(index);
            let validator = member.validator();
            json!({ "name": member.name, "address": validator.address, "public_key": validator.public_key, "power": validator.power, "node_id": member.node_id() })
        })
        .collect();
    let accounts: Vec<_> = genesis.alloc.iter().filter(|(_, account)| account.code.is_none()).collect();
    json!({
        "chain_id": genesis.chain_id,
        "network_kind": genesis.network_kind,
        "genesis_hash": genesis.hash(),
        "state_root": genesis.header().state_root,
        "timestamp": genesis.timestamp,
        "height": 0,
        "first_block": 1,
        "first_round": 0,
        "certificates": [],
        "sign_state": null,
        "validator_set_hash": genesis.validators.hash(),
        "validators": validators,
        "fault_tolerance": genesis_file::fault_tolerance(&genesis.validators),
        "accounts": accounts.iter().map(|(address, account)| json!({ "address": address, "balance_wei": account.balance.to_string() })).collect::<Vec<_>>(),
    })
}

fn home_of(request: &Request, index: usize) -> Home {
    Home::at(request.directory.join(network::name(index)))
}

fn existing_genesis(request: &Request) -> Result<Option<Genesis>, Failure> {
    let first = home_of(request, 0);
    if first.exists() { genesis_file::load(&first.genesis_file()).map(Some) } else { Ok(None) }
}

/// Refuses flags that the existing network contradicts.
fn keep(request: &Request, genesis: Genesis) -> Result<Genesis, Failure> {
    if genesis.network_kind != NetworkKind::Dev {
        let kind = genesis_file::kind_name(genesis.network_kind);
        let failure = Failure::config("the directory holds no development network").at(format!("{}: a {kind}", request.directory.display()));
        return Err(failure.remedy("run each of its nodes with `axolotl start --home`, or choose another --data-dir"));
    }
    let show = |duration: Duration| humantime::format_duration(duration).to_string();
    let pace = &genesis.consensus;
    let asked = [
        ("--validators", request.validators.map(|count| count.to_string()), genesis.validators.len().to_string()),
        ("--block-interval", request.block_interval.map(show), show(pace.block_interval)),
        ("--empty-block-interval", request.empty_block_interval.map(show), show(pace.empty_block_interval)),
    ];
    let places = asked.iter().filter_map(|(flag, wanted, is)| {
        let wanted = wanted.as_ref().filter(|wanted| *wanted != is)?;
        Some(format!("{flag} {wanted}: the network in {} has {is}", request.directory.display()))
    });
    let refused = places.fold(Failure::config("a flag would change the genesis of an existing network"), Failure::at);
    if refused.at.is_empty() {
        return Ok(genesis);
    }
    Err(refused
        .remedy("--fresh-start deletes that chain for good (sign states are archived) and begins anew; another --data-dir makes a second network; without the flag the old one goes on"))
}

/// Empties the homes for a new chain. Keys and configurations stay, as far as the number of validators lets them.
fn begin_anew(request: &Request, old: &Genesis, new: &Genesis, members: &[Member]) -> Result<Vec<Fresh>, Failure> {
    if old.network_kind != NetworkKind::Dev {
        let failure =
            Failure::config("only a development network can be started afresh").at(home_of(request, 0).genesis_file().display().to_string());
        return Err(failure.remedy("use another --data-dir"));
    }
    let old_count = old.validators.len();
    let homes = (0..old_count.max(members.len())).map(|index| (index, home_of(request, index))).filter(|(_, home)| home.exists());
    let homes: Vec<_> = homes.collect();
    homes.iter().try_for_each(|(_, home)| home.refuse_if_held())?;
    let mut fresh = Vec::new();
    for (index, home) in &homes {
        let sources = Sources { file: Some((home.config_file(), home.read_config()?)), ..Sources::default() };
        let resolved = resolve(&sources)?;
        fresh.push(home.start_fresh(&resolved.config.chain.name)?);
        if *index < members.len() && old_count != members.len() {
            let kept: Vec<_> =
                resolved.settings.iter().filter(|(_, setting)| setting.origin != Origin::Default).map(|(path, setting)| (*path, setting)).collect();
            let text = network::config_text(&network::placement(members, *index, &home_ports(request, members.len())?), &kept);
            home::write(&home.config_file(), &text)?;
        }
        home::write(&home.genesis_file(), &new.to_json())?;
    }
    Ok(fresh)
}

/// The ports that are written into new homes; what is merely free today is not written.
fn home_ports(request: &Request, count: usize) -> Result<Vec<Ports>, Failure> {
    let offset = match request.port_offset {
        Some(PortOffset::By(offset)) => offset,
        _ => 0,
    };
    Ports::of_network(count, offset)
}

fn make_missing_homes(request: &Request, genesis: &Genesis, members: &[Member]) -> Result<(), Failure> {
    let ports = home_ports(request, members.len())?;
    // The first home says what the network is, so it is made last: an interrupted run is simply begun again.
    for index in (0..members.len()).rev().filter(|index| !home_of(request, *index).exists()) {
        network::make_home(&request.directory, members, index, genesis, &ports)?;
    }
    Ok(())
}

fn open(request: &Request, members: &[Member]) -> Result<Vec<Launch>, Failure> {
    let free: Option<Vec<_>> = match request.port_offset {
        Some(PortOffset::Any) => Some(members.iter().map(|_| Listeners::free()).collect::<Result<_, _>>()?),
        _ => None,
    };
    let moved = match (&free, request.port_offset) {
        (Some(free), _) => Some(free.iter().map(Listeners::ports).collect::<Result<Vec<_>, _>>()?),
        (None, Some(PortOffset::By(offset))) => Some(Ports::of_network(members.len(), offset)?),
        (None, _) => None,
    };
    let mut free = free.map(Vec::into_iter);
    let launch = |(index, member): (usize, &Member)| {
        let flags = Placing::Flags(flags(request, members, index, moved.as_deref()));
        launch::open(member.name.clone(), home_of(request, index), flags, &request.environment, free.as_mut().and_then(Iterator::next))
    };
    members.iter().enumerate().map(launch).collect()
}

/// What the command line says to member `index`, whose network stands on `moved` ports if not on those in its homes.
fn flags(request: &Request, members: &[Member], index: usize, moved: Option<&[Ports]>) -> Vec<Override> {
    let flag = request.port_offset.map_or(String::new(), |offset| format!("--port-offset {offset}"));
    let placement = moved.map_or(Vec::new(), |ports| network::overrides(&network::placement(members, index, ports), &flag));
    let admin = if moved.is_none() { admin_beside_rpc(request, &home_of(request, index)) } else { None };
    admin.into_iter().chain(placement).chain(request.flags.iter().cloned()).collect()
}

/// A home that was made before there was an admin listener does not place it: it stands beside the RPC of its validator then, as in new homes.
fn admin_beside_rpc(request: &Request, home: &Home) -> Option<Override> {
    let sources = Sources { file: Some((home.config_file(), home.read_config().ok()?)), environment: request.environment.clone(), flags: Vec::new() };
    // What is wrong with the file is told when the home is opened.
    let resolved = resolve(&sources).ok().filter(|resolved| resolved.settings["admin.listen"].origin == Origin::Default)?;
    let port = resolved.config.rpc.listen.port().checked_add(ports::ADMIN_BESIDE_RPC)?;
    Some(Override { path: "admin.listen".into(), value: format!("127.0.0.1:{port}"), flag: "localnet".into() })
}

fn refuse_mixed(nodes: &[Launch], genesis: &Genesis) -> Result<(), Failure> {
    let strangers = nodes.iter().filter(|node| node.genesis.hash() != genesis.hash());
    let places = strangers.map(|node| format!("{}: {}, not {}", node.home.genesis_file().display(), node.genesis.hash(), genesis.hash()));
    let refused = places.fold(Failure::config("the homes belong to different networks"), Failure::at);
    if refused.at.is_empty() { Ok(()) } else { Err(refused.remedy("--fresh-start makes them one again and deletes their chains")) }
}

#[cfg(test)]
mod tests;
