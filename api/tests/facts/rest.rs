//! Pages under `/v1`: each answer looks as the OpenAPI document says.

use api::{BackendError, Config, Rejection};
use primitives::Height;
use serde_json::{Value, json};

use crate::{
    client::{Answer, exchange, get},
    decided,
    node::{ALICE, CONTRACT},
    schemas::Schemas,
    server::{Server, config},
};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_page_looks_as_the_document_says() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    let hash = server.node.block_at(1).block.body.transactions[0].tx_hash().to_string();
    server.node.faults.lock().unwrap().contradictions = 4;
    for (path, address) in [
        ("/", "/".to_owned()),
        ("/health", "/health".to_owned()),
        ("/livez", "/livez".to_owned()),
        ("/readyz", "/readyz?verbose".to_owned()),
        ("/v1/status", "/v1/status".to_owned()),
        ("/v1/blocks", "/v1/blocks".to_owned()),
        ("/v1/blocks/{block}", "/v1/blocks/latest".to_owned()),
        ("/v1/blocks/{block}", "/v1/blocks/0".to_owned()),
        ("/v1/transactions/{hash}", format!("/v1/transactions/{hash}")),
        ("/v1/accounts/{address}", format!("/v1/accounts/{ALICE}")),
        ("/v1/validators", "/v1/validators".to_owned()),
        ("/v1/certificates/{height}", "/v1/certificates/1".to_owned()),
        ("/v1/evidence", "/v1/evidence".to_owned()),
        ("/v1/actors", "/v1/actors".to_owned()),
        ("/v1/actors", "/v1/actors?flat".to_owned()),
        ("/v1/actors/{path}", "/v1/actors/p2p".to_owned()),
        ("/v1/peers", "/v1/peers".to_owned()),
        ("/v1/openapi.json", "/v1/openapi.json".to_owned()),
    ] {
        assert_eq!(schemas.get(path, &address).await.status, 200, "{address}");
    }
}

