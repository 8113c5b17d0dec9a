//! Genesis files: read with every check there is, and made from a few wishes.

use std::{fs, path::Path, time::Duration};

use primitives::{
    Address, B256, Genesis, U256, Validator, ValidatorSet, ValidatorSetError,
    genesis::{DEVELOPMENT_ACCOUNTS, MalformedGenesis, Mistake, NetworkKind},
};

use crate::{
    development,
    exit::{ExitCode, Failure},
};

/// Chain id of development networks unless another is asked for.
pub const DEVELOPMENT_CHAIN_ID: u64 = 1_337;

/// What a new genesis should be like; what is none stays as it usually is.
#[derive(Clone, Debug)]
pub struct Wishes {
    pub chain_id: u64,
    pub kind: NetworkKind,
    pub validators: Vec<Validator>,
    pub block_interval: Option<Duration>,
    pub empty_block_interval: Option<Duration>,
    /// Unix seconds. None: the fixed one on a development network, `now` elsewhere.
    pub timestamp: Option<u64>,
    pub nonce: B256,
    /// Accounts with their balance in wei.
    pub funded: Vec<(Address, U256)>,
}

/// A genesis as wished on the command line, or every flag that makes it impossible.
pub fn make(wishes: &Wishes) -> Result<Genesis, Failure> {
    let set = ValidatorSet::new(wishes.validators.clone()).map_err(|error| impossible([validators_flag(wishes, &error)]))?;
    let genesis = Genesis::development(wishes.chain_id, set).with(|genesis| {
        genesis.network_kind = wishes.kind;
        genesis.nonce = wishes.nonce;
        genesis.timestamp = wishes.timestamp.unwrap_or(genesis.timestamp);
        if wishes.kind != NetworkKind::Dev {
            DEVELOPMENT_ACCOUNTS.iter().for_each(|account| drop(genesis.alloc.remove(account)));
        }
        for (account, balance) in &wishes.funded {
            genesis.alloc.entry(*account).or_default().balance = *balance;
        }
        let pace = &mut genesis.consensus;
        pace.block_interval = wishes.block_interval.unwrap_or(pace.block_interval);
        let usual = pace.empty_block_interval.max(pace.block_interval);
        pace.empty_block_interval = wishes.empty_block_interval.unwrap_or(usual);
    });
    check(genesis).map_err(|malformed| impossible(malformed.0.iter().map(|mistake| flag(wishes, mistake))))
}

fn impossible(flags: impl IntoIterator<Item = String>) -> Failure {
    let failure = Failure::new(ExitCode::Usage, "the command line asks for an impossible genesis");
    let failure = flags.into_iter().fold(failure, Failure::at);
    failure.remedy("correct what is named above; `axolotl genesis new --help` says what each flag takes and what holds without it")
}

/// The flag behind a mistake, its value, and what is wrong with it.
fn flag(wishes: &Wishes, mistake: &Mistake) -> String {
    let Mistake { key, value, remedy } = mistake;
    let remedy = remedy.replace("consensus.block_interval", "--block-interval").replace("network_kind = dev", "--network-kind dev");
    match key.as_str() {
        "chain_id" => format!("--chain-id {value}: {remedy}"),
        "timestamp" => format!("--timestamp {value}: {remedy}"),
        "consensus.block_interval" => format!("--block-interval {value}: {remedy}"),
        "consensus.empty_block_interval" => format!("--empty-block-interval {value}: {remedy}"),
        "validators" => format!("--network-kind {}: validator {value} {remedy}", kind_name(wishes.kind)),
        other => match other.strip_prefix("alloc.") {
            Some(account) => format!("--fund {account}: {remedy}"),
            None => mistake.to_string(),
        },
    }
}

/// The flag that named the validators which are no set.
fn validators_flag(wishes: &Wishes, error: &ValidatorSetError) -> String {
    use ValidatorSetError::{Empty, NoPower, TooMany, TooMuchPower, Twice, WrongKey};
    let given = |validator: &Validator| format!("--validator {}:{}: {error}", validator.public_key, validator.power);
    let strongest = || wishes.validators.iter().max_by_key(|validator| validator.power);
    let named = match error {
        Empty | TooMany { .. } => None,
        NoPower { address } | Twice { address } | WrongKey { address, .. } => {
            wishes.validators.iter().find(|validator| validator.address == *address)
        }
        TooMuchPower { .. } => strongest(),
    };
    named.map_or_else(|| format!("--validators {}: {error}", wishes.validators.len()), given)
}

/// As it is written in files and flags.
pub fn kind_name(kind: NetworkKind) -> &'static str {
    match kind {
        NetworkKind::Dev => "dev",
        NetworkKind::Testnet => "testnet",
        NetworkKind::Mainnet => "mainnet",
    }
}

