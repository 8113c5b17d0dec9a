//! `export blocks` and `export genesis`: the chain as other execution clients read it. `export proof`: what proves it.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde_json::json;

use super::{
    arguments::{Export as Command, ExportBlocks, ExportGenesis, ExportProof},
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
        Command::Proof(arguments) => block_on(proof(arguments, printer)),
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

/// Writes what the node says; whether it is true is for `verify` to find out.
async fn proof(arguments: &ExportProof, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let client = Client::new(&arguments.node.rpc)?;
    let mut bundles = Vec::new();
    if arguments.height.is_empty() {
        bundles.push(client.light_proof("latest").await?);
    }
    for height in &arguments.height {
        bundles.push(client.light_proof(&format!("{height:#x}")).await?);
    }
    let heights: Vec<_> = bundles.iter().map(|bundle| bundle.header.number).collect();
    let text = if let [bundle] = bundles.as_slice() { serde_json::to_string_pretty(bundle) } else { serde_json::to_string_pretty(&bundles) };
    let text = text.map_err(|error| Failure::runtime(format!("the proof is no JSON: {error}")))?;
    home::write(&arguments.file, &(text + "\n"))?;
    let listed = heights.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let data = json!({ "file": arguments.file, "heights": heights });
    printer.print(&data, || format!("wrote the proof of block {listed} to {}", arguments.file.display()))
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
