//! Ports that nobody else has.

use std::net::TcpListener;

use node::ports::Ports;
use rand::Rng;

/// Ports that the system hands out to others begin above these.
const OFFSETS: std::ops::Range<u16> = 1_000..22_000;
const MAX_TRIES: usize = 1_000;

/// Ports for so many nodes, none of which is in use now.
pub fn free_ports(count: usize, random: &mut impl Rng) -> anyhow::Result<Vec<Ports>> {
    for _ in 0..MAX_TRIES {
        let ports = Ports::of_network(count, random.random_range(OFFSETS)).map_err(|failure| anyhow::anyhow!("{failure}"))?;
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if ports.iter().flat_map(Ports::all).all(is_free) {
            return Ok(ports);
        }
    }
    anyhow::bail!("no free ports for {count} nodes after {MAX_TRIES} tries")
}
