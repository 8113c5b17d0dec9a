//! The doors of a node, opened before anything else is: a port that is taken is known before data is touched.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use crate::{
    config::{Config, Override},
    exit::Failure,
    ports::Ports,
};

/// Bound sockets, not blocking, ready for the runtime.
#[derive(Debug)]
pub struct Listeners {
    pub rpc: TcpListener,
    pub p2p: TcpListener,
    pub metrics: TcpListener,
    pub admin: TcpListener,
}

impl Listeners {
    /// Opens all doors of `node`, or says of every one that is taken who has it.
    pub fn open(node: &str, config: &Config) -> Result<Self, Failure> {
        let doors = [("RPC", config.rpc.listen), ("P2P", config.p2p.listen), ("metrics", config.metrics.listen), ("admin", config.admin.listen)];
        let mut open = Vec::new();
        let mut shut = Vec::new();
        for (what, address) in doors {
            match bind(address) {
                Ok(listener) => open.push(listener),
                Err(error) => shut.push((what, address, error)),
            }
        }
        match <[TcpListener; 4]>::try_from(open) {
            Ok([rpc, p2p, metrics, admin]) => Ok(Self { rpc, p2p, metrics, admin }),
            Err(_) => Err(refusal(node, &shut)),
        }
    }

    /// Doors on loopback, wherever there is room.
    pub fn free() -> Result<Self, Failure> {
        let door = || bind((Ipv4Addr::LOCALHOST, 0).into()).map_err(|error| Failure::runtime(format!("no free port on loopback: {error}")));
        Ok(Self { rpc: door()?, p2p: door()?, metrics: door()?, admin: door()? })
    }

    /// The ports that were found.
    pub fn ports(&self) -> Result<Ports, Failure> {
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        let ports = || Ok(Ports { rpc: port(&self.rpc)?, p2p: port(&self.p2p)?, metrics: port(&self.metrics)?, admin: port(&self.admin)? });
        ports().map_err(|error: io::Error| Failure::runtime(format!("a bound socket has no address: {error}")))
    }

    /// Flags that configure a node for these doors.
    pub fn overrides(&self) -> Vec<Override> {
        let doors = [("rpc.listen", &self.rpc), ("p2p.listen", &self.p2p), ("metrics.listen", &self.metrics), ("admin.listen", &self.admin)];
        let address = doors.into_iter().filter_map(|(path, listener)| Some((path, listener.local_addr().ok()?)));
        address.map(|(path, address)| Override { path: path.into(), value: address.to_string(), flag: "--port-offset any".into() }).collect()
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn refusal(node: &str, shut: &[(&str, SocketAddr, io::Error)]) -> Failure {
    let ports: Vec<_> = shut.iter().map(|(_, address, _)| address.port().to_string()).collect();
    let is_taken = shut.iter().all(|(_, _, error)| error.kind() == io::ErrorKind::AddrInUse);
    let plural = if ports.len() == 1 { ("port", "is") } else { ("ports", "are") };
    let state = if is_taken { "in use" } else { "not to be had" };
    let what = format!("{} {} {} {state}", plural.0, ports.join(", "), plural.1);
    let failure = shut.iter().fold(Failure::runtime(what), |failure, (what, address, error)| {
        let reason = if error.kind() == io::ErrorKind::AddrInUse {
            holder(address.port()).map_or("held by a process that cannot be named".to_owned(), |holder| format!("held by {holder}"))
        } else {
            error.to_string()
        };
        failure.at(format!("{node}, {what} {address}: {reason}"))
    });
    failure.remedy("stop that process, or use other ports: --port-offset 100, or --port-offset any")
}

/// Who listens on `port`, as far as this process may see: `pid 1234 (axolotl)`.
pub fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, port))?;
    let socket = format!("socket:[{inode}]");
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| has_open(*pid, &socket)).map(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("pid {pid} ({})", name.trim())
    })
}

/// The inode of the socket that listens on `port`, from a table of `/proc/net/tcp`.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local_port, 16) == Ok(port) && fields.get(3) == Some(&LISTEN);
        if is_it { fields.get(9)?.parse().ok() } else { None }
    })
}

fn has_open(pid: u32, socket: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == socket))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Override, Sources, resolve};

    fn config(rpc: u16) -> Config {
        let set = |path: &str, port: u16| Override { path: path.into(), value: format!("127.0.0.1:{port}"), flag: "test".into() };
        let flags = vec![set("rpc.listen", rpc), set("p2p.listen", 0), set("metrics.listen", 0), set("admin.listen", 0)];
        resolve(&Sources { flags, ..Sources::default() }).unwrap().config
    }

    #[test]
    fn a_port_in_use_names_port_node_holder_and_remedy() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let refused = Listeners::open("validator-2", &config(port)).unwrap_err();
        assert_eq!(refused.what, format!("port {port} is in use"));
        assert!(refused.at[0].starts_with(&format!("validator-2, RPC 127.0.0.1:{port}: held by pid {} (", std::process::id())), "{refused}");
        assert!(refused.remedy.contains("--port-offset any"));
    }

    #[test]
    fn free_ports_are_opened() {
        let open = Listeners::open("validator-0", &config(0)).unwrap();
        assert_ne!(open.rpc.local_addr().unwrap(), open.p2p.local_addr().unwrap());
    }

    #[test]
    fn only_a_listening_socket_counts_as_the_holder() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:0BD6 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
             1: 0100007F:0BD6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1\n";
        assert_eq!(listening_inode(table, 3030), Some(222));
        assert_eq!(listening_inode(table, 3031), None);
        assert_eq!(listening_inode("header\nrubbish", 1), None);
    }
}
