//! `axolotl wire tap`: what is said on the links of a running node, as it happens.

use std::time::Duration;

use super::{
    actors,
    arguments::{Wire, WireCommand, WireTap},
    printer::Printer,
};
use crate::{admin::TapRequest, exit::Failure};

/// How long one question waits for the first frame.
const WAIT: Duration = Duration::from_secs(5);

/// `axolotl wire`.
pub async fn run(arguments: &Wire, printer: &mut Printer<'_>) -> Result<(), Failure> {
    match &arguments.command {
        WireCommand::Tap(wanted) => tap(arguments, wanted, printer).await,
    }
}

/// One object of JSON on each line, until the reader has enough.
async fn tap(arguments: &Wire, asked: &WireTap, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let client = actors::connect(&arguments.node)?;
    let WireTap { peer, kind, limit, full } = asked;
    let mut request = TapRequest { after: 0, wait: WAIT, peer: peer.clone(), kind: kind.clone(), full: *full };
    let mut left = limit.unwrap_or(u64::MAX);
    while 0 < left {
        for line in client.tap(&request).await? {
            let Some(sequence) = line["sequence"].as_u64() else {
                // How many went by unseen.
                if writeln!(printer.out, "{line}").is_err() {
                    return Ok(());
                }
                continue;
            };
            request.after = sequence;
            if writeln!(printer.out, "{line}").and_then(|()| printer.out.flush()).is_err() {
                return Ok(());
            }
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
    Ok(())
}
