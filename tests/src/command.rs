//! `tests campaign NAME ...`

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    campaigns::{
        Adversarial, CatchUp, Costs, Crowd, Crowds, Cut, FailingDisk, FuzzRpc, Hostile, KillAll, KillOne, KillRandom, Kind, Partitions, Settings,
        Soak, Sweep, Treason, Wan, adversarial, catch_up, costs, crowds, disk, fuzz_rpc, fuzz_wire, heights, hostile, kill_all, kill_one,
        kill_random, leaks, partitions, restore, soak, sweep, throughput, traitor, wan,
    },
    fabric::{Carrier, Weather},
    report::Report,
};

/// Tests Axolotl from outside.
#[derive(Debug, Parser)]
#[command(name = "tests", arg_required_else_help = true)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run a long campaign or a measurement; ends with 1 when safety is in doubt
    Campaign(Campaign),
}

#[derive(Debug, Args)]
struct Campaign {
    #[command(subcommand)]
    name: Name,
    /// What random decisions grow from
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    #[arg(long, global = true, visible_alias = "nodes", default_value_t = 4)]
    validators: usize,
    /// Shortest time between blocks, in milliseconds
    #[arg(long, global = true, value_name = "MS", default_value_t = 0)]
    block_interval: u64,
    /// Longest time between blocks when there is nothing to do, in milliseconds
    #[arg(long, global = true, value_name = "MS", default_value_t = 0)]
    empty_block_interval: u64,
    /// Set a key of every validator's configuration
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// Keep homes and logs
    #[arg(long, global = true)]
    keep: bool,
}

