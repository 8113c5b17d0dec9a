//! A network of real processes on loopback, in a directory of its own.
//!
//! ```text
//!   let mut net = Testnet::of(4).start().await;
//!   net.validator(2).kill();
//!   net.reach(20).within(secs(30)).await;
//! ```
//!
//! `AXOLOTL_IT_LOG=debug` sets the log level of all nodes and keeps the directory of a network whose test failed.
//!
//! Every process is a child of the test and ends with it. Tests wait for conditions: [`eventually`] is the only wait.

mod fragile;
mod http;
mod load;
mod manager;
mod money;
mod socket;
mod stranger;
mod validator;
mod wait;

use std::{net::TcpListener, path::Path};

use rand::Rng;
use tempfile::TempDir;

pub use fragile::fragile;
pub use http::{post, post_to};
pub use load::Load;
pub use manager::{Manager, Word};
pub use money::{CHAIN_ID, Transfer, account, ether, sign};
pub use socket::Socket;
pub use stranger::Stranger;
pub use validator::{Validator, axolotl, command};
pub use wait::{eventually, secs};

/// Ports that the system hands out to others begin above these.
const FIRST_OFFSETS: std::ops::Range<u16> = 1_000..22_000;
const FIRST_PORTS: [u16; 4] = [3_030, 4_130, 9_090, 3_039];
const PORTS_PER_NODE: u16 = 10;

const LOG_VARIABLE: &str = "AXOLOTL_IT_LOG";

/// A network, its processes and its directory.
pub struct Testnet {
    // Before the directory, so that a validator can still show its log when it is dropped.
    validators: Vec<Validator>,
    directory: TempDir,
}

/// What a network should be like.
pub struct Plan {
    validators: usize,
    block_interval: &'static str,
    empty_block_interval: &'static str,
    nonce: u64,
}

impl Testnet {
    /// A plan of so many validators with 100 ms between blocks.
    pub fn of(validators: usize) -> Plan {
        Plan { validators, block_interval: "100ms", empty_block_interval: "100ms", nonce: 0 }
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn validator(&mut self, index: usize) -> &mut Validator {
        &mut self.validators[index]
    }

    /// The validators whose process runs.
    pub fn running(&self) -> impl Iterator<Item = &Validator> {
        self.validators.iter().filter(|validator| validator.is_running())
    }

    /// Starts a node without a vote whose only peer is the one of index `of`; returns its own index. The network must run.
    pub fn follower(&mut self, of: usize) -> usize {
        let (index, offset) = (self.validators.len(), free_offset(1));
        let mut follower = Validator::at(self.directory(), index, offset);
        let line = format!("init --follower --home {} --genesis-file validator-0/config/genesis.json", follower.name);
        let made = axolotl(&line, self.directory());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let peer = format!("p2p.peers=127.0.0.1:{}", self.validators[of].p2p);
        // A private node meets nobody but the one that it is told of.
        follower.start_with(&["--port-offset", &offset.to_string(), "--set", &peer, "--set", "p2p.private=true"]);
        self.validators.push(follower);
        index
    }

    /// A node whose home `validator-<index>` was made beside those of the network, and the offset for its ports.
    pub fn newcomer(&self, index: usize) -> (Validator, u16) {
        let offset = free_offset(1);
        (Validator::at(self.directory.path(), index, offset), offset)
    }

    pub fn start_all(&mut self) {
        self.validators.iter_mut().for_each(Validator::start);
    }

    /// SIGKILL to all of them, and only then waits for any.
    pub fn kill_all(&mut self) {
        self.validators.iter().for_each(Validator::send_kill);
        self.validators.iter_mut().for_each(Validator::kill);
    }

    /// SIGTERM to one of them, which must end in order.
    pub async fn stop_one(&mut self, index: usize) {
        let validator = &mut self.validators[index];
        let status = validator.stop().await;
        assert_eq!(status.code(), Some(0), "{}: {}", validator.name, validator.log_tail());
    }

    /// SIGTERM to all of them; each must end in order.
    pub async fn stop_all(&mut self) {
        self.running().for_each(|validator| validator.send(rustix::process::Signal::TERM));
        for validator in self.validators.iter_mut().filter(|validator| validator.is_running()) {
            let status = validator.ended(secs(30)).await;
            assert_eq!(status.code(), Some(0), "{}: {}", validator.name, validator.log_tail());
        }
    }

    /// Transfers to whoever answers, until the load is dropped.
    pub fn load(&self) -> Load {
        Load::on(self.validators.iter().map(Validator::client).collect())
    }

    /// Height that every running validator is to reach.
    pub fn reach(&self, height: u64) -> Reach<'_> {
        Reach { net: self, height }
    }

