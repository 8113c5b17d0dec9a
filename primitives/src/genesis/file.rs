//! The genesis file as text: what its keys are called, what they default to.

use std::{collections::BTreeMap, fmt, time::Duration};

use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, U256, address};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value, json, value::RawValue};

use super::{ConsensusParameters, Forks, Genesis, MalformedGenesis, Mistake, NetworkKind, Timeouts, check, state};
use crate::{PeerAddress, PublicKey, Validator, ValidatorSet, ValidatorSetError};

/// The first ten accounts of the mnemonic "test test test test test test test test test test test junk".
pub const DEVELOPMENT_ACCOUNTS: [Address; 10] = [
    address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    address!("90F79bf6EB2c4f870365E785982E1f101E93b906"),
    address!("15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    address!("9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
    address!("976EA74026E726554dB657fA54763abd0C3a0aa9"),
    address!("14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
    address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
    address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"),
];

/// 2026-01-01T00:00:00Z: fixed, so that a development genesis has one hash everywhere.
const DEVELOPMENT_TIMESTAMP: u64 = 1_767_225_600;
const DEFAULT_GAS_LIMIT: u64 = 30_000_000;
const DEFAULT_BASE_FEE: u64 = 1_000_000_000;
const DEVELOPMENT_BALANCE_ETHER: u64 = 10_000;
/// A mistake shows so many characters of a part that may be megabytes long.
const SHOWN_CHARACTERS: usize = 60;
const KEYS: [&str; 12] = [
    "chain_id",
    "network_kind",
    "timestamp",
    "nonce",
    "forks",
    "gas_limit",
    "base_fee_per_gas",
    "alloc",
    "validators",
    "bootstrap_peers",
    "consensus",
    "$schema",
];

pub(super) fn development(chain_id: u64, validators: ValidatorSet) -> Genesis {
    let balance = U256::from(DEVELOPMENT_BALANCE_ETHER) * U256::from(10).pow(U256::from(18));
    let mut alloc: BTreeMap<Address, GenesisAccount> =
        DEVELOPMENT_ACCOUNTS.into_iter().map(|address| (address, GenesisAccount::default().with_balance(balance))).collect();
    for (address, code) in check::system_contracts(true) {
        alloc.insert(address, GenesisAccount::default().with_nonce(Some(1)).with_code(Some(code)));
    }
    state::seal(Genesis {
        chain_id,
        network_kind: NetworkKind::Dev,
        timestamp: DEVELOPMENT_TIMESTAMP,
        nonce: B256::ZERO,
        forks: Forks { prague: Some(0), osaka: None },
        gas_limit: DEFAULT_GAS_LIMIT,
        base_fee_per_gas: DEFAULT_BASE_FEE,
        alloc,
        validators,
        bootstrap_peers: Vec::new(),
        consensus: ConsensusParameters::default(),
        header: Default::default(),
        hash: B256::ZERO,
    })
}

pub(super) fn write(genesis: &Genesis) -> String {
    let show = |duration: Duration| humantime::format_duration(duration).to_string();
    let timeouts: Map<String, Value> =
        genesis.consensus.timeouts.entries().into_iter().map(|(key, value)| (key.into(), show(value).into())).collect();
    let validators: Vec<Value> =
        genesis.validators.iter().map(|v| json!({"address": v.address, "public_key": v.public_key, "power": v.power})).collect();
    let file = json!({
        "chain_id": genesis.chain_id,
        "network_kind": genesis.network_kind,
        "timestamp": genesis.timestamp,
        "nonce": genesis.nonce,
        "forks": { "prague": genesis.forks.prague, "osaka": genesis.forks.osaka },
        "gas_limit": genesis.gas_limit,
        "base_fee_per_gas": genesis.base_fee_per_gas,
        "consensus": {
            "block_interval": show(genesis.consensus.block_interval),
            "empty_block_interval": show(genesis.consensus.empty_block_interval),
            "timeouts": timeouts,
        },
        "validators": validators,
        "bootstrap_peers": genesis.bootstrap_peers,
        "alloc": genesis.alloc,
    });
    let mut text = serde_json::to_string_pretty(&file).expect("a map with string keys is always JSON");
    text.push('\n');
    text
}

pub(super) fn read(text: &str) -> Result<Genesis, MalformedGenesis> {
    let File { alloc, others: file } = serde_json::from_str(text).map_err(|error| {
        let remedy = if error.is_data() { format!("must be one JSON object: {error}") } else { format!("is not JSON: {error}") };
        MalformedGenesis(vec![Mistake::new("(file)", format!("line {}", error.line()), remedy)])
    })?;
    let mut reader = Reader { mistakes: Vec::new() };
    reader.refuse_unknown("", &file, &KEYS);
    let genesis = Genesis {
        chain_id: reader.number(&file, "", "chain_id", None),
        network_kind: reader.network_kind(&file),
        timestamp: reader.number(&file, "", "timestamp", None),
        nonce: reader.nonce(&file),
        forks: reader.forks(&file),
        gas_limit: reader.number(&file, "", "gas_limit", Some(DEFAULT_GAS_LIMIT)),
        base_fee_per_gas: reader.number(&file, "", "base_fee_per_gas", Some(DEFAULT_BASE_FEE)),
        alloc: reader.alloc(alloc),
        validators: reader.validators(&file),
        bootstrap_peers: reader.bootstrap_peers(&file),
        consensus: reader.consensus(&file),
        header: Default::default(),
        hash: B256::ZERO,
    };
    check::check(&genesis, &mut reader.mistakes);
    if reader.mistakes.is_empty() { Ok(state::seal(genesis)) } else { Err(MalformedGenesis(reader.mistakes)) }
}

/// A genesis file, with the one part unread that may have millions of entries.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default, deserialize_with = "whatever_stands_there")]
    alloc: Option<&'a RawValue>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// `null` too, which is not the same as nothing.
fn whatever_stands_there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// An object key by key as it is written, so that a key that stands there twice is seen twice.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        object.deserialize_map(Visitor)
    }
}

