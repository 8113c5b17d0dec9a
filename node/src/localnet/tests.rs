#![allow(clippy::unwrap_used)]
use super::*;
use std::fs;

fn request(directory: &tempfile::TempDir) -> Request {
    Request {
        directory: directory.path().join("net"),
        validators: None,
        block_interval: None,
        empty_block_interval: None,
        port_offset: Some(PortOffset::Any),
        fresh_start: false,
        environment: Vec::new(),
        flags: Vec::new(),
    }
}

#[test]
fn a_new_network_has_four_validators_that_know_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let net = prepare(&request(&directory)).unwrap();
    assert_eq!(net.nodes.len(), 4);
    for (index, node) in net.nodes.iter().enumerate() {
        assert!(node.is_validator() && node.genesis.hash() == net.genesis.hash());
        let others: Vec<_> = net.nodes.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other).collect();
        let expected: Vec<_> = others.iter().map(|other| (Some(other.node_id()), other.listeners.p2p.local_addr().unwrap().port())).collect();
        assert_eq!(node.config.p2p.peers.iter().map(|peer| (peer.node, peer.port)).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn network_json_says_where_each_validator_answers() {
    let directory = tempfile::tempdir().unwrap();
    let net = prepare(&request(&directory)).unwrap();
    let file: serde_json::Value = serde_json::from_str(&fs::read_to_string(&net.network_file).unwrap()).unwrap();
    assert_eq!(file["chain_id"], DEVELOPMENT_CHAIN_ID);
    assert_eq!(file["genesis_hash"], net.genesis.hash().to_string());
    for (index, node) in net.nodes.iter().enumerate() {
        let entry = &file["nodes"][index];
        assert_eq!(entry["rpc"], format!("http://{}", node.listeners.rpc.local_addr().unwrap()));
        assert_eq!(entry["metrics"], format!("http://{}/metrics", node.listeners.metrics.local_addr().unwrap()));
        assert_eq!(entry["admin"], format!("http://{}", node.listeners.admin.local_addr().unwrap()));
        assert_eq!(entry["name"], network::name(index));
    }
}

#[test]
fn a_second_run_finds_the_same_network_and_mends_a_missing_home() {
    let directory = tempfile::tempdir().unwrap();
    let first = prepare(&Request { validators: Some(3), ..request(&directory) }).unwrap();
    let hash = first.genesis.hash();
    drop(first);
    fs::remove_dir_all(directory.path().join("net/validator-2")).unwrap();
    let again = prepare(&request(&directory)).unwrap();
    assert_eq!((again.genesis.hash(), again.nodes.len()), (hash, 3));
}

#[test]
fn a_flag_that_would_change_the_genesis_is_refused_with_fresh_start_as_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    prepare(&request(&directory)).unwrap();
    let interval = Some(Duration::from_millis(250));
    let refused = prepare(&Request { validators: Some(7), block_interval: interval, ..request(&directory) }).unwrap_err();
    assert_eq!((refused.code, refused.at.len()), (ExitCode::Config, 2));
    assert!(refused.at[0].starts_with("--validators 7") && refused.at[1].starts_with("--block-interval 250ms"), "{refused}");
    assert!(refused.remedy.contains("--fresh-start"));
    prepare(&Request { validators: Some(4), block_interval: Some(Duration::from_secs(1)), ..request(&directory) })
        .expect("the same values change nothing");
}

#[test]
fn the_homes_of_a_real_network_are_not_run_as_a_development_network() {
    let directory = tempfile::tempdir().unwrap();
    let net = prepare(&request(&directory)).unwrap();
    let file = net.nodes[0].home.genesis_file();
    drop(net);
    let key = primitives::SecretKey::from_bytes([7; 32]).unwrap();
    let validator = primitives::Validator { address: key.address(), public_key: key.public_key(), power: 1 };
    let set = primitives::ValidatorSet::new(vec![validator]).unwrap();
    let mainnet = Genesis::development(77, set).with(|genesis| {
        genesis.network_kind = NetworkKind::Mainnet;
        genesis.alloc.retain(|address, _| !primitives::genesis::DEVELOPMENT_ACCOUNTS.contains(address));
    });
    fs::write(file, mainnet.unwrap().to_json()).unwrap();
    let refused = prepare(&request(&directory)).unwrap_err();
    assert!(refused.code == ExitCode::Config && refused.at[0].ends_with("a mainnet"), "{refused}");
}

