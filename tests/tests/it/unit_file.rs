//! The unit for systemd, held against systemd itself where it is installed, and against the program.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use node::{config::schema::KEYS, exit::ExitCode};

use crate::testnet::{Testnet, secs};

fn deploy(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd").join(file)
}

/// The values of each key; later lines add to earlier ones.
fn unit() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(deploy("axolotl@.service")).unwrap();
    let pairs = text.lines().filter(|line| !line.starts_with(['#', '['])).filter_map(|line| line.split_once('='));
    pairs.fold(BTreeMap::new(), |mut unit, (key, value)| {
        unit.entry(key.to_owned()).and_modify(|had: &mut String| *had += &format!(" {value}")).or_insert(value.to_owned());
        unit
    })
}

#[test]
fn the_unit_restarts_on_all_but_what_no_restart_can_mend() {
    let unit = unit();
    let is = |key: &str, value: &str| assert_eq!(unit.get(key).map(String::as_str), Some(value), "{key}");
    let hopeless = [ExitCode::Usage, ExitCode::LockHeld, ExitCode::Config].map(|code| (code as u8).to_string());
    is("Type", "notify");
    is("NotifyAccess", "main");
    is("Restart", "always");
    is("RestartPreventExitStatus", &hopeless.join(" "));
    is("TimeoutStopSec", "90");
    is("NoNewPrivileges", "yes");
    is("ProtectSystem", "strict");
    is("MemoryDenyWriteExecute", "yes");
    is("LimitCORE", "0");
    let number = |key: &str| unit[key].parse::<u64>().unwrap_or_else(|_| panic!("{key}={}", unit[key]));
    // The node's own limit is a quarter of it, and at most 30 s.
    assert!(30 <= number("WatchdogSec") / 4, "the node would end itself earlier than it needs to");
    assert!(number("RestartSec") * number("StartLimitBurst") < number("StartLimitIntervalSec"), "a crash loop would never end");
    assert!(4_096 <= number("LimitNOFILE"));
    assert!(unit["StateDirectory"].split(' ').any(|directory| directory == "axolotl/%i"));
    assert!(unit["ExecStart"].ends_with(" start --home %S/axolotl/%i"));
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    // It exits 0 for a bad unit too: what counts is that it says nothing. The program has to exist for that.
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(deploy("axolotl@.service")).unwrap();
    let verify = |text: &str| {
        let path = directory.path().join("axolotl@alpha.service");
        std::fs::write(&path, text.replace("/usr/local/bin/axolotl", env!("CARGO_BIN_EXE_axolotl-under-test"))).unwrap();
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(path).output()
    };
    let Ok(output) = verify(&text) else {
        eprintln!("systemd-analyze is not installed: only the keys of the unit were looked at");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.stdout.is_empty() && output.status.success());
    let wrong = verify(&text.replace("WatchdogSec", "WatchSec")).unwrap();
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("WatchSec"), "it says nothing of a wrong unit either");
}

#[test]
fn the_example_of_an_environment_sets_keys_that_exist() {
    let text = std::fs::read_to_string(deploy("axolotl.env.example")).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('=')).map(|(name, _)| name).collect();
    let known: Vec<_> = KEYS.iter().map(|key| format!("AXOLOTL_{}", key.path.replace('.', "_").to_uppercase())).collect();
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        assert!(known.iter().any(|known| known == name), "{name} is no key");
    }
}

#[tokio::test]
async fn a_validator_never_makes_memory_executable_as_the_unit_forbids() {
    let mut net = Testnet::of(1).start().await;
    net.reach(5).within(secs(20)).await;
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", net.validator(0).pid())).unwrap();
    let executable = maps.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|fields| fields[1].contains('x'));
    let (mut count, mut made) = (0, Vec::new());
    for fields in executable {
        count += 1;
        let is_of_a_file = fields.get(5).is_some_and(|name| name.starts_with('/') || name.starts_with("[v"));
        if fields[1].contains('w') || !is_of_a_file {
            made.push(fields.join(" "));
        }
    }
    assert!(count > 0 && made.is_empty(), "{made:?}");
}