    /// The lowest height of those that run.
    pub async fn height(&self) -> u64 {
        let mut lowest = u64::MAX;
        for validator in self.running() {
            lowest = lowest.min(validator.height().await.unwrap_or(0));
        }
        lowest
    }

    /// Nobody running has seen a validator contradict itself.
    pub async fn is_honest(&self) {
        for validator in self.running() {
            let evidence = validator.metric("consensus_evidence_total").await;
            assert_eq!(evidence, 0.0, "{} holds evidence: {}", validator.name, validator.log_tail());
        }
    }

    /// All running validators have the same block at each height up to the lowest of their tips.
    pub async fn agree(&self) {
        let height = self.height().await;
        for height in (1..=height).rev().step_by(7) {
            let mut hashes = Vec::new();
            for validator in self.running() {
                hashes.push(validator.hash(height).await);
            }
            assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "height {height}: {hashes:?}");
        }
    }
}

/// A height that everybody running is to reach.
pub struct Reach<'a> {
    net: &'a Testnet,
    height: u64,
}

impl Reach<'_> {
    pub async fn within(self, limit: std::time::Duration) {
        let Self { net, height } = self;
        for validator in net.running() {
            validator.reach(height, limit).await;
        }
    }
}

impl Plan {
    /// The intervals of the genesis.
    pub fn paced(self, block_interval: &'static str, empty_block_interval: &'static str) -> Self {
        Self { block_interval, empty_block_interval, ..self }
    }

    /// Makes another network of the same members.
    pub fn with_nonce(self, nonce: u64) -> Self {
        Self { nonce, ..self }
    }

    /// Makes the homes and starts nobody.
    pub fn make(self) -> Testnet {
        let directory = tempfile::Builder::new().prefix("axolotl-it-").tempdir().unwrap();
        let offset = free_offset(self.validators);
        let Self { validators, block_interval, empty_block_interval, nonce } = self;
        let line = format!(
            "testnet init -v {validators} --output . --dev --block-interval {block_interval} --empty-block-interval {empty_block_interval} --nonce {nonce:#066x} --port-offset {offset}"
        );
        let made = axolotl(&line, directory.path());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let validators = (0..validators).map(|index| Validator::at(directory.path(), index, offset + index as u16 * PORTS_PER_NODE)).collect();
        Testnet { validators, directory }
    }

    /// Makes the homes, starts everybody and waits until everybody signs. (Who starts so late that the others have
    /// decided without it observes for ten heights first.)
    pub async fn start(self) -> Testnet {
        let mut net = self.make();
        net.start_all();
        for validator in net.running() {
            validator.signs_above(1, secs(40)).await;
        }
        net
    }
}

impl Drop for Testnet {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os(LOG_VARIABLE).is_some() {
            self.directory.disable_cleanup(true);
            eprintln!("kept: {}", self.directory.path().display());
        }
    }
}

/// By how much to move all ports so that nobody else has them.
fn free_offset(validators: usize) -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let ports =
        |offset: u16| FIRST_PORTS.into_iter().flat_map(move |first| (0..validators as u16).map(move |index| first + offset + index * PORTS_PER_NODE));
    let mut random = rand::rng();
    std::iter::repeat_with(|| random.random_range(FIRST_OFFSETS))
        .take(1_000)
        .find(|offset| ports(*offset).all(is_free))
        .expect("a machine has free ports")
}