/// Reads key by key and remembers every mistake; a value that is wrong is replaced by a harmless one.
struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn refuse(&mut self, key: impl Into<String>, value: impl std::fmt::Display, remedy: impl Into<String>) {
        self.mistakes.push(Mistake::new(key, value, remedy));
    }

    fn refuse_unknown(&mut self, prefix: &str, map: &Map<String, Value>, known: &[&str]) {
        for (key, value) in map.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let known: Vec<_> = known.iter().filter(|key| !key.starts_with('$')).copied().collect();
            self.refuse(format!("{prefix}{key}"), value, format!("is not a key here; known are {}", known.join(", ")));
        }
    }

    fn number(&mut self, map: &Map<String, Value>, prefix: &str, key: &str, default: Option<u64>) -> u64 {
        let path = format!("{prefix}{key}");
        let Some(value) = map.get(key).filter(|value| !value.is_null()) else {
            if default.is_none() {
                self.refuse(path, "missing", "must be a whole number");
            }
            return default.unwrap_or(1);
        };
        let parsed = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        parsed.unwrap_or_else(|| {
            self.refuse(path, value, "must be a whole number from 0 to 2^64 - 1, plain or as 0x hex in quotes");
            default.unwrap_or(1)
        })
    }

    fn network_kind(&mut self, file: &Map<String, Value>) -> NetworkKind {
        let value = file.get("network_kind").cloned().unwrap_or(Value::Null);
        serde_json::from_value(value.clone()).unwrap_or_else(|_| {
            self.refuse("network_kind", value, "must be \"dev\", \"testnet\" or \"mainnet\"");
            NetworkKind::Mainnet
        })
    }

    fn nonce(&mut self, file: &Map<String, Value>) -> B256 {
        let Some(value) = file.get("nonce") else { return B256::ZERO };
        let number = value.as_str().and_then(|text| text.parse::<U256>().ok());
        number.map(B256::from).unwrap_or_else(|| {
            self.refuse("nonce", value, "must be at most 32 bytes as 0x hex");
            B256::ZERO
        })
    }

    fn section(&mut self, map: &Map<String, Value>, prefix: &str, key: &str) -> Map<String, Value> {
        match map.get(key) {
            None => Map::new(),
            Some(Value::Object(section)) => section.clone(),
            Some(other) => {
                self.refuse(format!("{prefix}{key}"), other, "must be an object");
                Map::new()
            }
        }
    }

    fn forks(&mut self, file: &Map<String, Value>) -> Forks {
        let section = self.section(file, "", "forks");
        self.refuse_unknown("forks.", &section, &["prague", "osaka"]);
        let fork = |reader: &mut Self, key: &str, default: Option<u64>| match section.get(key) {
            None => default,
            Some(Value::Null) => None,
            Some(_) => Some(reader.number(&section, "forks.", key, None)),
        };
        Forks { prague: fork(self, "prague", Some(0)), osaka: fork(self, "osaka", None) }
    }

    fn alloc(&mut self, alloc: Option<&RawValue>) -> BTreeMap<Address, GenesisAccount> {
        let Some(text) = alloc.map(RawValue::get) else { return BTreeMap::new() };
        let mut alloc = BTreeMap::new();
        let Ok(Entries(entries)) = serde_json::from_str(text) else {
            self.refuse("alloc", beginning(text), "must be an object");
            return alloc;
        };
        for (key, value) in entries {
            let path = format!("alloc.{key}");
            let Ok(address) = key.parse::<Address>() else {
                self.refuse(path, "account", "must be an address of 20 bytes of hex");
                continue;
            };
            match serde_json::from_str::<GenesisAccount>(value.get()) {
                Ok(account) if alloc.contains_key(&address) => self.refuse(path, account.balance, "is listed twice; merge the two"),
                Ok(mut account) => {
                    account.private_key = None;
                    alloc.insert(address, account);
                }
                Err(error) => self.refuse(path, beginning(value.get()), format!("is no account in geth's format: {error}")),
            }
        }
        alloc
    }

    fn validators(&mut self, file: &Map<String, Value>) -> ValidatorSet {
        let entries = match file.get("validators") {
            Some(Value::Array(entries)) => entries.as_slice(),
            other => {
                let value = other.cloned().unwrap_or(Value::Null);
                self.refuse("validators", value, "must be a list of {address, public_key, power}");
                &[]
            }
        };
        let mistakes_before = self.mistakes.len();
        let validators: Vec<Validator> = entries.iter().enumerate().filter_map(|(number, entry)| self.validator(number, entry)).collect();
        match ValidatorSet::new(validators) {
            Ok(set) => set,
            Err(error) => {
                if self.mistakes.len() == mistakes_before {
                    self.refuse("validators", format!("{} entries", entries.len()), error.to_string());
                }
                placeholder()
            }
        }
    }

    fn validator(&mut self, number: usize, entry: &Value) -> Option<Validator> {
        let path = format!("validators[{number}]");
        let Some(fields) = entry.as_object() else {
            self.refuse(path, entry, "must be an object {address, public_key, power}");
            return None;
        };
        self.refuse_unknown(&format!("{path}."), fields, &["address", "public_key", "power", "name"]);
        let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
        let address = text("address").parse::<Address>();
        let public_key = text("public_key").parse::<PublicKey>();
        if address.is_err() {
            self.refuse(format!("{path}.address"), fields.get("address").unwrap_or(&Value::Null), "must be an address of 20 bytes of hex");
        }
        if let Err(error) = &public_key {
            self.refuse(format!("{path}.public_key"), fields.get("public_key").unwrap_or(&Value::Null), error.to_string());
        }
        let power = self.number(fields, &format!("{path}."), "power", None);
        let (Ok(address), Ok(public_key)) = (address, public_key) else { return None };
        let validator = Validator { address, public_key, power };
        if let Err(error @ (ValidatorSetError::WrongKey { .. } | ValidatorSetError::NoPower { .. })) = ValidatorSet::new(vec![validator.clone()]) {
            self.refuse(path, address, error.to_string());
            return None;
        }
        Some(validator)
    }

    fn bootstrap_peers(&mut self, file: &Map<String, Value>) -> Vec<PeerAddress> {
        let entries = match file.get("bootstrap_peers") {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(other) => {
                self.refuse("bootstrap_peers", other, "must be a list of host:port or nodeid@host:port");
                return Vec::new();
            }
        };
        let mut peers = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            match entry.as_str().unwrap_or_default().parse::<PeerAddress>() {
                Ok(peer) => peers.push(peer),
                Err(error) => self.refuse(format!("bootstrap_peers[{number}]"), entry, error.to_string()),
            }
        }
        peers
    }

    fn consensus(&mut self, file: &Map<String, Value>) -> ConsensusParameters {
        let section = self.section(file, "", "consensus");
        self.refuse_unknown("consensus.", &section, &["block_interval", "empty_block_interval", "timeouts"]);
        let default = ConsensusParameters::default();
        let block_interval = self.duration(&section, "consensus.", "block_interval", default.block_interval);
        let idle = default.empty_block_interval.max(block_interval);
        let empty_block_interval = self.duration(&section, "consensus.", "empty_block_interval", idle);
        let section = self.section(&section, "consensus.", "timeouts");
        let known = default.timeouts.entries().map(|(key, _)| key);
        self.refuse_unknown("consensus.timeouts.", &section, &known);
        let mut timeout = |key, default| self.duration(&section, "consensus.timeouts.", key, default);
        let default = default.timeouts;
        let timeouts = Timeouts {
            propose: timeout("propose", default.propose),
            propose_delta: timeout("propose_delta", default.propose_delta),
            prevote: timeout("prevote", default.prevote),
            prevote_delta: timeout("prevote_delta", default.prevote_delta),
            precommit: timeout("precommit", default.precommit),
            precommit_delta: timeout("precommit_delta", default.precommit_delta),
            rebroadcast: timeout("rebroadcast", default.rebroadcast),
            cap: timeout("cap", default.cap),
        };
        ConsensusParameters { block_interval, empty_block_interval, timeouts }
    }

    fn duration(&mut self, map: &Map<String, Value>, prefix: &str, key: &str, default: Duration) -> Duration {
        let Some(value) = map.get(key) else { return default };
        let parsed = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        match parsed {
            Some(duration) if duration.subsec_nanos() % 1_000_000 == 0 => duration,
            _ => {
                self.refuse(format!("{prefix}{key}"), value, "must be a duration in whole milliseconds with its unit, as in \"250ms\" or \"2s\"");
                default
            }
        }
    }
}

/// The first characters of a text that may be long, on one line.
fn beginning(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    let rest = if shown.len() < text.len() { "..." } else { "" };
    shown.split_whitespace().collect::<Vec<_>>().join(" ") + rest
}

/// Stands in for validators that could not be read; the file is refused anyway.
fn placeholder() -> ValidatorSet {
    let public_key = crate::SecretKey::from_bytes([1; 32]).expect("1s are a valid key").public_key();
    ValidatorSet::new(vec![Validator { address: public_key.address(), public_key, power: 1 }]).expect("one validator is a set")
}

#[cfg(test)]
mod tests;
