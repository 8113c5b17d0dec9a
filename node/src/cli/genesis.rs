//! `genesis new`, `validate`, `hash`.

use primitives::{Validator, genesis::NetworkKind};
use serde_json::json;

use super::{
    arguments::{Genesis as Command, GenesisFile, GenesisNew},
    make,
    printer::Printer,
};
use crate::{
    exit::{ExitCode, Failure},
    genesis_file, home, localnet,
    network::Member,
};

pub fn run(command: &Command, printer: &mut Printer<'_>) -> Result<(), Failure> {
    match command {
        Command::New(arguments) => new(arguments, printer),
        Command::Validate(GenesisFile { file, .. }) => {
            let genesis = genesis_file::load(file)?;
            let tolerance = genesis_file::fault_tolerance(&genesis.validators);
            let data = json!({ "valid": true, "hash": genesis.hash(), "chain_id": genesis.chain_id, "network_kind": genesis.network_kind, "validators": genesis.validators.len(), "fault_tolerance": tolerance });
            printer.print(&data, || {
                format!("{} is right\n  hash      {}\n  chain id  {}\n  faults    {tolerance}", file.display(), genesis.hash(), genesis.chain_id)
            })
        }
        Command::Hash(GenesisFile { file, .. }) => {
            let hash = genesis_file::load(file)?.hash();
            printer.print(&json!({ "hash": hash }), || hash.to_string())
        }
    }
}

fn new(arguments: &GenesisNew, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let genesis = make::new_genesis(&arguments.network, NetworkKind::Dev, validators(arguments)?)?;
    let text = genesis.to_json();
    let Some(path) = &arguments.file else {
        return printer.print(&serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default(), || text);
    };
    if path.exists() {
        let failure = Failure::config("the file is there already; nothing was changed").at(path.display().to_string());
        return Err(failure.remedy("name another file"));
    }
    home::write(path, &text)?;
    let tolerance = genesis_file::fault_tolerance(&genesis.validators);
    let data = json!({ "file": path, "hash": genesis.hash(), "chain_id": genesis.chain_id, "fault_tolerance": tolerance });
    printer.print(&data, || format!("wrote {}\n  hash      {}\n  faults    {tolerance}", path.display(), genesis.hash()))
}

fn validators(arguments: &GenesisNew) -> Result<Vec<Validator>, Failure> {
    if !arguments.validator.is_empty() {
        let validator =
            |(public_key, power): &(primitives::PublicKey, u64)| Validator { address: public_key.address(), public_key: *public_key, power: *power };
        return Ok(arguments.validator.iter().map(validator).collect());
    }
    if let Some(kind) = arguments.network.network_kind.filter(|kind| *kind != NetworkKind::Dev) {
        let failure = Failure::new(ExitCode::Usage, "a network that is not for development needs validators of its own");
        return Err(failure
            .at(format!("--network-kind {}", genesis_file::kind_name(kind)))
            .remedy("give each with --validator PUBLIC_KEY[:POWER]; `axolotl keys show` prints the public key"));
    }
    let count = arguments.validators.unwrap_or(localnet::USUAL_VALIDATORS);
    localnet::development_genesis(count, None, None)?;
    Ok((0..count).map(|index| Member::development(index).validator()).collect())
}
