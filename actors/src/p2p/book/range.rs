//! Which addresses are likely to belong to one owner.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A network range: addresses in one are cheap to have together, so they count as one voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Range {
    /// Loopback, private, link-local: this machine or its own network, where the operator decides who has which.
    Local,
    /// The /16 of an IPv4 address.
    V4([u8; 2]),
    /// The /32 of an IPv6 address.
    V6([u8; 4]),
}

impl Range {
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) if is_local_v4(ip) => Self::Local,
            IpAddr::V4(ip) => Self::V4([ip.octets()[0], ip.octets()[1]]),
            IpAddr::V6(ip) if is_local_v6(ip) => Self::Local,
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.octets();
                Self::V6([a, b, c, d])
            }
        }
    }

    pub fn is_local(self) -> bool {
        self == Self::Local
    }
}

fn is_local_v4(ip: Ipv4Addr) -> bool {
    // 100.64.0.0/10 lies behind somebody's address translation.
    let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
}

fn is_local_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::V4([a, b]) => write!(f, "{a}.{b}.0.0/16"),
            Self::V6([a, b, c, d]) => write!(f, "{a:02x}{b:02x}:{c:02x}{d:02x}::/32"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_of_its_range() {
        for (ip, range) in [
            ("127.0.0.1", "local"),
            ("10.9.8.7", "local"),
            ("192.168.1.1", "local"),
            ("172.31.0.1", "local"),
            ("169.254.1.1", "local"),
            ("100.64.0.1", "local"),
            ("100.128.0.1", "100.128.0.0/16"),
            ("8.8.4.4", "8.8.0.0/16"),
            ("::ffff:8.8.4.4", "8.8.0.0/16"),
            ("::1", "local"),
            ("fd00::1", "local"),
            ("fe80::1", "local"),
            ("2001:db8:1::1", "2001:0db8::/32"),
        ] {
            assert_eq!(Range::of(ip.parse().unwrap()).to_string(), range, "{ip}");
        }
    }
}
