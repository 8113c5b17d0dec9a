//! The compose files, held against the program as far as that is possible without containers.

use std::path::PathBuf;

use node::config::schema::KEYS;

const FILES: [(&str, usize); 4] = [("two", 2), ("three", 3), ("four", 4), ("five", 5)];
/// Of the first node on the host; each further one has the tenth port after it.
const FIRST_PORT: usize = 12_001;

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/compose").join(format!("{name}-node.yml"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn each_compose_file_has_its_nodes_on_their_ports_and_each_of_them_all_others_as_peers() {
    for (name, count) in FILES {
        let text = file(name);
        let node = |line: &&str| line.strip_prefix("  node-").is_some_and(|rest| rest.ends_with(':'));
        assert_eq!(text.lines().filter(node).count(), count, "{name}");
        assert!(text.contains(&format!("axolotl testnet init -v {count} --output /network/homes")), "{name}");
        for index in 0..count {
            assert!(text.contains(&format!("[\"127.0.0.1:{}:3030\"]", FIRST_PORT + 10 * index)), "{name}: port of node {index}");
            assert!(text.contains(&format!("\"--home\", \"/network/homes/validator-{index}\"")), "{name}: home of node {index}");
            let others: Vec<_> = (0..count).filter(|other| *other != index).map(|other| format!("node-{other}:4130")).collect();
            assert!(text.contains(&format!("AXOLOTL_P2P_PEERS: {}\n", others.join(","))), "{name}: peers of node {index}");
        }
    }
}

#[test]
fn compose_files_set_only_what_a_node_knows() {
    let known: Vec<String> = KEYS.iter().map(|key| format!("AXOLOTL_{}", key.path.replace('.', "_").to_uppercase())).collect();
    for (name, _) in FILES {
        let text = file(name);
        let set = text.lines().filter_map(|line| line.trim().split_once(": ")).map(|(key, _)| key).filter(|key| key.starts_with("AXOLOTL_"));
        set.for_each(|key| assert!(known.iter().any(|known| known == key), "{name}: {key}"));
    }
}
