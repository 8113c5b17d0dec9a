//! Which ports a node uses.
//!
//! | what      | first validator | validator i     |
//! |-----------|-----------------|-----------------|
//! | RPC       | 3030            | 3030 + 10 x i   |
//! | P2P       | 4130            | 4130 + 10 x i   |
//! | metrics   | 9090            | 9090 + 10 x i   |
//! | admin     | 3039            | 3039 + 10 x i   |
//!
//! An offset is added to all of them.

use std::{collections::HashMap, fmt, str::FromStr};

use crate::exit::{ExitCode, Failure};

/// How far the admin listener stands from the RPC of its node.
pub const ADMIN_BESIDE_RPC: u16 = 9;

const FIRST: Ports = Ports { rpc: 3_030, p2p: 4_130, metrics: 9_090, admin: 3_030 + ADMIN_BESIDE_RPC };
const STEP: usize = 10;

/// The ports of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub rpc: u16,
    pub p2p: u16,
    pub metrics: u16,
    pub admin: u16,
}

/// How far ports are moved from their usual places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortOffset {
    By(u16),
    /// Whatever is free; only `network.json` tells which.
    Any,
}

impl Ports {
    /// The usual ports of validators 0 to `count`, moved by `offset`.
    pub fn of_network(count: usize, offset: u16) -> Result<Vec<Self>, Failure> {
        let ports: Option<Vec<_>> = (0..count).map(|index| FIRST.moved(index.checked_mul(STEP)?.checked_add(offset.into())?)).collect();
        let crowded = || {
            Failure::new(ExitCode::Usage, format!("{count} validators moved by {offset} do not fit between port {} and 65535", FIRST.rpc))
                .at(format!("--validators {count}"))
                .at(format!("--port-offset {offset}"))
                .remedy("ask for fewer validators, or move them less")
        };
        let ports = ports.ok_or_else(crowded)?;
        let mut users = HashMap::new();
        let is_shared = ports.iter().flat_map(Self::all).any(|port| users.insert(port, ()).is_some());
        if is_shared { Err(crowded()) } else { Ok(ports) }
    }

    /// Every one of them.
    pub fn all(&self) -> [u16; 4] {
        [self.rpc, self.p2p, self.metrics, self.admin]
    }

    fn moved(self, by: usize) -> Option<Self> {
        let by = u16::try_from(by).ok()?;
        let moved = |port: u16| port.checked_add(by);
        Some(Self { rpc: moved(self.rpc)?, p2p: moved(self.p2p)?, metrics: moved(self.metrics)?, admin: moved(self.admin)? })
    }
}

impl FromStr for PortOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self::Any);
        }
        text.parse().map(Self::By).map_err(|_| "write a number from 0 to 65535, or \"any\" for whatever is free".to_owned())
    }
}

impl fmt::Display for PortOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(offset) => write!(f, "{offset}"),
            Self::Any => f.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_validator_stands_ten_ports_further_and_an_offset_moves_all() {
        let ports = Ports::of_network(4, 0).unwrap();
        assert_eq!(ports[0], Ports { rpc: 3_030, p2p: 4_130, metrics: 9_090, admin: 3_039 });
        assert_eq!(ports[3], Ports { rpc: 3_060, p2p: 4_160, metrics: 9_120, admin: 3_069 });
        assert_eq!(Ports::of_network(2, 100).unwrap()[1], Ports { rpc: 3_140, p2p: 4_240, metrics: 9_200, admin: 3_149 });
    }

    #[test]
    fn networks_whose_ports_would_meet_or_end_are_refused() {
        assert!(Ports::of_network(110, 0).is_ok());
        assert!(Ports::of_network(111, 0).is_err(), "RPC of validator 110 is P2P of validator 0");
        assert!(Ports::of_network(1, 60_000).is_err());
        assert!(Ports::of_network(usize::MAX, 0).is_err());
    }

    #[test]
    fn an_offset_is_a_number_or_any() {
        assert_eq!("any".parse(), Ok(PortOffset::Any));
        assert_eq!("20".parse(), Ok(PortOffset::By(20)));
        assert!("-1".parse::<PortOffset>().is_err() && "65536".parse::<PortOffset>().is_err());
    }
}
