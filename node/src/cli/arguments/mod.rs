//! The command line: every command and flag, as clap reads them.

mod actors;
mod files;
mod peers;
mod wire;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use primitives::{Address, B256, U256, genesis::NetworkKind};

use super::{
    chaos::Chaos,
    load::Load,
    values::{duration, funded, network_kind, setting},
};
use crate::{config::Override, ports::PortOffset};

pub use self::wire::{Wire, WireCommand, WireTap};
pub use actors::{Actors, ActorsCommand, AdminNode, Ordered, Provoke};
pub use files::{Export, ExportBlocks, ExportGenesis, ExportProof, Genesis, GenesisFile, GenesisNew, Keys, KeysNew, Verify};
pub use peers::{ImportPeers, Peers, PeersCommand};

/// A BFT validator node that heals itself.
#[derive(Debug, Parser)]
#[command(name = "axolotl", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes that prints data.
#[derive(Clone, Copy, Debug, Args)]
pub struct Format {
    /// How data is printed
    #[arg(long, env = "AXOLOTL_OUTPUT", default_value = "text")]
    pub output: Output,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a development network on this machine
    Localnet(Localnet),
    /// Make the home of one node
    Init(Init),
    /// Make the homes of a whole network
    #[command(subcommand)]
    Testnet(Testnet),
    /// Run the node of a home
    Start(Start),
    /// Show how a running node is
    Status(Remote),
    /// Wait until a running node has reached a height
    Wait(Wait),
    /// Show the actors of a running node, restart them, make them fail
    Actors(Actors),
    /// See what is said on the links of a running node
    Wire(Wire),
    /// Show whom a node knows; hand the peer book on; add and ban peers
    Peers(Peers),
    /// Send transactions to a running network and measure what becomes of them
    Load(Load),
    /// Let actors of a test network fail at random, and check that nothing goes wrong
    Chaos(Chaos),
    /// Make or show keys
    #[command(subcommand)]
    Keys(Keys),
    /// Make or check a genesis file
    #[command(subcommand)]
    Genesis(Genesis),
    /// Write blocks, proofs or the genesis for other programs
    #[command(subcommand)]
    Export(Export),
    /// Check without trust in any node that a block was decided, and what its state holds
    Verify(Verify),
    /// Show or check a configuration
    #[command(subcommand)]
    Config(Config),
    /// Show the version
    Version(Format),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Args)]
