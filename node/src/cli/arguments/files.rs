//! Commands about keys, genesis files, exports and proofs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use primitives::PublicKey;

use super::{Format, NewNetwork, Remote};
use crate::cli::values::validator;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a node key, a validator key, or both
    New(KeysNew),
    /// Show the addresses of a home's keys, never the keys
    Show {
        /// The node's home
        #[arg(long, value_name = "DIR", env = "AXOLOTL_HOME")]
        home: PathBuf,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub struct KeysNew {
    /// The node's home
    #[arg(long, value_name = "DIR", env = "AXOLOTL_HOME")]
    pub home: PathBuf,
    /// Only the key for the network
    #[arg(long, conflicts_with = "validator")]
    pub node: bool,
    /// Only the key for consensus
    #[arg(long)]
    pub validator: bool,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum Genesis {
    /// Make a genesis file
    New(GenesisNew),
    /// Name every mistake of a genesis file
    Validate(GenesisFile),
    /// Print the genesis hash
    Hash(GenesisFile),
}

#[derive(Debug, Args)]
pub struct GenesisFile {
    /// The file to read
    pub file: PathBuf,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct GenesisNew {
    /// Where to write it; otherwise it is printed
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// This many well-known validators; only on a dev network
    #[arg(long, short = 'v', value_name = "N", conflicts_with = "validator")]
    pub validators: Option<usize>,
    /// A validator: its compressed public key, with its power if that is not 1
    #[arg(long, value_name = "PUBLIC_KEY[:POWER]", value_parser = validator)]
    pub validator: Vec<(PublicKey, u64)>,
    #[command(flatten)]
    pub network: NewNetwork,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum Export {
    /// Write decided blocks of a running node, as other execution clients import them
    Blocks(ExportBlocks),
    /// Write the proof that blocks of a running node were decided, as `verify` reads it
    Proof(ExportProof),
    /// Write the genesis as geth reads it
    Genesis(ExportGenesis),
}

#[derive(Debug, Args)]
pub struct ExportBlocks {
    #[command(flatten)]
    pub node: Remote,
    /// File of RLP blocks, one after the other
    #[arg(long, value_name = "FILE")]
    pub rlp: PathBuf,
    /// First height
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub from: u64,
    /// Last height; the latest if not given
    #[arg(long, value_name = "N")]
    pub to: Option<u64>,
}

#[derive(Debug, Args)]
pub struct ExportProof {
    #[command(flatten)]
    pub node: Remote,
    /// Height of the block; may be repeated, which makes a list; the latest if not given
    #[arg(long, value_name = "N")]
    pub height: Vec<u64>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// What is trusted: the network's genesis file, or a checkpoint
    #[arg(long, value_name = "GENESIS|CHECKPOINT")]
    pub trusted: PathBuf,
    /// Light-client proof of a block, or a list of them, as `export proof` writes it; may be repeated, in ascending order of height
    #[arg(long, value_name = "FILE", required_unless_present = "header")]
    pub bundle: Vec<PathBuf>,
    /// The header in question, as RLP in hex or as eth_getBlockByNumber answers it; that of the last bundle if not given
    #[arg(long, value_name = "FILE")]
    pub header: Option<PathBuf>,
    /// What eth_getProof answered, checked against the state root of the header; may be repeated
    #[arg(long, value_name = "FILE")]
    pub proof: Vec<PathBuf>,
    /// Write the newest block that was verified, to be trusted the next time
    #[arg(long, value_name = "FILE")]
    pub write_checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct ExportGenesis {
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub geth: PathBuf,
    /// The node's home
    #[arg(long, value_name = "DIR", env = "AXOLOTL_HOME", required_unless_present = "genesis_file")]
    pub home: Option<PathBuf>,
    /// The genesis itself; wins over --home
    #[arg(long, value_name = "FILE")]
    pub genesis_file: Option<PathBuf>,
    #[command(flatten)]
    pub format: Format,
}