#[test]
fn a_fresh_start_may_change_everything_and_keeps_keys_and_settings() {
    let directory = tempfile::tempdir().unwrap();
    let old = prepare(&request(&directory)).unwrap();
    let home = old.nodes[0].home.clone();
    let node_id = old.nodes[0].node_id();
    drop(old);
    fs::write(home.config_file(), fs::read_to_string(home.config_file()).unwrap().replace("#cache = \"16MiB\"", "cache = \"64MiB\"")).unwrap();
    let promises = |home: &Home| fs::read_dir(home.signing("alpha")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    assert_eq!(promises(&home), 1, "a new network knows that nothing was signed");
    fs::create_dir_all(home.database("alpha")).unwrap();
    let new = prepare(&Request { validators: Some(2), fresh_start: true, ..request(&directory) }).unwrap();
    assert_eq!((new.nodes.len(), new.fresh.len(), new.nodes[0].node_id()), (2, 4, node_id));
    assert_eq!(new.nodes[0].config.storage.cache_bytes, 64 << 20);
    assert_eq!(new.nodes[0].config.p2p.peers.len(), 1);
    assert!(!home.database("alpha").exists() && new.fresh[0].deleted == [home.database("alpha")]);
    assert!(new.fresh.iter().all(|fresh| fresh.archived.is_some()));
    assert_eq!(promises(&home), 1, "and so does one begun anew");
    drop(new);
    let text = fs::read_to_string(home.config_file()).unwrap();
    assert_eq!(text.matches("@127.0.0.1:").count(), 1, "{text}");
}

#[test]
fn a_running_network_is_not_started_afresh() {
    let directory = tempfile::tempdir().unwrap();
    let net = prepare(&request(&directory)).unwrap();
    let _lock = storage::DirectoryLock::acquire(net.nodes[3].home.root()).unwrap();
    fs::create_dir_all(net.nodes[0].home.database("alpha")).unwrap();
    let refused = prepare(&Request { fresh_start: true, ..request(&directory) }).unwrap_err();
    assert_eq!(refused.code, ExitCode::LockHeld);
    assert!(net.nodes[0].home.database("alpha").exists(), "nothing is deleted while any member runs");
}

#[test]
fn an_offset_moves_every_port_and_is_remembered_in_the_homes() {
    let directory = tempfile::tempdir().unwrap();
    let by = |offset| Request { port_offset: Some(PortOffset::By(offset)), ..request(&directory) };
    let members: Vec<_> = (0..4).map(Member::development).collect();
    make_missing_homes(&by(21_000), &development_genesis(4, None, None).unwrap(), &members).unwrap();
    let ports = |flags| {
        let config = launch::configure(&home_of(&request(&directory), 1), Placing::Flags(flags), &[], Vec::new()).unwrap().config;
        (config.rpc.listen.port(), config.p2p.peers[0].port)
    };
    assert_eq!(ports(Vec::new()), (24_040, 25_130));
    let moved = Ports::of_network(4, 22_000).unwrap();
    assert_eq!(ports(flags(&by(22_000), &members, 1, Some(&moved))), (25_040, 26_130));
}

#[test]
fn the_initial_state_is_the_same_every_time() {
    let state = |count| initial_state(&development_genesis(count, None, None).unwrap());
    assert_eq!(state(4), state(4));
    assert_eq!(state(4)["accounts"].as_array().unwrap().len(), 10);
    assert_eq!(state(4)["fault_tolerance"], "4 validators tolerate 1 fault");
    assert!(development_genesis(0, None, None).is_err() && development_genesis(101, None, None).is_err());
}

#[test]
fn homes_of_before_there_was_an_admin_listener_have_one_each() {
    let directory = tempfile::tempdir().unwrap();
    prepare(&request(&directory)).unwrap();
    let resumed = Request { port_offset: None, ..request(&directory) };
    let home = home_of(&resumed, 2);
    assert_eq!(admin_beside_rpc(&resumed, &home), None, "a new home has its own");
    let old = fs::read_to_string(home.config_file()).unwrap().replace("listen = \"127.0.0.1:3059\"\n", "");
    fs::write(home.config_file(), old).unwrap();
    assert_eq!(admin_beside_rpc(&resumed, &home).unwrap().value, "127.0.0.1:3059");
}
