//! Light-client proofs.

use primitives::light::Bundle;
use serde_json::json;

use crate::{
    client::{failure, result},
    server::Server,
};

#[tokio::test]
async fn a_light_client_proof_is_served_by_number_tag_and_hash() {
    let server = Server::start().await;
    let block = server.node.block_at(2);
    for params in [json!([]), json!(["latest"]), json!(["0x2"]), json!([block.hash]), json!([{ "blockHash": block.hash }])] {
        let served = result(server.address, "axolotl_getLightProof", params.clone()).await;
        assert!(served["header"].is_string() && served["metadata"].is_string() && served["certificate"]["signatures"].is_array(), "{served}");
        assert!(served["validators"][0]["public_key"].is_string() && served.get("next_validators").is_none(), "{served}");
        let bundle: Bundle = serde_json::from_value(served).unwrap();
        assert_eq!((bundle.header.hash_slow(), bundle.certificate.value), (block.hash, block.hash), "{params}");
    }
    assert_eq!(failure(server.address, "axolotl_getLightProof", json!(["0x9"])).await.1, "header not found");
    assert_eq!(failure(server.address, "axolotl_getLightProof", json!(["0x1", true])).await.0, -32602);
}