#[derive(Debug, Subcommand)]
enum Name {
    /// Empty heights: how many a second, and what they cost
    Heights {
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// SIGKILL of one validator under load
    KillOne {
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Transfers a second
        #[arg(long, default_value_t = 100)]
        rate: u64,
        /// How long the victim stays away
        #[arg(long, default_value_t = 4)]
        away: u64,
    },
    /// SIGKILL of all validators at random moments under load
    KillAll {
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        /// Transfers a second
        #[arg(long, default_value_t = 100)]
        rate: u64,
    },
    /// SIGKILL of one validator at random moments, its starts included, as fast as it comes back
    KillRandom {
        #[arg(long, default_value_t = 100)]
        rounds: u32,
        /// Transfers a second
        #[arg(long, default_value_t = 50)]
        rate: u64,
    },
    /// Each kind of fault in each actor of one validator, all validators in one process: how long it takes to heal
    Sweep {
        #[arg(long, default_value_t = 1)]
        rounds: u32,
        /// Transfers a second
        #[arg(long, default_value_t = 50)]
        rate: u64,
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
        kinds: Vec<Kind>,
        /// Only these actors
        #[arg(long, value_name = "ACTOR", value_delimiter = ',')]
        only: Vec<String>,
        /// Real processes, started again as a service manager does: hangs of storage and signer, which end the process
        #[arg(long)]
        processes: bool,
    },
    /// Crashes of several actors of one validator at once, and of its listener and sessions all the time
    Crowds {
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = Crowd::EACH)]
        crowds: Vec<Crowd>,
        /// Transfers a second
        #[arg(long, default_value_t = 50)]
        rate: u64,
        /// How many pairs, chosen by the seed, instead of each two actors
        #[arg(long, value_name = "COUNT")]
        pairs: Option<usize>,
        /// Of the crashes of the listener, and of the sessions
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// The disk of one validator fills up, or its syncs fail, under load. Needs the right to mount: root, or `unshare -Urm`
    Disk {
        #[arg(long, default_value_t = 1)]
        rounds: u32,
        /// Transfers a second
        #[arg(long, default_value_t = 50)]
        rate: u64,
        /// How long the disk stays full, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 15)]
        full: u64,
        /// Of full, fsync, fdatasync; the latter two need strace
        #[arg(long, value_delimiter = ',', default_value = "full,fsync,fdatasync")]
        kinds: Vec<String>,
    },
    /// One validator restored from an old copy of its whole directory
    Restore {
        /// Age of the copy
        #[arg(long, default_value_t = 50)]
        heights: u64,
    },
    /// What a finalised transaction costs, by the load tool, on four validators, on one, and on anvil
    Costs {
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Of each load
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// The anvil to hold Axolotl against
        #[arg(long, value_name = "PROGRAM")]
        anvil: Option<std::path::PathBuf>,
        /// Only loads whose name has this in it
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// What nobody should send to JSON-RPC and REST: every answer is held against the documentation
    FuzzRpc {
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// End after so many requests
        #[arg(long, value_name = "COUNT")]
        requests: Option<u64>,
        /// Connections at the same time, each with a random sequence of its own
        #[arg(long, default_value_t = 4)]
        clients: u64,
        /// On a listener as the public has it
        #[arg(long)]
        public: bool,
    },
    /// Damaged bytes to everything that reads the bytes of strangers: frames, messages, handshake
    FuzzWire {
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Floods of transactions, blocks full of loops, calls without an end: the chain and everybody else go on
    Hostile {
        /// Of each attack
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Senders of the flood from many accounts
        #[arg(long, default_value_t = 10_000)]
        accounts: u32,
        /// Only attacks whose name has this in it
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// Validators that do not reach each other for a while: who goes on, and how fast all agree afterwards
    Partitions {
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = Cut::EACH)]
        cuts: Vec<Cut>,
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Of each cut
        #[arg(long, default_value_t = 8)]
        seconds: u64,
        /// What carries between them; the best that this machine has
        #[arg(long, value_enum)]
        carrier: Option<Carrier>,
    },
    /// Validators half a world apart: 50 ms each way, one packet in a hundred lost
    Wan {
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Each way
        #[arg(long, value_name = "MS", default_value_t = 50)]
        delay: u64,
        /// On top of it, at most
        #[arg(long, value_name = "MS", default_value_t = 0)]
        jitter: u64,
        /// Packets lost
        #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
        loss: f64,
        /// In each direction between any two
        #[arg(long, value_name = "BYTES")]
        bytes_per_second: Option<u64>,
        /// What carries between them; the best that this machine has
        #[arg(long, value_enum)]
        carrier: Option<Carrier>,
    },
    /// A network at rest, which must stay exactly as it is. At the usual pace unless another is set
    Soak {
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// That everybody must add
        #[arg(long, default_value_t = 100)]
        blocks: u64,
    },
    /// Peers that come and go, properly or in the middle of everything: descriptors, actors and memory stay flat
    Leaks {
        #[arg(long, default_value_t = 1_000)]
        connections: u32,
    },
    /// Hostile peers: one attack after the other on one validator's P2P port
    Adversarial {
        /// Only these
        #[arg(long, value_name = "ATTACK", value_delimiter = ',')]
        attacks: Vec<String>,
    },
    /// A validator with a real key that equivocates, proposes what is no block, and floods
    Traitor {
        /// How often each trick is played
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// How fast a fresh validator follows the others' chain
    CatchUp {
        /// How long the others make blocks without it
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// Transfers a second meanwhile
        #[arg(long, default_value_t = 1_000)]
        rate: u64,
    },
    /// Simple transfers
    Load {
        /// Transfers a second
        #[arg(long, default_value_t = 500)]
        rate: u64,
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
}

/// Runs what the command line says. Campaigns start validators by this same program.
pub fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode> {
    let What::Campaign(campaign) = &command.what;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(campaign.threads()).enable_all().build()?;
    let report = runtime.block_on(campaign.run())?;
    runtime.shutdown_timeout(Duration::from_secs(5));
    let text = if campaign.json { format!("{:#}\n", report.json()) } else { report.table() };
    out.write_all(text.as_bytes())?;
    Ok(if report.failures().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Campaign {
    /// As many as a node needs, when the nodes run in here.
    fn threads(&self) -> usize {
        if matches!(self.name, Name::Sweep { processes: false, .. } | Name::Crowds { .. }) { 8.max(4 * self.validators) } else { 4 }
    }

    async fn run(&self) -> Result<Report> {
        let settings = Settings {
            program: std::env::current_exe()?,
            validators: self.validators,
            seed: self.seed,
            block_interval: Duration::from_millis(self.block_interval),
            empty_block_interval: Duration::from_millis(self.empty_block_interval),
            settings: self.settings.clone(),
            keep: self.keep,
        };
        match &self.name {
            Name::Heights { seconds } => heights(&settings, Duration::from_secs(*seconds)).await,
            Name::KillOne { rounds, rate, away } => {
                let options = KillOne { rounds: *rounds, rate: *rate, away: Duration::from_secs(*away) };
                kill_one(&settings, options).await
            }
            Name::KillAll { rounds, rate } => kill_all(&settings, KillAll { rounds: *rounds, rate: *rate }).await,
            Name::KillRandom { rounds, rate } => kill_random(&settings, KillRandom { rounds: *rounds, rate: *rate }).await,
            Name::Sweep { rounds, rate, kinds, only, processes } => {
                let options = Sweep { rounds: *rounds, rate: *rate, kinds: kinds.clone(), only: only.clone(), processes: *processes };
                sweep(&settings, &options).await
            }
            Name::Crowds { crowds: names, rate, pairs, seconds } => {
                let length = Duration::from_secs(*seconds);
                crowds(&settings, &Crowds { crowds: names.clone(), rate: *rate, pairs: *pairs, length }).await
            }
            Name::Disk { rounds, rate, full, kinds } => {
                let options = FailingDisk { rounds: *rounds, rate: *rate, full: Duration::from_secs(*full), kinds: kinds.clone() };
                disk(&settings, &options).await
            }
            Name::Restore { heights } => restore(&settings, *heights).await,
            Name::Costs { rounds, seconds, anvil, only } => {
                let length = Duration::from_secs(*seconds);
                costs(&settings, &Costs { rounds: *rounds, length, anvil: anvil.clone(), only: only.clone() }).await
            }
            Name::FuzzRpc { seconds, requests, clients, public } => {
                let length = Duration::from_secs(*seconds);
                fuzz_rpc(&settings, FuzzRpc { length, requests: requests.unwrap_or(u64::MAX), clients: *clients, public: *public }).await
            }
            Name::FuzzWire { seconds } => fuzz_wire(&settings, Duration::from_secs(*seconds)).await,
            Name::Hostile { seconds, accounts, only } => {
                let length = Duration::from_secs(*seconds);
                hostile(&settings, &Hostile { length, accounts: *accounts, only: only.clone() }).await
            }
            Name::Partitions { cuts, rounds, seconds, carrier } => {
                let length = Duration::from_secs(*seconds);
                partitions(&settings, &Partitions { cuts: cuts.clone(), rounds: *rounds, carrier: *carrier, length }).await
            }
            Name::Wan { seconds, delay, jitter, loss, bytes_per_second, carrier } => {
                let (delay, jitter) = (Duration::from_millis(*delay), Duration::from_millis(*jitter));
                let weather = Weather { delay, jitter, loss: loss / 100.0, bytes_per_second: *bytes_per_second, is_blocked: false };
                wan(&settings, Wan { length: Duration::from_secs(*seconds), carrier: *carrier, weather }).await
            }
            Name::Soak { minutes, blocks } => soak(&settings, Soak { length: Duration::from_secs(60 * minutes), blocks: *blocks }).await,
            Name::Leaks { connections } => leaks(&settings, *connections).await,
            Name::Adversarial { attacks } => {
                let gap = Duration::from_secs(2);
                adversarial(&settings, &Adversarial { attacks: attacks.clone(), gap, returns: true }).await
            }
            Name::Traitor { rounds } => traitor(&settings, Treason { rounds: *rounds, gap: Duration::from_secs(10) }).await,
            Name::CatchUp { seconds, rate } => catch_up(&settings, CatchUp { length: Duration::from_secs(*seconds), rate: *rate }).await,
            Name::Load { rate, seconds } => throughput(&settings, *rate, Duration::from_secs(*seconds)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Command::command().debug_assert();
    }
}