/// Reads and checks the file at `path`; every mistake is in the failure.
pub fn load(path: &Path) -> Result<Genesis, Failure> {
    let text =
        fs::read_to_string(path).map_err(|error| Failure::io("reading the genesis", path, &error).remedy("name the network's genesis.json"))?;
    check(Genesis::from_json(&text)).map_err(|malformed| refusal(&path.display().to_string(), &malformed))
}

/// "4 validators tolerate 1 fault".
pub fn fault_tolerance(validators: &ValidatorSet) -> String {
    let (count, faults) = (validators.len(), validators.faults_tolerated());
    let subject = if count == 1 { "1 validator tolerates".to_owned() } else { format!("{count} validators tolerate") };
    match faults {
        0 => format!("{subject} no fault"),
        1 => format!("{subject} 1 fault"),
        _ => format!("{subject} {faults} faults"),
    }
}

/// The rule that needs derived keys: everybody can sign for a development validator.
fn check(genesis: Result<Genesis, MalformedGenesis>) -> Result<Genesis, MalformedGenesis> {
    let genesis = genesis?;
    let remedy = "belongs to the public development mnemonic, so anyone can sign with it; use your own key, or network_kind = dev";
    let mistakes: Vec<_> = development::validators_out_of_place(&genesis)
        .into_iter()
        .map(|address| Mistake { key: "validators".into(), value: address.to_string(), remedy: remedy.into() })
        .collect();
    if mistakes.is_empty() { Ok(genesis) } else { Err(MalformedGenesis(mistakes)) }
}

fn refusal(file: &str, malformed: &MalformedGenesis) -> Failure {
    let count = malformed.0.len();
    let mistakes = if count == 1 { "a mistake".to_owned() } else { format!("{count} mistakes") };
    let failure = Failure::config(format!("the genesis has {mistakes}: {file}"));
    let failure = malformed.0.iter().fold(failure, |failure, mistake| failure.at(mistake.to_string()));
    failure.remedy(format!("correct the file, alike at every node of the network; `axolotl genesis validate {file}` checks it again"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exit::ExitCode;

    fn wishes(count: u32) -> Wishes {
        let validator = |index| {
            let public_key = development::validator_key(index).public_key();
            Validator { address: public_key.address(), public_key, power: 1 }
        };
        Wishes {
            chain_id: DEVELOPMENT_CHAIN_ID,
            kind: NetworkKind::Dev,
            validators: (0..count).map(validator).collect(),
            block_interval: None,
            empty_block_interval: None,
            timestamp: None,
            nonce: B256::ZERO,
            funded: Vec::new(),
        }
    }

    #[test]
    fn the_development_genesis_is_the_same_everywhere() {
        assert_eq!(make(&wishes(4)).unwrap().hash(), make(&wishes(4)).unwrap().hash());
        assert_ne!(make(&wishes(4)).unwrap().hash(), make(&wishes(5)).unwrap().hash());
    }

    #[test]
    fn a_slower_block_interval_slows_empty_blocks_too() {
        let genesis = make(&Wishes { block_interval: Some(Duration::from_secs(5)), ..wishes(1) }).unwrap();
        assert_eq!(genesis.consensus.empty_block_interval, Duration::from_secs(5));
    }

    #[test]
    fn development_validators_are_refused_outside_development() {
        let refused = make(&Wishes { kind: NetworkKind::Testnet, ..wishes(2) }).unwrap_err();
        assert_eq!((refused.code, refused.at.len()), (ExitCode::Usage, 2));
        assert!(refused.at[0].starts_with("--network-kind testnet: ") && refused.at[0].contains("public development mnemonic"), "{refused}");
    }

    #[test]
    fn every_mistake_of_a_file_is_in_one_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("genesis.json");
        fs::write(&path, make(&wishes(1)).unwrap().to_json().replace("1337", "0").replace("\"dev\"", "\"moon\"")).unwrap();
        let refused = load(&path).unwrap_err();
        assert!(refused.at.iter().any(|line| line.starts_with("chain_id = 0")), "{refused}");
        assert!(refused.at.iter().any(|line| line.starts_with("network_kind")), "{refused}");
    }

    #[test]
    fn fault_tolerance_is_said_plainly() {
        let said = |count| fault_tolerance(&make(&wishes(count)).unwrap().validators);
        assert_eq!(said(1), "1 validator tolerates no fault");
        assert_eq!(said(3), "3 validators tolerate no fault");
        assert_eq!(said(4), "4 validators tolerate 1 fault");
        assert_eq!(said(7), "7 validators tolerate 2 faults");
    }
}
