//! Files that somebody handed over, to be judged: bundles, headers, proofs, and what is trusted.
//!
//! Each may be JSON, the whole answer of a JSON-RPC call, or hex alone. A file that is not there is a mistake of the command
//! line; one that cannot be read as what it should be does not verify.

use std::{fs::File, io::Read, path::Path};

use primitives::{
    Header,
    light::{AccountProof, Bundle, MalformedCheckpoint, Trust, header},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    exit::{ExitCode, Failure},
    genesis_file,
};

/// Longest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A genesis file, or a checkpoint: only the latter has a `block_hash`.
pub fn trust(path: &Path) -> Result<Trust, Failure> {
    let text = text(path)?;
    let is_checkpoint = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.get("block_hash").is_some());
    if !is_checkpoint {
        return genesis_file::load(path).map(|genesis| Trust::genesis(&genesis));
    }
    Trust::from_json(&text).map_err(|error: MalformedCheckpoint| {
        let failure = Failure::config(format!("the checkpoint has a mistake: {}", path.display())).at(error.to_string());
        failure.remedy("take it as `axolotl verify --write-checkpoint` wrote it, or trust the genesis file")
    })
}

/// A bundle, or a list of them.
pub fn bundles(path: &Path) -> Result<Vec<Bundle>, Failure> {
    let each = |value| read(value, path, "light-client proof", "fetch it with `axolotl export proof`");
    match value(path)? {
        Value::Array(list) if list.is_empty() => {
            Err(unreadable(path, "light-client proof", "the list is empty", "fetch it with `axolotl export proof`"))
        }
        Value::Array(list) => list.into_iter().map(each).collect(),
        value => Ok(vec![each(value)?]),
    }
}

/// A header: RLP in hex, or a block as JSON.
pub fn header_of(path: &Path) -> Result<Header, Failure> {
    let remedy = "give what debug_getRawHeader or eth_getBlockByNumber answered";
    header(&value(path)?).map_err(|error| unreadable(path, "header", error, remedy))
}

/// What `eth_getProof` answered.
pub fn account_proof(path: &Path) -> Result<AccountProof, Failure> {
    read(value(path)?, path, "state proof", "give what eth_getProof answered")
}

fn read<T: DeserializeOwned>(value: Value, path: &Path, what: &str, remedy: &str) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| unreadable(path, what, error, remedy))
}

fn unreadable(path: &Path, what: &str, reason: impl std::fmt::Display, remedy: &str) -> Failure {
    Failure::runtime(format!("this is no {what}: {reason}")).at(path.display().to_string()).remedy(remedy)
}

/// The JSON in a file, out of its JSON-RPC envelope; text that is no JSON counts as a string.
fn value(path: &Path) -> Result<Value, Failure> {
    let text = text(path)?;
    let mut value = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.trim().to_owned()));
    if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
        return Err(unreadable(path, "answer", format_args!("the node refused the call: {error}"), "ask the node again, and look at what it says"));
    }
    Ok(value.get_mut("result").map(Value::take).unwrap_or(value))
}

fn text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if MAX_FILE_BYTES < bytes as u64 => Err(unreadable(path, "evidence", format_args!("it has more than {MAX_FILE_BYTES} bytes"), "")),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(unreadable(path, "text", error, "give JSON, or hex")),
        Err(error) => {
            let failure = Failure::new(ExitCode::Usage, format!("reading failed: {error}")).at(path.display().to_string());
            Err(failure.remedy("name a file that can be read"))
        }
    }
}
