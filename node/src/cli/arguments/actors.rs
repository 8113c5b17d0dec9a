//! `axolotl actors`: which node, which actor, what is to become of it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::Output;
use crate::cli::values::duration;

#[derive(Debug, Args)]
pub struct Actors {
    /// Show this actor in detail, as in mempool or p2p.gossip; without it, the whole tree
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    #[command(subcommand)]
    pub command: Option<ActorsCommand>,
    #[command(flatten)]
    pub node: AdminNode,
}

/// The node whose actors are meant.
#[derive(Debug, Args)]
pub struct AdminNode {
    /// Home of the node, or directory of a localnet
    #[arg(long, value_name = "DIR", env = "AXOLOTL_HOME", default_value = "./axolotl-localnet", global = true)]
    pub home: PathBuf,
    /// Which validator of a localnet; validator-0 if not given
    #[arg(long, value_name = "NAME", global = true)]
    pub node: Option<String>,
    /// Address of the admin listener, if not as the home has it
    #[arg(long, value_name = "URL", global = true)]
    pub admin: Option<String>,
    /// The token of that listener
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
    /// How data is printed
    #[arg(long, env = "AXOLOTL_OUTPUT", default_value = "text", global = true)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum ActorsCommand {
    /// Show what happens: the tree on a terminal, one line for each event elsewhere
    Watch,
    /// Let an actor finish the message in hand, then replace it
    Restart(Ordered),
    /// Let an actor, and those that need it, handle nothing until it is resumed
    Suspend { path: String },
    /// Let a suspended actor go on
    Resume { path: String },
    /// End an actor as a crash would (chaos.enabled)
    Kill(Ordered),
    /// Let an actor panic (chaos.enabled)
    Panic(Provoke),
    /// Let an actor return an error (chaos.enabled)
    Error(Provoke),
    /// Let an actor hang, until it is replaced or for a time (chaos.enabled)
    Hang(Provoke),
    /// Let an actor block its thread; for 5s if not said otherwise (chaos.enabled)
    Block(Provoke),
    /// Let an actor handle a message late; by 1s if not said otherwise (chaos.enabled)
    Delay(Provoke),
    /// Fill the mailbox of an actor at once (chaos.enabled)
    Flood(Provoke),
    /// Take back faults that have not struck yet
    Clear { path: String },
}

#[derive(Debug, Args)]
pub struct Ordered {
    /// The actor, as `axolotl actors` names it
    pub path: String,
    /// Show what happens until the actor is back
    #[arg(long)]
    pub watch: bool,
}

impl Ordered {
    /// Without waiting for anything.
    pub fn only(path: &str) -> Self {
        Self { path: path.to_owned(), watch: false }
    }
}

#[derive(Debug, Args)]
pub struct Provoke {
    /// The actor, as `axolotl actors` names it
    pub path: String,
    /// The message it strikes in; whichever comes next if not given
    #[arg(long, value_name = "NAME")]
    pub message: Option<String>,
    /// How long it lasts, as in 2s
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasts: Option<Duration>,
    /// How many messages a flood has; as many as find room if not given
    #[arg(long, value_name = "N")]
    pub messages: Option<u32>,
    /// Strike the next N starts, and no message
    #[arg(long, value_name = "N", conflicts_with = "message")]
    pub starts: Option<u32>,
    /// Show what happens until the actor is back
    #[arg(long)]
    pub watch: bool,
}
