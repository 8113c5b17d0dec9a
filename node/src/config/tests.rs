#![allow(clippy::unwrap_used)]
use super::*;

fn sources(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
    Sources {
        file: Some(("config.toml".into(), file.to_owned())),
        environment: environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        flags: flags.iter().map(|(path, value)| Override { path: path.to_string(), value: value.to_string(), flag: "--set".into() }).collect(),
    }
}

fn mistakes(sources: &Sources) -> Vec<Mistake> {
    resolve(sources).map(|_| ()).unwrap_err().0
}

fn genesis(kind: NetworkKind) -> Genesis {
    let keys = crate::development::validator_key(0).public_key();
    let validator = primitives::Validator { address: keys.address(), public_key: keys, power: 1 };
    let set = primitives::ValidatorSet::new(vec![validator]).unwrap();
    Genesis::development(7, set)
        .with(|genesis| {
            genesis.network_kind = kind;
            primitives::genesis::DEVELOPMENT_ACCOUNTS.iter().for_each(|account| drop(genesis.alloc.remove(account)));
        })
        .unwrap()
}

#[test]
fn the_defaults_are_right_by_themselves() {
    let config = resolve(&Sources::default()).unwrap().config;
    assert_eq!(config.rpc.listen.to_string(), "127.0.0.1:3030");
    assert_eq!(config.p2p.listen.to_string(), "127.0.0.1:4130");
    assert_eq!(config.metrics.listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:3039");
    assert_eq!(config.telemetry.otlp_endpoint, None);
    assert_eq!(config.chain.name, "alpha");
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let file = "[rpc]\nlisten = \"127.0.0.1:1\"\n";
    let env = [("AXOLOTL_RPC_LISTEN", "127.0.0.1:2"), ("HOME", "/root")];
    let port = |sources: &Sources| resolve(sources).unwrap().config.rpc.listen.port();
    assert_eq!(port(&sources("", &[], &[])), 3030);
    assert_eq!(port(&sources(file, &[], &[])), 1);
    assert_eq!(port(&sources(file, &env, &[])), 2);
    assert_eq!(port(&sources(file, &env, &[("rpc.listen", "127.0.0.1:3")])), 3);
}

#[test]
fn history_is_kept_for_so_many_heights_or_for_all() {
    let kept = |value: &str| resolve(&sources("", &[], &[("history.state", value)])).map(|resolved| resolved.config.history.state);
    assert_eq!(resolve(&Sources::default()).unwrap().config.history.state, Retention::Heights(1024));
    assert_eq!(kept("archive").unwrap(), Retention::Archive);
    assert_eq!(kept("0").unwrap(), Retention::Heights(0));
    for wrong in ["", "all", "-1", "1.5", "1k"] {
        assert_eq!(kept(wrong).unwrap_err().0[0].key, "history.state", "{wrong}");
    }
}

#[test]
fn the_keepalive_may_be_a_variable_of_seconds() {
    let keepalive =
        |variables: &[(&str, &str)]| resolve(&sources("[p2p]\nkeepalive = \"20s\"\n", variables, &[])).map(|all| all.config.p2p.keepalive);
    assert_eq!(resolve(&Sources::default()).unwrap().config.p2p.keepalive.as_secs(), 30);
    assert_eq!(keepalive(&[]).unwrap().as_secs(), 20);
    assert_eq!(keepalive(&[("AXOLOTL_P2P_KEEPALIVE_SECONDS", "15")]).unwrap().as_secs(), 15);
    for wrong in ["15s", "", "0", "-1"] {
        assert_eq!(keepalive(&[("AXOLOTL_P2P_KEEPALIVE_SECONDS", wrong)]).unwrap_err().0[0].key, "p2p.keepalive", "{wrong}");
    }
}

#[test]
fn connections_are_limited_by_whole_numbers() {
    let limits = |path, value| resolve(&sources("", &[], &[(path, value)])).map(|all| (all.config.p2p.max_inbound, all.config.p2p.max_per_ip));
    assert_eq!(limits("p2p.max_inbound", "7").unwrap(), (7, 64));
    assert_eq!(limits("p2p.max_per_ip", "2").unwrap(), (48, 2));
    for (path, wrong) in [("p2p.max_inbound", "many"), ("p2p.max_inbound", "5000"), ("p2p.max_per_ip", "0"), ("p2p.max_per_ip", "")] {
        assert_eq!(limits(path, wrong).unwrap_err().0[0].key, path, "{wrong}");
    }
}

#[test]
fn each_value_knows_who_set_it() {
    let resolved = resolve(&sources("[rpc]\n\nlisten = \"127.0.0.1:1\"\n", &[("AXOLOTL_P2P_JSON", "true")], &[("storage.cache", "1GiB")])).unwrap();
    let origin = |path: &str| resolved.settings[path].origin.to_string();
    assert_eq!(origin("rpc.listen"), "config.toml:3");
    assert_eq!(origin("p2p.json"), "environment AXOLOTL_P2P_JSON");
    assert_eq!(origin("storage.cache"), "flag --set");
    assert_eq!(origin("metrics.listen"), "default");
    assert_eq!(resolved.config.storage.cache_bytes, 1 << 30);
}

#[test]
fn every_mistake_is_reported_at_once_with_key_value_origin_and_remedy() {
    let file = "[rpc]\nlisten = \"here\"\nlisen = 1\n[p2p]\nkeepalive = 5\npeers = [\"nobody\", \"host:1\"]\n[moon]\nphase = 1\n";
    let all = mistakes(&sources(file, &[("AXOLOTL_P2P_JSON", "maybe"), ("AXOLOTL_NONSENSE", "1")], &[("shutdown.grace", "9")]));
    let found: Vec<_> = all.iter().map(|mistake| (mistake.key.as_str(), mistake.value.as_str(), mistake.origin.to_string())).collect();
    for expected in [
        ("rpc.listen", "\"here\"", "config.toml:2"),
        ("rpc.lisen", "1", "config.toml:3"),
        ("p2p.keepalive", "5", "config.toml:5"),
        ("p2p.peers", "\"nobody\"", "config.toml:6"),
        ("moon.phase", "1", "config.toml:8"),
        ("p2p.json", "maybe", "environment AXOLOTL_P2P_JSON"),
        ("AXOLOTL_NONSENSE", "1", "environment AXOLOTL_NONSENSE"),
        ("shutdown.grace", "\"9\"", "flag --set"),
    ] {
        assert!(found.contains(&(expected.0, expected.1, expected.2.to_owned())), "{expected:?} in {found:?}");
    }
    assert_eq!(found.len(), 8);
    assert!(all.iter().all(|mistake| !mistake.remedy.is_empty()));
}

#[test]
fn lines_that_are_no_toml_are_named_and_the_rest_is_still_checked() {
    let all = mistakes(&sources("[rpc]\nlisten = \n[shutdown]\ngrace = \"never\"\n", &[], &[]));
    assert!(all.iter().any(|mistake| mistake.key == "(syntax)" && mistake.origin.to_string() == "config.toml:2"), "{all:?}");
    assert!(all.iter().any(|mistake| mistake.key == "shutdown.grace"), "{all:?}");
}

#[test]
fn two_listeners_on_one_port_are_refused_and_port_0_is_not() {
    let all = mistakes(&sources("", &[], &[("p2p.listen", "127.0.0.1:3030")]));
    assert_eq!(all[0].key, "p2p.listen");
    assert!(resolve(&sources("", &[], &[("p2p.listen", "127.0.0.1:0"), ("rpc.listen", "127.0.0.1:0")])).is_ok());
}

#[test]
fn work_has_a_bound_and_a_certificate_comes_with_its_key() {
    let config = |flags: &[(&str, &str)]| resolve(&sources("", &[], flags)).unwrap().config.p2p;
    assert_eq!((config(&[]).pow_bits, config(&[]).certificate), (0, None));
    assert_eq!(config(&[("p2p.pow_bits", "20")]).pow_bits, 20);
    assert!(config(&[("p2p.certificate", "a.pem"), ("p2p.key", "b.pem")]).certificate.is_some());
    for (key, value) in [("p2p.pow_bits", "21"), ("p2p.pow_bits", "-1"), ("p2p.certificate", "a.pem"), ("p2p.key", "b.pem")] {
        let all = mistakes(&sources("", &[], &[(key, value)]));
        assert_eq!((all.len(), all[0].key.as_str()), (1, key));
    }
}

#[test]
fn the_admin_listener_is_for_this_machine_alone() {
    for address in ["0.0.0.0:3039", "[::]:3039", "192.0.2.1:3039", "[::ffff:10.0.0.1]:3039"] {
        let all = mistakes(&sources("", &[], &[("admin.listen", address)]));
        assert_eq!((all.len(), all[0].key.as_str(), all[0].value.clone()), (1, "admin.listen", format!("{address:?}")));
        assert!(all[0].remedy.contains("127.0.0.1:3039"));
    }
    assert!(resolve(&sources("", &[], &[("admin.listen", "[::1]:3039")])).is_ok());
}

#[test]
fn a_listener_that_others_can_reach_is_limited_and_one_on_loopback_when_that_is_asked_for() {
    let limits = |flags: &[(&str, &str)]| resolve(&sources("", &[], flags)).unwrap().config.rpc.limits();
    assert_eq!(limits(&[]), None);
    for flags in [("rpc.listen", "0.0.0.0:3030"), ("rpc.listen", "[::]:3030"), ("rpc.listen", "192.0.2.1:3030"), ("rpc.public", "true")] {
        let limits = limits(&[flags]).unwrap();
        assert_eq!((limits.calls.to_string().as_str(), limits.loopback), ("20/s burst 40", false), "{flags:?}");
    }
    let own = limits(&[("rpc.public", "true"), ("rpc.limit_calls", "7/s burst 9"), ("rpc.limit_loopback", "true")]).unwrap();
    assert_eq!((own.calls.to_string().as_str(), own.loopback), ("7/s burst 9", true));
    assert_eq!(mistakes(&sources("", &[], &[("rpc.limit_reads", "many")]))[0].key, "rpc.limit_reads");
}

#[test]
fn a_public_listener_keeps_the_operators_methods_to_itself_unless_they_are_named() {
    let offer = |flags: &[(&str, &str)]| resolve(&sources("", &[], flags)).unwrap().config.rpc.offer();
    assert_eq!(offer(&[]), Offer::ALL);
    assert_eq!(offer(&[("rpc.public_also", "debug")]), Offer::ALL);
    for flags in [("rpc.listen", "0.0.0.0:3030"), ("rpc.public", "true")] {
        assert_eq!(offer(&[flags]), Offer::USUAL, "{flags:?}");
        assert_eq!(offer(&[flags, ("rpc.public_also", "debug,operator")]), Offer { debug: true, txpool: false, operator: true });
    }
    let all = mistakes(&sources("[rpc]\npublic_also = [\"debug\", \"admin\"]\n", &[], &[]));
    assert_eq!(all[0].to_string(), "rpc.public_also = \"admin\" (config.toml:2): is no group; the groups are \"debug\", \"txpool\" and \"operator\"");
}

#[test]
fn the_written_file_names_every_key_and_changes_nothing() {
    let text = schema::template(&[("rpc.listen", "\"127.0.0.1:5\"".into())]);
    assert!(schema::KEYS.iter().all(|key| text.contains(&format!("{} = ", key.name()))));
    let written = resolve(&sources(&text, &[], &[])).unwrap();
    assert_eq!(written.config.rpc.listen.port(), 5);
    let is_default = |path: &str| written.settings[path].origin == Origin::Default;
    assert!(schema::KEYS.iter().filter(|key| key.path != "rpc.listen").all(|key| is_default(key.path)));
    let uncommented = text.replace("\n#", "\n").lines().filter(|line| line.starts_with('[') || line.contains(" = ")).collect::<Vec<_>>().join("\n");
    let defaults = resolve(&sources(&uncommented, &[], &[])).unwrap();
    assert!(schema::KEYS.iter().all(|key| matches!(defaults.settings[key.path].origin, Origin::File { .. })), "{uncommented}");
}

#[test]
fn chaos_and_recovery_are_refused_on_mainnet_only() {
    let resolved = resolve(&sources("", &[("AXOLOTL_CHAOS_ENABLED", "true")], &[("signing.on_missing", "recover")])).unwrap();
    assert!(resolved.check_against(&genesis(NetworkKind::Dev)).is_ok());
    let refused = resolved.check_against(&genesis(NetworkKind::Mainnet)).unwrap_err().0;
    assert_eq!(refused.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), ["chaos.enabled", "signing.on_missing"]);
}

#[test]
fn lost_sign_state_is_observed_on_mainnet_and_recovered_elsewhere() {
    let config = resolve(&Sources::default()).unwrap().config;
    assert_eq!(config.on_missing(NetworkKind::Mainnet), OnMissing::Observe);
    assert_eq!(config.on_missing(NetworkKind::Testnet), OnMissing::Recover);
    assert!(config.offers_json(NetworkKind::Dev) && !config.offers_json(NetworkKind::Mainnet));
}

#[test]
fn a_word_that_is_no_level_is_not_taken_for_the_name_of_a_part() {
    for (level, is_good) in [("info", true), ("off", true), ("warn,consensus=debug", true), ("inf", false), ("", false), ("info,blah", false)] {
        let found = resolve(&sources("", &[], &[("telemetry.log_level", level)])).err().map_or(Vec::new(), |malformed| malformed.0);
        assert_eq!(found.is_empty(), is_good, "{level:?}: {found:?}");
    }
}
