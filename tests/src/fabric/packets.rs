//! A switch between network namespaces: real packets of the kernel's TCP, which are late, lost or never let through.
//!
//! ```text
//!   namespace of validator i                      this process
//!   axolotl <-> TCP <-> axo0 (TUN, 10.77.0.i+1) <----> switch <----> axo0 of the others
//!   axolotl, loopback: RPC, metrics, P2P <----------> door, at the same ports of the machine's own loopback
//! ```
//!
//! Needs root, `ip` and `/dev/net/tun`; nothing of the machine's own network is touched.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rand::{SeedableRng, rngs::StdRng};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use super::{
    Weather,
    namespace::{Door, Namespace},
    ways::{Way, Ways},
};

const DEVICE: &str = "axo0";
/// Of an Ethernet.
const PACKET_BYTES: usize = 1_500;
/// Packets under way, after which further ones are lost, as in any router.
const MAX_UNDER_WAY: usize = 8_192;
/// How long a packet may wait for a narrow line before it is lost.
const MAX_QUEUE: Duration = Duration::from_millis(500);
/// Between two looks at whether the network is still there.
const IDLE: Duration = Duration::from_secs(1);

/// The namespaces of a network, and the switch between them. They end with it.
pub(super) struct Packets {
    spaces: Vec<Namespace>,
    // After the namespaces' doors, so that nobody talks to a network that is gone.
    _doors: Vec<Door>,
}

impl Packets {
    /// For validators whose listeners have these ports: the P2P port of each, and all that are on its loopback.
    pub fn start(ports: &[(u16, Vec<u16>)], ways: &Ways, seed: u64) -> Result<Self> {
        let (spaces, doors) = (0..ports.len()).map(|index| space(index, &ports[index])).collect::<Result<(Vec<_>, Vec<_>)>>()?;
        let devices: Vec<_> = spaces.iter().enumerate().map(|(index, space)| device(space, index)).collect::<Result<_>>()?;
        let (sender, arrivals) = sync_channel(MAX_UNDER_WAY);
        for (index, device) in devices.iter().enumerate() {
            let (device, sender) = (device.clone(), sender.clone());
            thread::Builder::new().name(format!("packets-{index}")).spawn(move || listen(&device, index, &sender))?;
        }
        let switch = Switch { devices, ways: ways.clone(), random: StdRng::seed_from_u64(seed), free: HashMap::new(), under_way: BinaryHeap::new() };
        thread::Builder::new().name("switch".to_owned()).spawn(move || switch.run(&arrivals))?;
        Ok(Self { spaces, _doors: doors })
    }

    pub fn namespace(&self, index: usize) -> &str {
        self.spaces[index].name()
    }
}

/// Where a validator is to the others.
pub(super) fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, index as u8 + 1)
}

fn index_of(address: [u8; 4]) -> Option<usize> {
    let [10, 77, 0, host] = address else { return None };
    usize::from(host).checked_sub(1)
}

fn space(index: usize, (p2p, loopback): &(u16, Vec<u16>)) -> Result<(Namespace, Door)> {
    let space = Namespace::make(index)?;
    let mut ways_in = vec![(*p2p, SocketAddr::from((address(index), *p2p)))];
    ways_in.extend(loopback.iter().map(|port| (*port, SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))));
    let door = space.door(&ways_in)?;
    Ok((space, door))
}

fn device(space: &Namespace, index: usize) -> Result<Arc<SyncDevice>> {
    let make = || DeviceBuilder::new().name(DEVICE).layer(Layer::L3).mtu(PACKET_BYTES as u16).ipv4(address(index), 24, None).build_sync();
    let device = space.inside(make)?.context("a TUN device needs root and /dev/net/tun")?;
    Ok(Arc::new(device))
}

/// A packet on its way.
type Packet = (usize, Vec<u8>);

/// Reads what one validator sends until its namespace is gone.
fn listen(device: &SyncDevice, from: usize, switch: &SyncSender<Packet>) {
    loop {
        let mut packet = vec![0; PACKET_BYTES];
        let Ok(count) = device.recv(&mut packet) else { return };
        packet.truncate(count);
        if switch.send((from, packet)).is_err() {
            return;
        }
    }
}

/// A packet by when it arrives, and at whom; the number keeps the order of packets of one moment.
type UnderWay = Reverse<(Instant, u64, usize, Vec<u8>)>;

struct Switch {
    devices: Vec<Arc<SyncDevice>>,
    ways: Ways,
    random: StdRng,
    /// When a line has carried what it has taken.
    free: HashMap<Way, Instant>,
    under_way: BinaryHeap<UnderWay>,
}

impl Switch {
    /// Until nobody can send any more.
    fn run(mut self, arrivals: &Receiver<Packet>) {
        for number in 0.. {
            let wait = self.under_way.peek().map_or(IDLE, |Reverse((at, ..))| at.saturating_duration_since(Instant::now()));
            match arrivals.recv_timeout(wait) {
                Ok((from, packet)) => self.take(from, packet, number),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.deliver();
        }
    }

    fn take(&mut self, from: usize, packet: Vec<u8>, number: u64) {
        let Some(to) = destination(&packet).filter(|to| *to < self.devices.len()) else { return };
        let (way, now) = ((from, to), Instant::now());
        let weather: Weather = self.ways.of(way);
        let Some(takes) = weather.packet(&mut self.random) else { return };
        let free = self.free.get(&way).map_or(now, |free| (*free).max(now));
        if MAX_QUEUE < free.duration_since(now) || MAX_UNDER_WAY <= self.under_way.len() {
            return;
        }
        let sent = free + weather.busy(packet.len());
        self.free.insert(way, sent);
        self.under_way.push(Reverse((sent + takes, number, to, packet)));
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, ..))) = self.under_way.peek()
            && *at <= now
            && let Some(Reverse((_, _, to, packet))) = self.under_way.pop()
        {
            // A namespace that is going away takes nothing, which is a loss like any other.
            let _ = self.devices[to].send(&packet);
        }
    }
}

/// To whom an IPv4 packet goes.
fn destination(packet: &[u8]) -> Option<usize> {
    let address = packet.get(16..20).filter(|_| packet[0] >> 4 == 4)?;
    index_of(address.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_whom_it_is_for() {
        let mut packet = vec![0; 40];
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&address(2).octets());
        assert_eq!(destination(&packet), Some(2));
        assert_eq!((destination(&packet[..19]), destination(&[])), (None, None));
        packet[0] = 0x60;
        assert_eq!(destination(&packet), None, "IPv6 is none of ours");
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&[10, 77, 0, 0]);
        assert_eq!(destination(&packet), None);
    }
}