pub struct Localnet {
    /// How many validators; 4 in a new network
    #[arg(long, short = 'v', value_name = "N")]
    pub validators: Option<usize>,
    /// Shortest time between blocks, as in 250ms; 1s in a new network
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub block_interval: Option<Duration>,
    /// Longest time between blocks when there is nothing to do; 2s in a new network
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub empty_block_interval: Option<Duration>,
    /// Move all ports by N, or take whatever is free
    #[arg(long, value_name = "N|any")]
    pub port_offset: Option<PortOffset>,
    /// Where the homes are
    #[arg(long, value_name = "DIR", default_value = "./axolotl-localnet")]
    pub data_dir: PathBuf,
    /// One process for each validator
    #[arg(long)]
    pub processes: bool,
    /// Let `axolotl actors` make actors fail: sets chaos.enabled
    #[arg(long)]
    pub chaos: bool,
    /// Delete the chain and begin anew; sign states are archived in the homes, keys and configurations stay
    #[arg(long)]
    pub fresh_start: bool,
    /// Print what the chain would begin with, and run nothing
    #[arg(long)]
    pub print_initial_state: bool,
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Init {
    /// Directory of the new home
    #[arg(long, value_name = "DIR", env = "AXOLOTL_HOME")]
    pub home: PathBuf,
    /// Genesis of the network to join; without it, a development network of this one validator
    #[arg(long, value_name = "FILE")]
    pub genesis_file: Option<PathBuf>,
    /// Follow only: make no validator key
    #[arg(long, requires = "genesis_file")]
    pub follower: bool,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum Testnet {
    /// Make N homes that know each other
    Init(TestnetInit),
}

#[derive(Debug, Args)]
pub struct TestnetInit {
    /// How many validators
    #[arg(long, short = 'v', value_name = "N")]
    pub validators: usize,
    /// Directory of the new homes
    #[arg(long = "output", value_name = "DIR")]
    pub directory: PathBuf,
    /// How data is printed; --output is the directory here
    #[arg(long = "format", env = "AXOLOTL_OUTPUT", default_value = "text")]
    pub format: Output,
    /// Use the public development keys
    #[arg(long)]
    pub dev: bool,
    /// Move all ports by N
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port_offset: u16,
    #[command(flatten)]
    pub network: NewNetwork,
}

/// What a new genesis should be like.
#[derive(Debug, Args)]
pub struct NewNetwork {
    /// EIP-155 chain id
    #[arg(long, value_name = "ID", default_value_t = crate::genesis_file::DEVELOPMENT_CHAIN_ID)]
    pub chain_id: u64,
    /// dev, testnet or mainnet
    #[arg(long, value_name = "KIND", value_parser = network_kind)]
    pub network_kind: Option<NetworkKind>,
    /// Shortest time between blocks
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub block_interval: Option<Duration>,
    /// Longest time between blocks when there is nothing to do
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub empty_block_interval: Option<Duration>,
    /// Time of block 0 in Unix seconds; now, or a fixed moment on a dev network
    #[arg(long, value_name = "SECONDS")]
    pub timestamp: Option<u64>,
    /// Tells networks apart that are otherwise alike; random, or 0 on a dev network
    #[arg(long, value_name = "HEX")]
    pub nonce: Option<B256>,
    /// Give an account ether: ADDRESS=ETHER
    #[arg(long, value_name = "ADDRESS=ETHER", value_parser = funded)]
    pub fund: Vec<(Address, U256)>,
}

#[derive(Debug, Args)]
pub struct Start {
    /// The node's home
    #[arg(long, value_name = "DIR", env = "AXOLOTL_HOME")]
    pub home: PathBuf,
    /// Be development validator number I, counted from 0
    #[arg(long, value_name = "I", requires = "dev_num_validators")]
    pub dev: Option<usize>,
    /// Of how many
    #[arg(long, value_name = "N", requires = "dev")]
    pub dev_num_validators: Option<usize>,
    /// Genesis of the network; wins over --dev
    #[arg(long, value_name = "FILE")]
    pub genesis_file: Option<PathBuf>,
    /// Move all ports by N, or take whatever is free; nodes on free ports find those whose homes are beside theirs
    #[arg(long, value_name = "N|any")]
    pub port_offset: Option<PortOffset>,
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    pub format: Format,
}

/// Configuration on the command line.
#[derive(Debug, Args)]
pub struct Settings {
    /// Set a configuration key for this run
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = setting)]
    pub set: Vec<Override>,
}

