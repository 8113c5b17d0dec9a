//! The network between validators of one machine, with weather: late, lossy, narrow, parted.
//!
//! | fabric    | carries                         | shows                                                   | needs                  |
//! |-----------|---------------------------------|---------------------------------------------------------|------------------------|
//! | packets   | IP packets between namespaces   | everything TCP does: retransmission, its own time limits | root, `ip`, a TUN device |
//! | proxies   | streams between loopback ports  | waits, stalls and resets as a program sees them         | nothing                |
//!
//! Both have the same weather, for each direction between two validators, and roll seeded dice.

mod namespace;
mod packets;
mod proxies;
mod ways;
mod weather;

use std::net::SocketAddr;

use anyhow::Result;
use clap::ValueEnum;
use node::network::Member;

use self::{packets::Packets, proxies::Proxies, ways::Ways};
use crate::{network::Network, validator::Validator};

pub use weather::Weather;

/// How a fabric carries what validators say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Carrier {
    /// Namespaces, with everything TCP does; needs root
    Packets,
    /// Proxies, which run anywhere
    Proxies,
}

/// The network between the validators of a [`Network`]. It has to outlive their processes.
pub struct Fabric {
    ways: Ways,
    carrier: Carrier,
    _lines: Lines,
}

/// What only has to live.
enum Lines {
    Packets { _packets: Packets },
    Proxies { _proxies: Proxies },
}

impl Carrier {
    /// Packets where this machine lets us, otherwise proxies.
    pub fn best() -> Self {
        let is_root = rustix::process::geteuid().is_root();
        let can_carry_packets = is_root && namespace::program().is_ok() && std::path::Path::new("/dev/net/tun").exists();
        if can_carry_packets { Self::Packets } else { Self::Proxies }
    }
}

impl Fabric {
    /// Puts the validators of `network`, none of which may run yet, where they reach each other only through it.
    pub async fn between(network: &mut Network, carrier: Carrier, seed: u64) -> Result<Self> {
        let ways = Ways::new(Weather::default());
        let lines = match carrier {
            Carrier::Proxies => proxies(&mut network.validators, &ways, seed).await?,
            Carrier::Packets => packets(&mut network.validators, &ways, seed)?,
        };
        Ok(Self { ways, carrier, _lines: lines })
    }

    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Everywhere, from now on.
    pub fn usual(&self, weather: Weather) {
        self.ways.usual(weather);
    }

    /// Nothing that `from` says arrives at `to`; the other direction stays as it is.
    pub fn block(&self, from: usize, to: usize) {
        self.ways.set((from, to), Weather::BLOCKED);
    }

    /// Nothing arrives between different groups.
    pub fn part(&self, groups: &[&[usize]]) {
        for (number, group) in groups.iter().enumerate() {
            let others = groups.iter().enumerate().filter(|(other, _)| *other != number).flat_map(|(_, others)| others.iter());
            others.for_each(|other| group.iter().for_each(|one| self.block(*one, *other)));
        }
    }

    /// As usual again, everywhere.
    pub fn heal(&self) {
        self.ways.heal();
    }

    /// Ends all streams between two, where streams are what is carried.
    pub fn reset(&self, one: usize, other: usize) {
        self.ways.reset((one, other));
    }
}

async fn proxies(validators: &mut [Validator], ways: &Ways, seed: u64) -> Result<Lines> {
    let ports: Vec<_> = validators.iter().map(|validator| validator.ports.p2p).collect();
    let proxies = Proxies::start(&ports, ways, seed).await?;
    validators.iter_mut().for_each(|validator| meet(validator, &proxies.peers(validator.index)));
    Ok(Lines::Proxies { _proxies: proxies })
}

fn packets(validators: &mut [Validator], ways: &Ways, seed: u64) -> Result<Lines> {
    let ports: Vec<_> = validators.iter().map(|validator| (validator.ports.p2p, vec![validator.ports.rpc, validator.ports.metrics])).collect();
    let (packets, program) = (Packets::start(&ports, ways, seed)?, namespace::program()?);
    let at = |index: usize| SocketAddr::from((packets::address(index), ports[index].0));
    for (index, validator) in validators.iter_mut().enumerate() {
        let others: Vec<_> = (0..ports.len()).filter(|other| *other != index).map(|other| (other, at(other))).collect();
        meet(validator, &others);
        validator.set("p2p.listen", at(index));
        validator.run_by(vec![program.display().to_string(), "netns".to_owned(), "exec".to_owned(), packets.namespace(index).to_owned()]);
    }
    Ok(Lines::Packets { _packets: packets })
}

fn meet(validator: &mut Validator, others: &[(usize, SocketAddr)]) {
    let peers: Vec<_> = others.iter().map(|(index, address)| format!("{}@{address}", Member::development(*index).node_id())).collect();
    validator.set("p2p.peers", peers.join(","));
    // Whoever learnt of the others' own addresses would go around the weather.
    validator.set("p2p.private", "true");
}
