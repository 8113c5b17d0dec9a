//! `axolotl wire`: what is to be seen of the links.

use clap::{Args, Subcommand};

use super::AdminNode;

#[derive(Debug, Args)]
pub struct Wire {
    #[command(subcommand)]
    pub command: WireCommand,
    #[command(flatten)]
    pub node: AdminNode,
}

#[derive(Debug, Subcommand)]
pub enum WireCommand {
    /// Print every frame of the links of a running node as it goes by, one object of JSON on each line
    Tap(WireTap),
}

#[derive(Debug, Args)]
pub struct WireTap {
    /// Only frames of peers whose node id begins so, as in 0x1f
    #[arg(long, value_name = "NODE")]
    pub peer: Option<String>,
    /// Only frames of this kind, as in consensus or ping
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// End after so many frames
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// With the whole message, as the JSON codec writes it
    #[arg(long)]
    pub full: bool,
}
