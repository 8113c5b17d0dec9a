//! The program as a process: exit codes, streams, and what it leaves behind.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

/// Runs `line` in `directory`, as a user whose home does not exist.
fn axolotl(line: &str, directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_axolotl-under-test"));
    command.args(line.split_whitespace()).current_dir(directory).env_clear().env("HOME", "/nonexistent");
    command.output().unwrap()
}

#[track_caller]
fn check(line: &str, directory: &Path, code: i32, stderr: &[&str]) {
    let output = axolotl(line, directory);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{line}: {text}");
    assert!(stderr.iter().all(|part| text.contains(part)), "{line}: {text}");
}

#[test]
fn exit_codes_and_remedies_are_stable() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    check("version", here, 0, &[]);
    check("--help", here, 0, &[]);
    check("no-such-command", here, 2, &["Usage:"]);
    check(
        "start --home nowhere",
        here,
        78,
        &["error: ", "   at: nowhere/config/config.toml", "   do: make a home with `axolotl init --home nowhere`"],
    );
    check("testnet init -v 0 --output d", here, 2, &["   at: --validators 0: there are no validators", "   do: "]);
    check("load --tx-rate 0", here, 2, &["transactions a second, above 0"]);
    check("load --duration 0s", here, 2, &["in no time", "longer --duration"]);
    check("load --rpc nonsense", here, 2, &["no address of a node", "http://host:port"]);
    check("load --key nowhere", here, 78, &["   at: nowhere"]);
    check("load --rpc http://127.0.0.1:1", here, 1, &["nobody answers at 127.0.0.1:1", "--rpc"]);
    check("status --rpc http://127.0.0.1:1", here, 1, &["nobody answers at 127.0.0.1:1", "--rpc"]);
}

#[test]
fn a_port_in_use_names_the_port_the_validator_the_process_and_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let line = format!(
        "localnet -v 1 --set rpc.listen=127.0.0.1:{port} --set p2p.listen=127.0.0.1:0 --set metrics.listen=127.0.0.1:0 --set admin.listen=127.0.0.1:0"
    );
    let holder = format!("validator-0, RPC 127.0.0.1:{port}: held by pid {}", std::process::id());
    check(&line, directory.path(), 1, &[&format!("port {port} is in use"), &holder, "--port-offset any"]);
}

#[test]
fn every_mistake_of_a_configuration_is_in_one_message() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(axolotl("init --home h", directory.path()).status.code(), Some(0));
    fs::write(directory.path().join("h/config/config.toml"), "[rpc]\nlisten = 5\n[p2p]\nkeepalive = \"1\"\ncolour = \"red\"\n").unwrap();
    let expected = ["3 mistakes", "config.toml:2", "rpc.listen = 5", "p2p.keepalive = \"1\"", "p2p.colour"];
    check("config check --home h", directory.path(), 78, &expected);
}

#[test]
fn a_key_that_others_can_read_stops_the_node_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(axolotl("init --home h", directory.path()).status.code(), Some(0));
    fs::set_permissions(directory.path().join("h/keys/validator.key"), fs::Permissions::from_mode(0o644)).unwrap();
    check("start --home h --port-offset any", directory.path(), 78, &["0644", "chmod 600 h/keys/validator.key"]);
}
