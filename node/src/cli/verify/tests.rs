#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    cli::arguments::{Format, Output},
    development,
    exit::ExitCode,
    localnet,
};
use primitives::{Certificate, CommitSignature, Domain, Header, Height, Metadata, Round, Signed, light::Bundle};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const VALIDATORS: u32 = 4;

/// A directory with `genesis.json` of four development validators, and `1.json`, `2.json`: the proofs of two blocks they decided.
fn handed_over() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let genesis = localnet::development_genesis(VALIDATORS as usize, None, None).unwrap();
    write(&directory, "genesis.json", &genesis.to_json());
    for height in [1, 2] {
        let hash = genesis.validators.hash();
        let metadata = Metadata { parent_certificate: None, validators_hash: hash, next_validators_hash: hash };
        let header = Header {
            number: height,
            parent_beacon_block_root: Some(metadata.hash()),
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(B256::ZERO),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            ..Header::default()
        };
        let certificate = certify(&header, &genesis.domain());
        let bundle = Bundle { header, metadata, certificate, validators: Some(genesis.validators.clone()), next_validators: None };
        write(&directory, &format!("{height}.json"), &serde_json::to_string(&bundle).unwrap());
    }
    directory
}

fn certify(header: &Header, domain: &Domain) -> Certificate {
    let mut certificate = Certificate { height: Height(header.number), round: Round(0), value: header.hash_slow(), signatures: vec![] };
    for key in (0..VALIDATORS).map(development::validator_key) {
        let signature = Signed::new(certificate.vote_of(key.address()), &key, domain).signature;
        certificate.signatures.push(CommitSignature { validator: key.address(), signature });
    }
    certificate.canonical()
}

fn write(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn read(directory: &TempDir, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(directory.path().join(name)).unwrap()).unwrap()
}

/// `verify` with these files; what it says, or why not.
fn verify(directory: &TempDir, trusted: &str, bundles: &[&str], change: impl FnOnce(&mut Verify)) -> Result<Value, Failure> {
    let path = |name: &&str| directory.path().join(name);
    let mut arguments = Verify {
        trusted: path(&trusted),
        bundle: bundles.iter().map(path).collect(),
        header: None,
        proof: vec![],
        write_checkpoint: None,
        format: Format { output: Output::Json },
    };
    change(&mut arguments);
    let mut out = Vec::new();
    run(&arguments, &mut Printer { output: Output::Json, out: &mut out })?;
    Ok(serde_json::from_slice(&out).unwrap())
}

#[track_caller]
fn refused(result: Result<Value, Failure>, code: ExitCode, place: &str) {
    let failure = result.unwrap_err();
    assert_eq!(failure.code, code, "{failure}");
    assert!(failure.to_string().contains(place) && !failure.remedy.is_empty(), "{failure}");
}

#[test]
fn a_block_is_verified_from_the_genesis_and_the_next_from_the_checkpoint_written_then() {
    let directory = handed_over();
    let checkpoint = directory.path().join("checkpoint.json");
    let first = verify(&directory, "genesis.json", &["1.json"], |arguments| arguments.write_checkpoint = Some(checkpoint)).unwrap();
    assert_eq!((&first["verified"], &first["trusted"]["height"], &first["block"]["height"]), (&true.into(), &0.into(), &1.into()));
    assert_eq!((&first["block"]["signed"]["power"], &first["block"]["signed"]["quorum"]), (&4.into(), &3.into()));
    let second = verify(&directory, "checkpoint.json", &["2.json"], |_| ()).unwrap();
    assert_eq!((&second["trusted"]["block_hash"], &second["block"]["height"]), (&first["block"]["hash"], &2.into()));
    refused(verify(&directory, "checkpoint.json", &["2.json", "1.json"], |_| ()), ExitCode::Runtime, "step      height");
}

#[test]
fn lists_and_whole_answers_of_a_node_are_read_too() {
    let directory = handed_over();
    write(&directory, "list.json", &json!([read(&directory, "1.json"), read(&directory, "2.json")]).to_string());
    assert_eq!(verify(&directory, "genesis.json", &["list.json"], |_| ()).unwrap()["blocks"].as_array().unwrap().len(), 2);
    write(&directory, "answer.json", &json!({ "jsonrpc": "2.0", "id": 1, "result": read(&directory, "1.json") }).to_string());
    assert!(verify(&directory, "genesis.json", &["answer.json"], |_| ()).is_ok());
    write(&directory, "error.json", &json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32000, "message": "header not found" } }).to_string());
    refused(verify(&directory, "genesis.json", &["error.json"], |_| ()), ExitCode::Runtime, "header not found");
}