/// A running node.
#[derive(Debug, Args)]
pub struct Remote {
    /// Address of the node
    #[arg(long, value_name = "URL", env = "AXOLOTL_RPC", default_value = "http://127.0.0.1:3030")]
    pub rpc: String,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Wait {
    #[command(flatten)]
    pub node: Remote,
    /// The height to reach
    #[arg(long, value_name = "N")]
    pub height: u64,
    /// Give up after this long, as in 30s
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show every value
    Show {
        #[command(flatten)]
        source: ConfigSource,
        /// Also who set it
        #[arg(long)]
        origin: bool,
    },
    /// Name every mistake
    Check {
        #[command(flatten)]
        source: ConfigSource,
    },
}

#[derive(Debug, Args)]
pub struct ConfigSource {
    /// The node's home
    #[arg(long, value_name = "DIR", env = "AXOLOTL_HOME")]
    pub home: PathBuf,
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    pub format: Format,
}

impl Command {
    /// How this command prints its data.
    pub fn output(&self) -> Output {
        let format = match self {
            Self::Localnet(arguments) => arguments.format,
            Self::Init(arguments) => arguments.format,
            Self::Testnet(Testnet::Init(arguments)) => Format { output: arguments.format },
            Self::Status(node) => node.format,
            Self::Wait(arguments) => arguments.node.format,
            Self::Actors(arguments) => Format { output: arguments.node.output },
            Self::Wire(arguments) => Format { output: arguments.node.output },
            Self::Peers(arguments) => Format { output: arguments.node.output },
            Self::Load(arguments) => arguments.format,
            Self::Chaos(arguments) => arguments.format,
            Self::Keys(Keys::New(KeysNew { format, .. }) | Keys::Show { format, .. }) => *format,
            Self::Genesis(Genesis::New(GenesisNew { format, .. })) => *format,
            Self::Genesis(Genesis::Validate(arguments) | Genesis::Hash(arguments)) => arguments.format,
            Self::Export(Export::Blocks(arguments)) => arguments.node.format,
            Self::Export(Export::Proof(arguments)) => arguments.node.format,
            Self::Verify(arguments) => arguments.format,
            Self::Export(Export::Genesis(arguments)) => arguments.format,
            Self::Config(Config::Show { source, .. } | Config::Check { source }) => source.format,
            Self::Version(format) => *format,
            Self::Start(arguments) => arguments.format,
            Self::Completions { .. } => Format { output: Output::Text },
        };
        format.output
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_line_of_the_documentation_is_understood() {
        for line in [
            "localnet",
            "localnet --validators 7 --block-interval 250ms --empty-block-interval 1s --port-offset any --data-dir x --processes --fresh-start",
            "localnet --chaos",
            "localnet --port-offset 100 --print-initial-state --output json",
            "init --home h",
            "testnet init -v 5 --output d --format json",
            "start --home h --output json",
            "start --home h --dev 0 --dev-num-validators 5 --port-offset 10",
            "start --home h --genesis-file g --set rpc.listen=127.0.0.1:1 --set p2p.json=true",
            "status --output json",
            "wait --height 3 --timeout 30s",
            "actors",
            "actors mempool",
            "actors watch --home h --output json",
            "actors --home h --node validator-2 p2p.gossip",
            "actors kill mempool --watch",
            "actors restart mempool",
            "actors suspend mempool",
            "actors resume mempool",
            "actors panic mempool --watch --node validator-2",
            "actors --home h hang consensus --message Deliver --for 2s",
            "actors flood mempool --messages 100",
            "actors error mempool --starts 3",
            "actors block p2p.gossip.session/7 --admin http://127.0.0.1:3039 --token-file t",
            "peers list",
            "peers show 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 --output json",
            "peers export --home h",
            "peers export --file f --node validator-2",
            "peers import f --home h",
            "peers import f --replace --admin http://127.0.0.1:3039 --token-file t",
            "peers add 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266@10.0.0.1:4130",
            "peers ban 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 --for 1h",
            "peers unban 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "load",
            "load --rpc http://127.0.0.1:3030,http://127.0.0.1:3040 --tx-rate max --duration 30s --kind erc20 --accounts 100 --batch 20",
            "load --tx-rate 0.5 --key k --in-flight 8 --window 100 --settle 1m --fee-cap 50 --chain-id 1337 --output json",
            "keys new --home h --node",
            "keys show --home h",
            "genesis new --validators 4",
            "genesis validate f",
            "genesis hash f",
            "export blocks --rlp f",
            "export genesis --geth f --home h",
            "export proof --file f",
            "export proof --height 7 --height 9 --file f --rpc http://127.0.0.1:1",
            "verify --trusted g --bundle f",
            "verify --trusted g --bundle f --bundle f --header h --proof p --proof p --write-checkpoint c --output json",
            "verify --trusted c --header h --proof p",
            "config show --origin --home h",
            "config check --home h",
            "version",
            "completions bash",
        ] {
            let arguments = std::iter::once("axolotl").chain(line.split(' '));
            assert!(Cli::try_parse_from(arguments).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "loclnet",
            "start",
            "start --home h --dev 1",
            "wait --height x",
            "wait --height 1 --timeout 5",
            "localnet --port-offset -1",
            "peers",
            "peers import f --merge --replace",
            "peers ban somebody",
            "actors panic",
            "actors hang mempool --for 2",
            "load --tx-rate 0",
            "load --accounts 0",
            "load --kind mint",
            "start --home h --set x",
            "export proof --height 7",
            "verify --bundle f",
            "verify --trusted g",
        ] {
            let arguments = std::iter::once("axolotl").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(arguments).is_err(), "{line}");
        }
    }
}
