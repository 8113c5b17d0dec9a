//! Health, readiness, actors, peers, and the list of addresses.

use api::{Health, Status};
use serde_json::{Value, json};

use crate::{
    client::{exchange, get},
    schemas::Schemas,
    server::Server,
};

#[tokio::test]
async fn health_has_the_shape_that_dashboards_read() {
    let server = Server::start().await;
    let answer = get(server.address, "/health").await;
    let health = answer.json();
    assert_eq!((answer.status, &health["status"]), (200, &json!("ok")));
    assert_eq!(
        health["blockchain"],
        json!({ "height": 2, "latest_block_hash": server.node.block_at(2).hash, "latest_block_time": "2026-01-01T00:00:02Z", "chain_id": 1337 })
    );
    assert_eq!(health["consensus"]["signing"], "enabled");
    assert_eq!(health["chains"]["alpha"]["blockchain"], health["blockchain"]);
    let keys: Vec<&str> = health.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["status", "blockchain", "consensus", "sync", "p2p", "mempool", "blobs", "clock", "storage", "actors", "chains"] {
        assert!(keys.contains(&key), "{key} is missing");
    }
    assert_eq!(keys.len(), 11);
    let _: Health = serde_json::from_str(&answer.body).unwrap();
}

#[tokio::test]
async fn health_is_503_only_when_the_node_is_down() {
    let server = Server::start().await;
    for (status, code) in [(Status::Ok, 200), (Status::Degraded, 200), (Status::Down, 503)] {
        server.node.faults.lock().unwrap().status = Some(status);
        assert_eq!(get(server.address, "/health").await.status, code);
    }
}

#[tokio::test]
async fn health_comes_as_health_json_to_whom_asks_for_it() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    let ask = async || exchange(server.address, "GET", "/health", &[("accept", "application/health+json")], b"").await;
    for (status, word, code) in [(Status::Ok, "pass", 200), (Status::Degraded, "warn", 200), (Status::Down, "fail", 503)] {
        server.node.faults.lock().unwrap().status = Some(status);
        let answer = ask().await;
        schemas.check("get", "/health", &answer);
        assert_eq!((answer.status, &answer.json()["status"]), (code, &json!(word)));
    }
    let stalled = json!([{
        "componentType": "component", "observedValue": 7, "observedUnit": "s", "status": "warn", "time": "2026-01-01T00:00:03Z",
        "output": "no block for 7 s beyond the pace",
    }]);
    assert_eq!(ask().await.json()["checks"]["consensus:stalled"], stalled);
    server.node.faults.lock().unwrap().mute = true;
    let silent = ask().await;
    schemas.check("get", "/health", &silent);
    assert_eq!((silent.status, &silent.json()["status"]), (503, &json!("fail")));
}

#[tokio::test]
async fn health_of_one_chain_can_be_chosen() {
    let server = Server::start().await;
    assert_eq!(get(server.address, "/health?chain=alpha").await.json()["blockchain"]["height"], 2);
    let unknown = get(server.address, "/health?chain=delta").await;
    assert_eq!((unknown.status, &unknown.json()["error"]["message"]), (404, &json!("there is no chain 'delta' here; the chains are alpha")));
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_down_not_ready_and_alive() {
    let server = Server::start().await;
    server.node.faults.lock().unwrap().mute = true;
    let (health, ready, peers) = tokio::join!(get(server.address, "/health"), get(server.address, "/readyz"), get(server.address, "/v1/peers"));
    assert_eq!((health.status, &health.json()["status"]), (503, &json!("down")));
    assert_eq!((ready.status, peers.status), (503, 503));
    assert_eq!(get(server.address, "/livez").await.status, 200);
}

#[tokio::test]
async fn readiness_lists_each_criterion() {
    let server = Server::start().await;
    let quiet = get(server.address, "/readyz").await;
    assert_eq!((quiet.status, quiet.body.as_str()), (200, "ok\n"));
    let verbose = get(server.address, "/readyz?verbose").await;
    assert_eq!(verbose.body, "[+] storage_open: the lock is held\n[+] p2p_listening: 127.0.0.1:4130\nok\n");
    server.node.faults.lock().unwrap().not_ready = true;
    let not_ready = get(server.address, "/readyz").await;
    assert_eq!((not_ready.status, not_ready.body.as_str()), (503, "[-] p2p_listening: 127.0.0.1:4130\nnot ready\n"));
}

#[tokio::test]
async fn actors_and_peers_are_listed() {
    let server = Server::start().await;
    let actors = get(server.address, "/v1/actors").await.json();
    let names = |children: &Value| children.as_array().unwrap().iter().map(|child| child["name"].clone()).collect::<Vec<_>>();
    assert_eq!((&actors["name"], names(&actors["children"])), (&json!("node"), vec![json!("storage"), json!("p2p")]));
    assert_eq!(names(&actors["children"][1]["children"]), ["p2p.session/ab/c"]);
    let flat = get(server.address, "/v1/actors?flat").await.json();
    assert_eq!((names(&flat["children"]).len(), &flat["children"][2]["parent"]), (3, &json!("p2p")));
    let _: supervision::Snapshot = serde_json::from_value(flat).unwrap();
    assert_eq!(get(server.address, "/v1/peers").await.json()["peers"][0]["direction"], "outbound");
}

#[tokio::test]
async fn one_actor_is_found_by_its_name_whatever_is_in_it() {
    let server = Server::start().await;
    server.node.tree.happens("storage", "something");
    let storage = get(server.address, "/v1/actors/storage").await.json();
    let events = storage["events"].as_array().unwrap();
    assert!(events.iter().all(|event| event["child"] == "storage") && 3 <= events.len(), "{storage}");
    assert_eq!((&storage["state"], &events.last().unwrap()["kind"]["event"]), (&json!("running"), &json!("injected")));
    for path in ["/v1/actors/p2p.session/ab/c", "/v1/actors/p2p.session%2Fab%2Fc"] {
        assert_eq!(get(server.address, path).await.json()["parent"], "p2p", "{path}");
    }
    let unknown = get(server.address, "/v1/actors/storag").await;
    let message = "there is no actor 'storag' here; nearby are storage";
    assert_eq!((unknown.status, &unknown.json()["error"]), (404, &json!({ "code": "not_found", "message": message })));
}

#[tokio::test]
async fn the_root_lists_addresses_that_work_for_who_asks() {
    let server = Server::start().await;
    let page = get(server.address, "/").await.body;
    assert!(page.starts_with("axolotl/test, chain 1337\n"));
    assert!(page.contains(&format!("http://{}/health", server.address)));
    assert!(page.contains("http://127.0.0.1:9090/metrics"));
    let nothing = get(server.address, "/v2/nothing").await;
    assert_eq!((nothing.status, &nothing.json()["error"]["message"]), (404, &json!("there is nothing at /v2/nothing; GET / lists the addresses")));
}
