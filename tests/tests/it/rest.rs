//! Pages under `/v1` of a real network: each looks as its own OpenAPI document says.

use primitives::{Address, Certificate, CommitSignature, Domain, Height, Round, ValidatorSet};
use serde_json::{Value, json};

use crate::testnet::{Testnet, Transfer, Validator, account, ether, eventually, post_to, secs};

struct Schemas(Value);

impl Schemas {
    async fn of(validator: &Validator) -> Self {
        Self(serde_json::from_str(&validator.get("/v1/openapi.json").await.unwrap().1).unwrap())
    }

    /// The page at `address`, which must look as the document says for `path`.
    async fn get(&self, validator: &Validator, path: &str, address: &str) -> Value {
        let (status, body) = validator.get(address).await.unwrap();
        assert_eq!(status, 200, "{address}: {body}");
        let page = serde_json::from_str(&body).unwrap();
        let schema = &self.0["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{path} is not described");
        let schema = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let mistakes: Vec<String> = validator.iter_errors(&page).map(|mistake| mistake.to_string()).collect();
        assert!(mistakes.is_empty(), "{address}: {mistakes:?} in {page}");
        page
    }
}

#[tokio::test]
async fn a_transaction_goes_in_and_is_found_again_without_json_rpc() {
    let mut net = Testnet::of(4).start().await;
    let schemas = Schemas::of(net.validator(0)).await;
    let to = Address::repeat_byte(0x22);
    let (hash, raw) = Transfer { to, value: ether(2), ..Transfer::new(0, 0) }.sign();
    let body = json!({ "raw": raw }).to_string();
    let (status, taken) = post_to(net.validator(0).rpc, "/v1/transactions", body.as_bytes()).await;
    assert_eq!((status, serde_json::from_str::<Value>(&taken).unwrap()), (202, json!({ "hash": hash })));

    let other = net.validator(2);
    let address = format!("/v1/transactions/{hash}");
    let is_final = async || other.get(&address).await.ok().filter(|(_, page)| page.contains("\"final\""));
    eventually("a final transaction", secs(10), is_final).await;
    let page = schemas.get(other, "/v1/transactions/{hash}", &address).await;
    assert_eq!((&page["from"], &page["receipt"]["is_success"], &page["receipt"]["gas_used"]), (&json!(account(0)), &json!(true), &json!(21_000)));
    let block = schemas.get(other, "/v1/blocks/{block}", &format!("/v1/blocks/{}", page["block"]["hash"].as_str().unwrap())).await;
    assert_eq!((&block["number"], &block["transactions"]), (&page["block"]["number"], &json!([hash])));
    assert_eq!((&block["is_empty"], &block["header"]["fee_recipient"]), (&json!(false), &block["proposer"]));
    assert_eq!(block["metadata"]["hash"], block["header"]["parent_beacon_block_root"]);
    let account = schemas.get(other, "/v1/accounts/{address}", &format!("/v1/accounts/{to}")).await;
    assert_eq!((&account["balance"], &account["nonce"]), (&json!(ether(2).to_string()), &json!(0)));
    let (status, again) = post_to(net.validator(0).rpc, "/v1/transactions", body.as_bytes()).await;
    assert_eq!((status, again.contains("already_known")), (409, true), "{again}");
}

#[tokio::test]
async fn the_certificate_of_a_page_proves_the_block_to_whom_knows_the_validators() {
    let mut net = Testnet::of(4).start().await;
    net.reach(3).within(secs(20)).await;
    let node = net.validator(1);
    let schemas = Schemas::of(node).await;
    let validators = schemas.get(node, "/v1/validators", "/v1/validators").await;
    let members = validators["validators"].as_array().unwrap();
    assert_eq!((members.len(), &validators["power_online"], &validators["power_needed"]), (4, &json!(4), &json!(3)));
    assert_eq!(members.iter().filter(|member| member["is_this_node"] == true).count(), 1);

    let page = schemas.get(node, "/v1/certificates/{height}", "/v1/certificates/3").await;
    let block = schemas.get(node, "/v1/blocks/{block}", "/v1/blocks/3").await;
    assert_eq!((&page["block_hash"], &page["round"]), (&block["hash"], &block["round"]));
    let genesis_hash = schemas.get(node, "/v1/status", "/v1/status").await["genesis_hash"].clone();
    let domain = Domain { chain_id: 1_337, genesis_hash: serde_json::from_value(genesis_hash).unwrap() };
    certificate(&page).verify(&set(members), &domain).unwrap();
    for height in [0, 1_u64 << 40] {
        assert_eq!(node.get(&format!("/v1/certificates/{height}")).await.unwrap().0, 404);
    }
}

#[tokio::test]
async fn every_other_page_of_a_running_node_looks_as_described() {
    let mut net = Testnet::of(4).start().await;
    net.reach(5).within(secs(20)).await;
    let node = net.validator(3);
    let schemas = Schemas::of(node).await;
    for path in ["/v1/status", "/v1/actors", "/v1/peers", "/health", "/v1/openapi.json"] {
        schemas.get(node, path, path).await;
    }
    let evidence = schemas.get(node, "/v1/evidence", "/v1/evidence").await;
    assert_eq!(evidence, json!({ "evidence": [], "is_complete": true }));
    for block in ["0", "latest"] {
        schemas.get(node, "/v1/blocks/{block}", &format!("/v1/blocks/{block}")).await;
    }
    let page = schemas.get(node, "/v1/blocks", "/v1/blocks?from=0&count=5").await;
    let blocks = page["blocks"].as_array().unwrap();
    assert_eq!((blocks.len(), &page["next"]), (5, &json!(5)));
    assert!(blocks.windows(2).all(|pair| pair[1]["parent_hash"] == pair[0]["hash"]), "{page}");
}

fn certificate(page: &Value) -> Certificate {
    let signatures: Vec<CommitSignature> = serde_json::from_value(page["signatures"].clone()).unwrap();
    Certificate {
        height: Height(page["height"].as_u64().unwrap()),
        round: Round(page["round"].as_u64().unwrap() as u32),
        value: serde_json::from_value(page["block_hash"].clone()).unwrap(),
        signatures,
    }
}

fn set(members: &[Value]) -> ValidatorSet {
    let validator = |member: &Value| primitives::Validator {
        address: serde_json::from_value(member["address"].clone()).unwrap(),
        public_key: serde_json::from_value(member["public_key"].clone()).unwrap(),
        power: member["power"].as_u64().unwrap(),
    };
    ValidatorSet::new(members.iter().map(validator).collect()).unwrap()
}
