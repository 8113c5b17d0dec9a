//! What the pages look like.

use serde_json::{Map, Value, json};

use super::operator;

pub(super) fn all() -> Value {
    joined(of_the_chain(), operator::all())
}

fn of_the_chain() -> Value {
    json!({
        "Error": object(json!({ "error": object(json!({ "code": word(), "message": word() })) })),
        "Hash": { "type": "string", "pattern": "^0x[0-9a-f]{64}$" },
        "Address": { "type": "string", "pattern": "^0x[0-9a-f]{40}$" },
        "Bytes": { "type": "string", "pattern": "^0x([0-9a-f]{2})*$" },
        "Wei": { "type": "string", "pattern": "^[0-9]+$" },
        "Number": { "type": "integer", "minimum": 0 },
        "Time": { "type": "string", "format": "date-time" },
        "Signature": { "type": "string", "pattern": "^0x[0-9a-f]{128}$" },
        "JsonRpcRequest": json_rpc_request(),
        "JsonRpc": json_rpc(),
        "Status": status(),
        "Blocks": object(json!({ "blocks": list(of("BlockSummary")), "next": maybe(of("Number")), "latest": of("Number") })),
        "BlockSummary": object(summary()),
        "Block": block(),
        "Header": header(),
        "Metadata": object(json!({
            "hash": of("Hash"), "validators_hash": of("Hash"), "next_validators_hash": of("Hash"), "parent_round": maybe(of("Number")),
        })),
        "Submitted": object(json!({ "hash": of("Hash") })),
        "Transaction": transaction(),
        "Receipt": receipt(),
        "Log": object(json!({ "index": of("Number"), "address": of("Address"), "topics": list(of("Hash")), "data": of("Bytes") })),
        "Account": object(json!({
            "address": of("Address"), "balance": of("Wei"), "nonce": of("Number"), "pending_nonce": of("Number"),
            "code_hash": of("Hash"), "code_bytes": of("Number"),
        })),
        "Validators": validators(),
        "Certificate": certificate(),
        "Evidence": object(json!({ "evidence": list(of("Contradiction")), "is_complete": flag() })),
        "Contradiction": contradiction(),
        "Vote": signed(json!({
            "kind": one_of(&["prevote", "precommit"]), "height": of("Number"), "round": of("Number"), "value": maybe(of("Hash")), "validator": of("Address"),
        })),
        "Proposal": signed(json!({
            "height": of("Number"), "round": of("Number"), "value": of("Hash"), "pol_round": maybe(of("Number")), "proposer": of("Address"),
        })),
    })
}

/// An object that always has exactly these properties.
pub(super) fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

