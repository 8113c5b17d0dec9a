//! `export blocks` and `export genesis`: the chain as other execution clients read it.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde_json::json;

use super::{
    arguments::{Export as Command, ExportBlocks, ExportGenesis},
    block_on,
    printer::Printer,
};
use crate::{
    client::Client,
    exit::{ExitCode, Failure},
    genesis_file,
    home::{self, Home},
};

pub fn run(command: &Command, printer: &mut Printer<'_>) -> Result<(), Failure> {
    match command {
        Command::Blocks(arguments) => block_on(blocks(arguments, printer)),
        Command::Genesis(arguments) => genesis(arguments, printer),
    }
}

/// Writes beside the file and renames at the end, so that a file with this name is always whole.
async fn blocks(arguments: &ExportBlocks, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let client = Client::new(&arguments.node.rpc)?;
    let tip = client.height().await?;
    let to = arguments.to.unwrap_or(tip);
    if arguments.from > to || to > tip {
        let failure = Failure::new(ExitCode::Usage, format!("there are no blocks {} to {to}: the node has 0 to {tip}", arguments.from));
        return Err(failure.remedy("choose --from and --to within that, or wait with `axolotl wait --height`"));
    }
    let beside = arguments.rlp.with_extension("part");
    let failed = |path: &Path, error: io::Error| Failure::unwritten("writing blocks", path, &error);
    let mut file = BufWriter::new(fs::File::create(&beside).map_err(|error| failed(&beside, error))?);
    let mut bytes = 0;
    for height in arguments.from..=to {
        let block = client.raw_block(height).await?;
        file.write_all(&block).map_err(|error| failed(&beside, error))?;
        bytes += block.len();
    }
    let synced = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    synced.and_then(|()| fs::rename(&beside, &arguments.rlp)).map_err(|error| failed(&arguments.rlp, error))?;
    let data = json!({ "file": arguments.rlp, "from": arguments.from, "to": to, "bytes": bytes });
    printer.print(&data, || format!("wrote blocks {} to {to} to {} ({bytes} bytes)", arguments.from, arguments.rlp.display()))
}

fn genesis(arguments: &ExportGenesis, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let path = match (&arguments.genesis_file, &arguments.home) {
        (Some(path), _) => path.clone(),
        (None, Some(home)) => Home::at(home).genesis_file(),
        (None, None) => return Err(Failure::new(ExitCode::Usage, "name the genesis with --home or --genesis-file")),
    };
    let genesis = genesis_file::load(&path)?;
    home::write(&arguments.geth, &genesis.to_geth_json())?;
    let data = json!({ "file": arguments.geth, "hash": genesis.hash() });
    printer.print(&data, || format!("wrote {} (hash {})", arguments.geth.display(), genesis.hash()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        cli::arguments::{Format, Output, Remote},
        client::tests::node,
    };

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_exit_code_1_with_a_remedy() {
        let (url, _task) = node(|_| json!({ "result": "0x3" }).to_string()).await;
        let directory = tempfile::tempdir().unwrap();
        let rlp = directory.path().join("none/x.rlp");
        let arguments = ExportBlocks { node: Remote { rpc: url, format: Format { output: Output::Text } }, rlp, from: 1, to: None };
        let failure = blocks(&arguments, &mut Printer { output: Output::Text, out: &mut Vec::new() }).await.unwrap_err();
        assert_eq!(failure.code, ExitCode::Runtime);
        assert!(failure.at[0].contains("none/x") && failure.remedy.contains("make its directory first"), "{failure}");
    }
}