#[test]
fn a_header_by_itself_is_held_against_the_proved_blocks() {
    let directory = handed_over();
    let header = write(&directory, "header.hex", read(&directory, "1.json")["header"].as_str().unwrap());
    let with = |arguments: &mut Verify| arguments.header = Some(header.clone());
    assert_eq!(verify(&directory, "genesis.json", &["1.json", "2.json"], with).unwrap()["block"]["height"], 1);
    refused(verify(&directory, "genesis.json", &["2.json"], with), ExitCode::Runtime, "expected  one of the heights 2");
    refused(verify(&directory, "genesis.json", &[], with), ExitCode::Runtime, "step      header");
    let checkpoint = directory.path().join("checkpoint.json");
    verify(&directory, "genesis.json", &["1.json"], |arguments| arguments.write_checkpoint = Some(checkpoint)).unwrap();
    assert!(verify(&directory, "checkpoint.json", &[], with).unwrap()["block"]["signed"].is_null(), "the trusted block itself");
}

#[test]
fn an_account_that_is_not_there_is_proved_to_be_absent_and_cannot_be_made_up() {
    let directory = handed_over();
    let nothing = B256::ZERO;
    let mut proof = json!({
        "address": primitives::Address::repeat_byte(1), "balance": "0x0", "nonce": "0x0", "codeHash": nothing, "storageHash": nothing,
        "accountProof": [], "storageProof": [{ "key": "0x1", "value": "0x0", "proof": [] }],
    });
    let path = write(&directory, "proof.json", &proof.to_string());
    let with = |arguments: &mut Verify| arguments.proof = vec![path.clone()];
    let account = verify(&directory, "genesis.json", &["1.json"], with).unwrap()["accounts"][0].clone();
    assert_eq!((&account["present"], &account["slots"][0]["present"]), (&false.into(), &false.into()));
    proof["balance"] = "0x1".into();
    fs::write(&path, proof.to_string()).unwrap();
    refused(verify(&directory, "genesis.json", &["1.json"], with), ExitCode::Runtime, "step      account");
}

#[test]
fn what_does_not_verify_is_exit_code_1_with_step_expected_and_found() {
    let directory = handed_over();
    let change = |pointer: &str, value: Value| {
        let mut bundle = read(&directory, "1.json");
        *bundle.pointer_mut(pointer).unwrap() = value;
        write(&directory, "tampered.json", &bundle.to_string());
        verify(&directory, "genesis.json", &["tampered.json"], |_| ())
    };
    let other = read(&directory, "2.json");
    refused(change("/header", other["header"].clone()), ExitCode::Runtime, "step      certificate_block");
    refused(change("/certificate", other["certificate"].clone()), ExitCode::Runtime, "step      certificate_block");
    refused(change("/certificate/signatures", json!([])), ExitCode::Runtime, "found     the signatures carry power 0, but 3 is needed");
    refused(change("/certificate/round", 1.into()), ExitCode::Runtime, "step      signatures");
    refused(change("/metadata", "0xc0".into()), ExitCode::Runtime, "the metadata cannot be read");
    let elsewhere = localnet::development_genesis(5, None, None).unwrap();
    write(&directory, "elsewhere.json", &elsewhere.to_json());
    refused(verify(&directory, "elsewhere.json", &["1.json"], |_| ()), ExitCode::Runtime, "step      trusted_validators");
}

#[test]
fn a_missing_file_is_usage_rubbish_does_not_verify_and_wrong_trust_is_configuration() {
    let directory = handed_over();
    refused(verify(&directory, "genesis.json", &["none.json"], |_| ()), ExitCode::Usage, "none.json");
    refused(verify(&directory, "none.json", &["1.json"], |_| ()), ExitCode::Usage, "none.json");
    for rubbish in ["", "{}", "[]", "rubbish", "[1]"] {
        write(&directory, "rubbish", rubbish);
        refused(verify(&directory, "genesis.json", &["rubbish"], |_| ()), ExitCode::Runtime, "this is no light-client proof");
    }
    write(&directory, "rubbish", "{\"block_hash\": 1}");
    refused(verify(&directory, "rubbish", &["1.json"], |_| ()), ExitCode::Config, "the checkpoint has a mistake");
    write(&directory, "rubbish", "{}");
    refused(verify(&directory, "rubbish", &["1.json"], |_| ()), ExitCode::Config, "the genesis has");
}

#[test]
fn people_read_who_signed_and_what_the_state_holds() {
    let directory = handed_over();
    let arguments = Verify {
        trusted: directory.path().join("genesis.json"),
        bundle: vec![directory.path().join("1.json")],
        header: None,
        proof: vec![],
        write_checkpoint: None,
        format: Format { output: Output::Text },
    };
    let mut out = Vec::new();
    run(&arguments, &mut Printer { output: Output::Text, out: &mut out }).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("round 0, by 4 of 4 validators, power 4 of 4, 3 needed") && text.contains("state     0x56e8"), "{text}");
}
