//! A network of real processes on loopback, in a directory of its own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use node::{
    home::Home,
    localnet::development_genesis,
    network::{Member, make_home, record_nothing_signed},
    ports::Ports,
};
use primitives::{Address, Genesis, U256};
use rand::Rng;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    free_ports::free_ports,
    history::History,
    process::{cpu, written_to_disk},
    validator::Validator,
    wait::eventually,
};

/// What a network should be like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The binary that runs a validator: `PROGRAM start --home DIR`.
    pub program: PathBuf,
    pub validators: usize,
    pub block_interval: Duration,
    pub empty_block_interval: Duration,
    /// Of a block; none: the usual one.
    pub gas_limit: Option<u64>,
    /// `KEY=VALUE` of the configuration, for all validators.
    pub settings: Vec<String>,
    /// Accounts and contracts that the genesis has besides the usual ones.
    pub further: Vec<Further>,
}

/// What a genesis has at one address.
#[derive(Clone, Debug)]
pub struct Further {
    pub address: Address,
    /// In wei.
    pub balance: U256,
    pub code: Option<Vec<u8>>,
}

/// Homes of a network, before anybody runs.
pub struct Homes {
    directory: TempDir,
    pub genesis: Genesis,
    pub members: Vec<(Home, Member, Ports)>,
}

/// What validators cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    pub cpu: Duration,
    /// Bytes to the disk of the campaign, by whoever else writes to it too; none where the kernel does not say.
    pub written: Option<u64>,
    /// Bytes to each other, TLS included.
    pub sent: f64,
}

/// A network and its processes, which end with it.
pub struct Network {
    pub genesis: Genesis,
    pub validators: Vec<Validator>,
    pub history: History,
    directory: TempDir,
}

impl Plan {
    /// Makes the homes.
    pub fn homes(&self, random: &mut impl Rng) -> Result<Homes> {
        let failure = |failure: node::exit::Failure| anyhow::anyhow!("{failure}");
        let directory = tempfile::Builder::new().prefix("axolotl-campaign-").tempdir()?;
        let genesis = self.genesis()?;
        let ports = free_ports(self.validators, random)?;
        let members: Vec<_> = (0..self.validators).map(Member::development).collect();
        let homes = (0..self.validators).map(|index| make_home(directory.path(), &members, index, &genesis, &ports).map_err(failure));
        let homes: Vec<_> = homes.collect::<Result<_>>()?;
        record_nothing_signed(&homes, &members, &genesis).map_err(failure)?;
        let members = homes.into_iter().zip(members).zip(ports).map(|((home, member), ports)| (home, member, ports)).collect();
        Ok(Homes { directory, genesis, members })
    }

    fn genesis(&self) -> Result<Genesis> {
        let genesis = development_genesis(self.validators, Some(self.block_interval), Some(self.empty_block_interval));
        let genesis = genesis.map_err(|failure| anyhow::anyhow!("{failure}"))?;
        Ok(genesis.with(|genesis| {
            genesis.gas_limit = self.gas_limit.unwrap_or(genesis.gas_limit);
            self.further.iter().for_each(|further| further.put(genesis));
        })?)
    }

    /// Makes the homes and starts nobody.
    pub fn make(&self, random: &mut impl Rng) -> Result<Network> {
        let Homes { directory, genesis, members } = self.homes(random)?;
        let history = History::default();
        let validator = |(index, (home, member, ports)): (usize, (Home, Member, Ports))| {
            Validator::new(index, home.root(), member.validator().address, ports, self, &history)
        };
        let validators = members.into_iter().enumerate().map(validator).collect::<Result<_>>()?;
        Ok(Network { genesis, validators, history, directory })
    }
}

impl Further {
    fn put(&self, genesis: &mut Genesis) {
        let account = genesis.alloc.entry(self.address).or_default();
        account.balance = self.balance;
        account.code = self.code.clone().map(Into::into);
        // As a contract has that was made the usual way.
        account.nonce = self.code.is_some().then_some(1);
    }
}

impl Homes {
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Network {
    pub fn start_all(&mut self) -> Result<()> {
        self.validators.iter_mut().filter(|validator| !validator.is_running()).try_for_each(Validator::start)
    }

    /// SIGKILL to all of them, and only then waits for any.
    pub fn kill_all(&mut self) {
        self.validators.iter().for_each(|validator| validator.send(Signal::KILL));
        self.validators.iter_mut().for_each(Validator::kill);
    }

    /// Waits until every running validator has said that it committed `height`.
    pub async fn reach(&mut self, height: u64, limit: Duration) -> Result<()> {
        let Self { validators, history, directory, .. } = self;
        let at = |validator: &Validator| history.tip(validator.index);
        let is_late = |validators: &[Validator]| validators.iter().any(|validator| validator.is_running() && at(validator) < height);
        let reached = eventually(&format!("height {height}"), limit, async || (!is_late(validators)).then_some(())).await;
        let Err(error) = reached else { return Ok(()) };
        let mut state = format!("{error}; logs are kept in {}\n", directory.path().display());
        for validator in validators.iter_mut() {
            let ended = validator.ended_by_itself();
            let health = if validator.is_running() { validator.health().await } else { None };
            state += &format!("{} is at {}, {:?}: {}\n", validator.name, at(validator), ended, health.unwrap_or_default());
        }
        directory.disable_cleanup(true);
        anyhow::bail!(state)
    }

    /// What all validators have used since they were started.
    pub async fn used(&self) -> Result<Used> {
        let mut used = Used { written: written_to_disk(self.directory.path()), ..Used::default() };
        for validator in self.validators.iter().filter(|validator| validator.is_running()) {
            used.cpu += cpu(validator.pid());
            used.sent += validator.metrics().await?.of("p2p_bytes_total", "direction=\"outbound\"");
        }
        Ok(used)
    }

    /// Keeps homes and logs when the campaign is over.
    pub fn keep(&mut self) -> &Path {
        self.directory.disable_cleanup(true);
        self.directory.path()
    }
}
