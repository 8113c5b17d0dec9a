//! The drawing of the crates, held against their `Cargo.toml`s.
//!
//! ```text
//!  floor 3   node
//!  floor 2   actors
//!  floor 1   wire   storage   consensus   execution   blobs   api
//!  floor 0   primitives                          supervision
//!  beside    simulator   tests
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const FLOORS: [&[&str]; 4] = [&["primitives", "supervision"], &["wire", "storage", "consensus", "execution", "blobs", "api"], &["actors"], &["node"]];
const BESIDE: [&str; 2] = ["simulator", "tests"];

/// What floor 1 may use of ours.
const FLOOR_1_MAY_USE: [(&str, &[&str]); 2] = [("api", &["primitives", "supervision"]), ("", &["primitives"])];

/// Dependencies that take long to build, and the only crates that may name them.
const HEAVY: [(&str, &[&str]); 17] = [
    ("fjall", &["storage"]),
    ("tokio-tungstenite", &["wire"]),
    ("rustls", &["wire"]),
    ("tokio-rustls", &["wire"]),
    ("revm", &["execution"]),
    ("revm-inspectors", &["execution"]),
    ("alloy-evm", &["execution"]),
    ("arc-malachitebft-core-consensus", &["consensus"]),
    ("arc-malachitebft-core-types", &["consensus"]),
    ("arc-malachitebft-peer", &["consensus"]),
    ("c-kzg", &["blobs"]),
    ("axum", &["api"]),
    ("tower", &["api"]),
    ("jsonrpsee", &["api"]),
    ("hyper", &["api", "execution", "node"]),
    ("hyper-util", &["api", "execution", "node"]),
    ("ractor", &["supervision", "actors"]),
];

/// Each crate and the packages it names, for whatever purpose.
type Crates = BTreeMap<String, BTreeSet<String>>;

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|names| names.contains(&name))
}

fn is_drawn(name: &str) -> bool {
    floor(name).is_some() || BESIDE.contains(&name)
}

/// Every way in which these crates differ from the drawing.
fn violations(crates: &Crates) -> Vec<String> {
    let mut found = Vec::new();
    for (name, used) in crates {
        for other in used.iter().filter(|other| crates.contains_key(*other)) {
            if let Some(reason) = forbidden(name, other) {
                found.push(format!("{name} uses {other}: {reason}"));
            }
        }
        for (heavy, homes) in HEAVY {
            if is_drawn(name) && used.contains(heavy) && !homes.contains(&name.as_str()) {
                found.push(format!("{name} uses {heavy}: it belongs to {}", homes.join(", ")));
            }
        }
    }
    let missing = FLOORS.iter().flat_map(|names| names.iter()).filter(|name| !crates.contains_key(**name));
    found.extend(missing.map(|name| format!("{name} is drawn and not there")));
    found
}

fn forbidden(name: &str, other: &str) -> Option<&'static str> {
    if !is_drawn(name) || !is_drawn(other) {
        return Some("one of them is not in the drawing");
    }
    match (floor(name), floor(other)) {
        (_, None) => Some("what stands beside the floors is used by nobody"),
        (None, _) => None,
        (Some(upper), Some(lower)) if lower >= upper => Some("a crate uses only floors below its own"),
        (Some(1), _) if !floor_1_may_use(name).contains(&other) => Some("floor 1 uses primitives only, api also supervision"),
        _ => None,
    }
}

fn floor_1_may_use(name: &str) -> &'static [&'static str] {
    FLOOR_1_MAY_USE.iter().find(|(who, _)| *who == name || who.is_empty()).map_or(&[], |(_, may)| *may)
}

/// All members of the workspace, with the package behind every dependency, renamed or not.
fn workspace() -> (Crates, toml::Table) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |path: &Path| fs::read_to_string(path.join("Cargo.toml")).unwrap().parse::<toml::Table>().unwrap();
    let manifest = read(root);
    let shared = manifest["workspace"]["dependencies"].as_table().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let crates = members.iter().map(|member| {
        let table = read(&root.join(member.as_str().unwrap()));
        (table["package"]["name"].as_str().unwrap().to_owned(), used(&table, shared))
    });
    (crates.collect(), manifest.clone())
}

fn used(table: &toml::Table, shared: &toml::Table) -> BTreeSet<String> {
    let targets = table.get("target").and_then(toml::Value::as_table);
    let sections = std::iter::once(table).chain(targets.into_iter().flat_map(|targets| targets.values()).filter_map(toml::Value::as_table));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let named =
        sections.flat_map(|section| kinds.iter().filter_map(|kind| section.get(*kind)?.as_table())).flat_map(|dependencies| dependencies.iter());
    let package = |(name, entry): (&String, &toml::Value)| {
        let renamed = entry.get("package").or_else(|| shared.get(name)?.get("package"));
        renamed.and_then(toml::Value::as_str).unwrap_or(name).to_owned()
    };
    named.map(package).collect()
}

fn crates(uses: &[(&str, &[&str])]) -> Crates {
    let mut all: Crates = FLOORS.iter().flat_map(|names| names.iter()).map(|name| (name.to_string(), BTreeSet::new())).collect();
    for (name, used) in uses {
        all.entry(name.to_string()).or_default().extend(used.iter().map(ToString::to_string));
    }
    all
}

#[test]
fn the_crates_stand_as_they_are_drawn() {
    assert_eq!(violations(&workspace().0), Vec::<String>::new());
}

#[test]
fn the_short_command_runs_the_node_and_a_release_unwinds() {
    let manifest = workspace().1;
    assert_eq!(manifest["workspace"]["default-members"].as_array().unwrap(), &["node".into()]);
    assert_eq!(manifest["profile"]["release"]["panic"].as_str(), Some("unwind"), "supervision catches panics");
}

#[test]
fn each_rule_of_the_drawing_can_be_broken() {
    let check = |uses: &[(&str, &[&str])], count: usize| assert_eq!(violations(&crates(uses)).len(), count, "{uses:?}");
    check(&[("node", &["actors", "wire", "primitives", "hyper"]), ("api", &["primitives", "supervision", "axum"]), ("tests", &["node"])], 0);
    check(&[("primitives", &["supervision"])], 1);
    check(&[("wire", &["storage"])], 1);
    check(&[("wire", &["supervision"])], 1);
    check(&[("storage", &["actors"])], 1);
    check(&[("actors", &["revm", "fjall"])], 2);
    check(&[("node", &["axum"])], 1);
    check(&[("consensus", &["simulator"]), ("simulator", &["primitives"])], 1);
    check(&[("extra", &["serde"])], 0);
    check(&[("extra", &["primitives"])], 1);
}

#[test]
fn a_renamed_dependency_is_seen_by_its_own_name() {
    let shared = "core = { package = \"revm\", version = \"1\" }".parse().unwrap();
    let table = "[dependencies]\ncore.workspace = true\n[target.'cfg(unix)'.dev-dependencies]\nx = { package = \"fjall\" }".parse().unwrap();
    assert_eq!(used(&table, &shared), ["fjall".to_owned(), "revm".to_owned()].into());
}
