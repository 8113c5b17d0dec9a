#![allow(clippy::unwrap_used)]
use super::*;

fn request(home: PathBuf, development: Option<(usize, usize)>) -> Request {
    Request { home, development, genesis_file: None, port_offset: Some(PortOffset::Any), environment: Vec::new(), flags: Vec::new() }
}

#[test]
fn a_development_validator_makes_its_home_and_finds_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("one");
    let first = prepare(&request(home.clone(), Some((1, 4)))).unwrap();
    assert_eq!((first.name.as_str(), first.is_validator()), ("validator-1", true));
    assert_eq!(first.config.p2p.peers.len(), 3);
    let hash = first.genesis.hash();
    drop(first);
    assert_eq!(prepare(&request(home.clone(), None)).unwrap().genesis.hash(), hash);
    let network: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(home.join("network.json")).unwrap()).unwrap();
    assert!(network["nodes"][0]["rpc"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{network}");
}

#[test]
fn a_node_that_only_follows_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let mut launch = prepare(&request(directory.path().join("one"), Some((0, 4)))).unwrap();
    let ours = launch.validator_key.clone().unwrap();
    assert_eq!(launch.role(), format!("validator {}", ours.address()));
    let foreign = keys::generate();
    launch.validator_key = Some(foreign.clone());
    assert!(launch.role().contains(&format!("{} is not in the validator set", foreign.address())), "{}", launch.role());
    launch.validator_key = None;
    assert!(launch.role().contains("one/keys/validator.key"), "{}", launch.role());
}

/// Makes the homes of a testnet, and starts each on free ports in this order.
fn testnet(directory: &std::path::Path, order: [usize; 4]) -> Vec<Launch> {
    let members: Vec<_> = (0..4).map(Member::fresh).collect();
    let genesis = crate::localnet::development_genesis(4, None, None).unwrap();
    let ports = Ports::of_network(4, 0).unwrap();
    let homes: Vec<_> = (0..4).map(|index| network::make_home(directory, &members, index, &genesis, &ports).unwrap()).collect();
    order.iter().map(|index| prepare(&request(homes[*index].root().to_owned(), None)).unwrap()).collect()
}

#[test]
fn nodes_that_take_free_ports_one_after_the_other_find_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = testnet(directory.path(), [2, 0, 3, 1]);
    let knows = |one: &Launch, other: &Launch| {
        let address = other.listeners.p2p.local_addr().unwrap();
        one.config.p2p.peers.iter().any(|peer| peer.node == Some(other.node_id()) && peer.port == address.port())
    };
    for (later, node) in nodes.iter().enumerate() {
        assert!(nodes[..later].iter().all(|earlier| knows(node, earlier)), "{} knows who was there", node.name);
        assert!(!knows(node, node));
    }
    assert_eq!(nodes[3].config.p2p.peers.len(), 6, "the configured addresses stay");
    let shown: Vec<_> = nodes[3].config.p2p.peers.iter().map(ToString::to_string).collect();
    assert_eq!(nodes[3].settings["p2p.peers"].value, Value::List(shown));
}

#[test]
fn a_network_file_of_strangers_or_rubbish_adds_no_peer() {
    let directory = tempfile::tempdir().unwrap();
    let homes = directory.path().join("net");
    drop(prepare(&request(directory.path().join("net/stranger"), Some((3, 5)))).unwrap());
    std::fs::create_dir_all(homes.join("rubbish")).unwrap();
    std::fs::write(homes.join("rubbish/network.json"), "{").unwrap();
    assert_eq!(testnet(&homes, [0, 1, 2, 3])[0].config.p2p.peers.len(), 3);
}

#[test]
fn a_home_of_another_genesis_or_number_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("one");
    prepare(&request(home.clone(), Some((1, 4)))).unwrap();
    assert!(prepare(&request(home.clone(), Some((1, 5)))).unwrap_err().what.contains("another genesis"));
    assert!(prepare(&request(home.clone(), Some((2, 4)))).unwrap_err().what.contains("development validator 2"));
    assert_eq!(prepare(&request(home, Some((4, 4)))).unwrap_err().code, ExitCode::Usage);
}

#[test]
fn a_home_that_was_never_made_is_refused_with_the_command_that_makes_it() {
    let directory = tempfile::tempdir().unwrap();
    let refused = prepare(&request(directory.path().join("none"), None)).unwrap_err();
    assert_eq!(refused.code, ExitCode::Config);
    assert!(refused.remedy.contains("axolotl init --home"), "{refused}");
}

#[test]
fn an_offset_moves_a_development_validator_with_its_peers_and_another_node_alone() {
    let directory = tempfile::tempdir().unwrap();
    prepare(&request(directory.path().join("one"), Some((0, 2)))).unwrap();
    let by = |development| {
        let request = Request { port_offset: Some(PortOffset::By(20_000)), ..request(directory.path().join("one"), development) };
        let config = configure(&Home::at(&request.home), placed(&request).unwrap(), &[], Vec::new()).unwrap().config;
        (config.rpc.listen.port(), config.p2p.peers[0].port)
    };
    assert_eq!(by(Some((0, 2))), (23_030, 24_140));
    assert_eq!(by(None), (23_030, 4_140));
}

fn with_flag(launch: &Launch, path: &str) -> BTreeMap<&'static str, Setting> {
    let mut settings = launch.settings.clone();
    settings.get_mut(path).unwrap().origin = Origin::Flag { flag: "--set".into() };
    settings
}

#[test]
fn a_process_of_its_own_gets_the_same_ports() {
    let directory = tempfile::tempdir().unwrap();
    let launch = prepare(&request(directory.path().join("one"), Some((0, 2)))).unwrap();
    let launch = Launch { settings: with_flag(&launch, "chaos.enabled"), ..launch };
    let arguments: Vec<_> = launch.arguments().into_iter().map(|argument| argument.into_string().unwrap()).collect();
    assert!(arguments.contains(&format!("rpc.listen={}", launch.listeners.rpc.local_addr().unwrap())), "{arguments:?}");
    assert!(arguments.contains(&"chaos.enabled=false".to_owned()), "{arguments:?}");
}
