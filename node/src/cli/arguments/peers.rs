//! `axolotl peers`: which node's book, and what is to become of it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use primitives::{Address, PeerAddress};

use super::AdminNode;
use crate::cli::values::duration;

#[derive(Debug, Args)]
pub struct Peers {
    #[command(subcommand)]
    pub command: PeersCommand,
    #[command(flatten)]
    pub node: AdminNode,
}

#[derive(Debug, Subcommand)]
pub enum PeersCommand {
    /// Show everybody in the peer book
    List,
    /// Show one node
    Show {
        /// Its node id
        id: Address,
    },
    /// Write the peer book for another node: a signed bundle, as JSON
    Export {
        /// Where to; standard output if not given
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take in what another node exported, all of it or nothing
    Import(ImportPeers),
    /// Stay connected to an address from now on, and dial it at once
    Add {
        /// nodeid@host:port, or host:port to take whoever answers
        address: PeerAddress,
    },
    /// Neither dial a node nor let it in
    Ban {
        /// Its node id
        id: Address,
        /// How long, as in 1h
        #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "24h")]
        length: Duration,
    },
    /// Lift a ban
    Unban {
        /// Its node id
        id: Address,
    },
}

#[derive(Debug, Args)]
pub struct ImportPeers {
    /// What `axolotl peers export` wrote
    pub file: PathBuf,
    /// Keep what is in the book, which is what happens if nothing is said
    #[arg(long, conflicts_with = "replace")]
    pub merge: bool,
    /// Forget what is in the book, bans excepted
    #[arg(long)]
    pub replace: bool,
}
