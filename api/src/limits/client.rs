//! Whom an allowance belongs to.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(u64);

impl Client {
    /// All that find no room in the table. No host has this address.
    pub const CROWD: Self = Self(0);

    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            // The prefix of addresses that stand for IPv4 elsewhere, which no IPv6 host has.
            IpAddr::V4(address) => Self(0xffff_0000_0000_0000 | u64::from(address.to_bits())),
            IpAddr::V6(address) => Self(network(address)),
        }
    }
}

fn network(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_ipv4_address_and_one_ipv6_network_are_one_client() {
        let client = |text: &str| Client::at(text.parse().unwrap());
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    }
}