#[tokio::test]
async fn a_block_is_found_by_number_by_hash_and_as_the_latest() {
    let server = Server::start().await;
    let hash = server.node.block_at(2).hash;
    let by_number = get(server.address, "/v1/blocks/2").await.json();
    assert_eq!(by_number, get(server.address, &format!("/v1/blocks/{hash}")).await.json());
    assert_eq!(by_number, get(server.address, "/v1/blocks/latest").await.json());
    let round_1 = decided::set().proposer(Height(2), primitives::Round(1)).address;
    assert_eq!((&by_number["number"], &by_number["hash"], &by_number["round"]), (&json!(2), &json!(hash), &json!(1)));
    assert_eq!((&by_number["proposer"], &by_number["transactions_count"]), (&json!(round_1), &json!(1)));
    assert_eq!(by_number["metadata"]["validators_hash"], json!(decided::set().hash()));
    let genesis = get(server.address, "/v1/blocks/0").await.json();
    assert_eq!((&genesis["round"], &genesis["proposer"], &genesis["metadata"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn blocks_come_in_pages_that_lead_to_each_other() {
    let server = Server::start().await;
    let page = async |address: &str| {
        let page = get(server.address, address).await.json();
        let numbers: Vec<u64> = page["blocks"].as_array().unwrap().iter().map(|block| block["number"].as_u64().unwrap()).collect();
        (numbers, page["next"].as_u64())
    };
    assert_eq!(page("/v1/blocks").await, (vec![0, 1, 2], None));
    assert_eq!(page("/v1/blocks?count=2").await, (vec![1, 2], None));
    assert_eq!(page("/v1/blocks?from=0&count=2").await, (vec![0, 1], Some(2)));
    assert_eq!(page("/v1/blocks?from=2&count=2").await, (vec![2], None));
    assert_eq!(page("/v1/blocks?from=3").await, (vec![], None));
}

#[tokio::test]
async fn a_transaction_has_its_receipt_once_it_is_final() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    let block = server.node.block_at(1);
    let hash = block.block.body.transactions[1].tx_hash();
    let decided = schemas.get("/v1/transactions/{hash}", &format!("/v1/transactions/{hash}")).await.json();
    assert_eq!((&decided["status"], &decided["from"], &decided["to"]), (&json!("final"), &json!(ALICE), &Value::Null));
    assert_eq!(decided["block"], json!({ "number": 1, "hash": block.hash, "time": "2026-01-01T00:00:01Z", "index": 1 }));
    let receipt = &decided["receipt"];
    assert_eq!((&receipt["gas_used"], &receipt["effective_gas_price"]), (&json!(100_000), &json!("2000000000")));
    assert_eq!(receipt["contract_address"], json!(ALICE.create(1)));
    assert_eq!((receipt["logs"].as_array().unwrap().len(), &receipt["logs"][1]["index"]), (2, &json!(1)));
    let waiting = server.node.waiting();
    let waiting = schemas.get("/v1/transactions/{hash}", &format!("/v1/transactions/{waiting}")).await.json();
    assert_eq!((&waiting["status"], &waiting["nonce"], waiting.get("receipt")), (&json!("waiting"), &json!(3), None));
}

#[tokio::test]
async fn an_account_has_balance_nonces_and_the_hash_of_its_code() {
    let server = Server::start().await;
    let alice = get(server.address, &format!("/v1/accounts/{ALICE}")).await.json();
    let nothing = alloy_primitives::KECCAK256_EMPTY;
    let expected =
        json!({ "address": ALICE, "balance": "1000000000000000000000", "nonce": 3, "pending_nonce": 4, "code_hash": nothing, "code_bytes": 0 });
    assert_eq!(alice, expected);
    let contract = get(server.address, &format!("/v1/accounts/{CONTRACT}")).await.json();
    assert_eq!((&contract["code_hash"], &contract["code_bytes"]), (&json!(alloy_primitives::keccak256([0x60, 0x01])), &json!(2)));
}

#[tokio::test]
async fn validators_are_listed_with_who_is_here_and_who_proposes_next() {
    let server = Server::start().await;
    let page = get(server.address, "/v1/validators").await.json();
    let next = decided::set().proposer(Height(3), primitives::Round(0)).address;
    assert_eq!((&page["height"], &page["proposer"], &page["power_online"], &page["power_needed"]), (&json!(3), &json!(next), &json!(3), &json!(3)));
    let of = |field: &str| page["validators"].as_array().unwrap().iter().filter(|validator| validator[field] == true).count();
    assert_eq!((of("is_online"), of("is_this_node")), (3, 1));
}

#[tokio::test]
async fn a_certificate_can_be_verified_from_its_page() {
    let server = Server::start().await;
    let page = get(server.address, "/v1/certificates/2").await.json();
    let certificate = decided::certificate(Height(2), server.node.block_at(2).hash);
    assert_eq!((&page["round"], &page["block_hash"]), (&json!(1), &json!(certificate.value)));
    assert_eq!(page["signatures"], serde_json::to_value(&certificate.signatures).unwrap());
    for height in ["0", "3", "18446744073709551615", "99999999999999999999999"] {
        assert_eq!(refusal(&get(server.address, &format!("/v1/certificates/{height}")).await), (404, "not_found".into()), "{height}");
    }
}

#[tokio::test]
async fn evidence_names_the_validator_and_a_long_list_says_that_it_was_cut() {
    let server = Server::start().await;
    assert_eq!(get(server.address, "/v1/evidence").await.json(), json!({ "evidence": [], "is_complete": true }));
    server.node.faults.lock().unwrap().contradictions = 2_000;
    let page = get(server.address, "/v1/evidence").await.json();
    assert_eq!((page["evidence"].as_array().unwrap().len(), &page["is_complete"]), (1_000, &json!(false)));
    assert_eq!((&page["evidence"][0]["kind"], &page["evidence"][1]["kind"]), (&json!("votes"), &json!("proposals")));
    assert_eq!(page["evidence"][1]["validator"], json!(decided::key(4).address()));
}

#[tokio::test]
async fn a_transaction_is_submitted_as_json() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    let taken = schemas.post("/v1/transactions", JSON, br#"{"raw":"0x0102"}"#).await;
    assert_eq!((taken.status, taken.json()), (202, json!({ "hash": alloy_primitives::keccak256([1, 2]) })));
    assert_eq!(server.node.submitted.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_holds_no_transaction_is_refused_with_its_own_status() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    for body in ["", "{}", "[]", "0x01", r#"{"raw":1}"#, r#"{"raw":[1]}"#, r#"{"raw":"01"}"#, r#"{"raw":"0x0x01"}"#, r#"{"raw":"0x1"}"#] {
        let refused = schemas.post("/v1/transactions", JSON, body.as_bytes()).await;
        assert_eq!(refusal(&refused), (400, "malformed".into()), "{body}");
    }
    assert_eq!(refusal(&schemas.post("/v1/transactions", JSON, br#"{"raw":"0x01","more":1}"#).await), (400, "malformed".into()));
    assert_eq!(refusal(&schemas.post("/v1/transactions", &[("content-type", "text/plain")], br#"{"raw":"0x01"}"#).await), (415, "no_json".into()));
    assert_eq!(refusal(&schemas.post("/v1/transactions", JSON, &vec![b' '; (5 << 20) + 1]).await), (413, "too_large".into()));
    assert_eq!(server.node.submitted.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn each_refusal_of_the_node_has_its_status() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    for (error, status, code) in [
        (Rejection::AlreadyKnown.into(), 409, "already_known"),
        (Rejection::NonceTooLow { next: 2, nonce: 1 }.into(), 422, "rejected"),
        (Rejection::Oversized { bytes: 2, limit: 1 }.into(), 413, "too_large"),
        (Rejection::PoolFull.into(), 503, "pool_full"),
        (Rejection::Malformed { reason: "no list".into() }.into(), 400, "malformed"),
        (BackendError::Unavailable("storage is restarting".into()), 503, "unavailable"),
        (BackendError::Timeout, 503, "timeout"),
        (BackendError::Internal("a broken assumption".into()), 500, "internal"),
    ] {
        server.node.faults.lock().unwrap().submit = Some(error);
        let refused = schemas.post("/v1/transactions", JSON, br#"{"raw":"0x01"}"#).await;
        assert_eq!(refusal(&refused), (status, code.to_owned()));
    }
}

#[tokio::test]
async fn nonsense_is_400_what_is_not_there_404_and_another_method_405() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    let nobody = "0x".to_owned() + &"0".repeat(64);
    for (path, address) in [
        ("/v1/blocks/{block}", "/v1/blocks/-1"),
        ("/v1/blocks/{block}", "/v1/blocks/%FF"),
        ("/v1/blocks/{block}", "/v1/blocks/0x12"),
        ("/v1/blocks", "/v1/blocks?count=0"),
        ("/v1/blocks", "/v1/blocks?count=101"),
        ("/v1/blocks", "/v1/blocks?from=-1"),
        ("/v1/blocks", "/v1/blocks?from=18446744073709551615"),
        ("/v1/blocks", "/v1/blocks?form=1"),
        ("/v1/blocks", "/v1/blocks?from=1&from=2"),
        ("/v1/transactions/{hash}", "/v1/transactions/latest"),
        ("/v1/accounts/{address}", "/v1/accounts/alice"),
        ("/v1/certificates/{height}", "/v1/certificates/latest"),
        ("/health", "/health?chain=a&chain=b"),
    ] {
        assert_eq!(refusal(&schemas.get(path, address).await), (400, "malformed".into()), "{address}");
    }
    for (path, address) in [
        ("/v1/blocks/{block}", "/v1/blocks/3".to_owned()),
        ("/v1/blocks/{block}", "/v1/blocks/99999999999999999999999".to_owned()),
        ("/v1/blocks/{block}", format!("/v1/blocks/{nobody}")),
        ("/v1/transactions/{hash}", format!("/v1/transactions/{nobody}")),
    ] {
        assert_eq!(refusal(&schemas.get(path, &address).await), (404, "not_found".into()), "{address}");
    }
    let other = exchange(server.address, "DELETE", "/v1/blocks", &[], b"").await;
    assert_eq!((refusal(&other), other.header("allow")), ((405, "method_not_allowed".into()), Some("GET,HEAD")));
}

#[tokio::test]
async fn pages_share_the_room_and_the_time_of_calls() {
    let server = Server::with(Config { max_calls: 0, ..config() }).await;
    let schemas = Schemas::of(server.address).await;
    assert_eq!(refusal(&schemas.get("/v1/status", "/v1/status").await), (503, "unavailable".into()));
    let server = Server::start().await;
    server.node.faults.lock().unwrap().mute = true;
    assert_eq!(refusal(&get(server.address, "/v1/status").await), (503, "timeout".into()));
}