pub(super) fn of(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

pub(super) fn maybe(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

pub(super) fn word() -> Value {
    json!({ "type": "string" })
}

pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

pub(super) fn integer() -> Value {
    json!({ "type": "integer" })
}

pub(super) fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// `properties` and `more` together.
pub(super) fn joined(mut properties: Value, more: Value) -> Value {
    if let (Value::Object(properties), Value::Object(more)) = (&mut properties, more) {
        properties.extend(more);
    }
    properties
}

fn json_rpc_request() -> Value {
    let call = json!({
        "type": "object",
        "required": ["jsonrpc", "method"],
        "properties": {
            "jsonrpc": { "const": "2.0" },
            "id": { "type": ["string", "integer", "null"] },
            "method": { "type": "string", "examples": ["eth_blockNumber"] },
            "params": { "type": "array" },
        },
    });
    json!({ "oneOf": [call, { "type": "array", "items": call, "minItems": 1 }] })
}

fn json_rpc() -> Value {
    let answer = json!({ "type": "object", "required": ["jsonrpc", "id"], "properties": { "jsonrpc": { "const": "2.0" } } });
    json!({ "oneOf": [answer, { "type": "array", "items": answer }] })
}

fn status() -> Value {
    object(json!({
        "version": word(),
        "chain_id": of("Number"),
        "genesis_hash": of("Hash"),
        "status": one_of(&["ok", "degraded", "down"]),
        "latest": object(json!({ "number": of("Number"), "hash": of("Hash"), "time": of("Time") })),
        "sync": of("Sync"),
        "consensus": of("Consensus"),
        "mempool": of("Pool"),
        "peers": of("Number"),
        "validator": maybe(of("Address")),
    }))
}

fn summary() -> Value {
    json!({
        "number": of("Number"),
        "hash": of("Hash"),
        "parent_hash": of("Hash"),
        "time": of("Time"),
        "gas_used": of("Number"),
        "is_empty": flag(),
        "round": maybe(of("Number")),
        "proposer": maybe(of("Address")),
    })
}

fn block() -> Value {
    let more = json!({
        "size_bytes": of("Number"),
        "transactions_count": of("Number"),
        "transactions": list(of("Hash")),
        "header": of("Header"),
        "metadata": maybe(of("Metadata")),
    });
    object(joined(summary(), more))
}

fn header() -> Value {
    object(json!({
        "state_root": of("Hash"),
        "transactions_root": of("Hash"),
        "receipts_root": of("Hash"),
        "withdrawals_root": maybe(of("Hash")),
        "parent_beacon_block_root": maybe(of("Hash")),
        "requests_hash": maybe(of("Hash")),
        "mix_hash": of("Hash"),
        "fee_recipient": of("Address"),
        "extra_data": of("Bytes"),
        "gas_limit": of("Number"),
        "base_fee_per_gas": maybe(of("Wei")),
        "blob_gas_used": maybe(of("Number")),
        "excess_blob_gas": maybe(of("Number")),
        "timestamp": of("Number"),
    }))
}

fn transaction() -> Value {
    let fields = json!({
        "hash": of("Hash"),
        "type": of("Number"),
        "from": of("Address"),
        "to": maybe(of("Address")),
        "nonce": of("Number"),
        "value": of("Wei"),
        "input": of("Bytes"),
        "gas_limit": of("Number"),
        "max_fee_per_gas": of("Wei"),
        "max_priority_fee_per_gas": maybe(of("Wei")),
        "blob_versioned_hashes": list(of("Hash")),
    });
    let place = object(json!({ "number": of("Number"), "hash": of("Hash"), "time": of("Time"), "index": of("Number") }));
    let waiting = object(joined(fields.clone(), json!({ "status": one_of(&["waiting"]) })));
    let decided = object(joined(fields, json!({ "status": one_of(&["final"]), "block": place, "receipt": of("Receipt") })));
    json!({ "oneOf": [waiting, decided] })
}

fn receipt() -> Value {
    object(json!({
        "is_success": flag(),
        "gas_used": of("Number"),
        "cumulative_gas_used": of("Number"),
        "effective_gas_price": of("Wei"),
        "contract_address": maybe(of("Address")),
        "logs": list(of("Log")),
    }))
}

fn validators() -> Value {
    let validator = object(json!({
        "address": of("Address"),
        "public_key": { "type": "string", "pattern": "^0x0[23][0-9a-f]{64}$" },
        "power": of("Number"),
        "is_online": flag(),
        "is_this_node": flag(),
    }));
    object(json!({
        "height": of("Number"),
        "hash": of("Hash"),
        "total_power": of("Number"),
        "power_needed": of("Number"),
        "power_online": of("Number"),
        "proposer": of("Address"),
        "validators": { "type": "array", "items": validator, "minItems": 1 },
    }))
}

fn certificate() -> Value {
    let signature = object(json!({ "validator": of("Address"), "signature": of("Signature") }));
    object(json!({ "height": of("Number"), "round": of("Number"), "block_hash": of("Hash"), "signatures": list(signature) }))
}

fn contradiction() -> Value {
    let pair = |kind: &str, message: &str| {
        object(json!({
            "validator": of("Address"),
            "height": of("Number"),
            "round": of("Number"),
            "kind": one_of(&[kind]),
            "first": of(message),
            "second": of(message),
        }))
    };
    json!({ "oneOf": [pair("votes", "Vote"), pair("proposals", "Proposal")] })
}

fn signed(message: Value) -> Value {
    object(json!({ "message": object(message), "signature": of("Signature") }))
}
