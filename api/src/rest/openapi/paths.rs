//! What can be asked, and what comes back.

use serde_json::{Map, Value, json};

use crate::{
    checks::HEALTH_JSON,
    config::{MAX_PAGE_BLOCKS, PAGE_BLOCKS},
    rest::asked::MAX_HEIGHT,
};

pub(super) fn all() -> Value {
    json!({
        "/": { "get": index(), "post": json_rpc() },
        "/health": { "get": health() },
        "/livez": { "get": get("livez", "That this is answered says that the process is alive", text("`ok`"), &[]) },
        "/readyz": { "get": readyz() },
        "/v1/status": { "get": get("status", "The node at a glance", page("Status"), BUSY) },
        "/v1/blocks": { "get": blocks() },
        "/v1/blocks/{block}": { "get": with(get("block", "A decided block", page("Block"), FOUND), json!([block()])) },
        "/v1/transactions": { "post": submit() },
        "/v1/transactions/{hash}": {
            "get": with(get("transaction", "A transaction, with its receipt once it is final", page("Transaction"), FOUND), json!([named("hash", hash())])),
        },
        "/v1/accounts/{address}": {
            "get": with(get("account", "An account at the last block", page("Account"), ASKED), json!([named("address", address())])),
        },
        "/v1/validators": { "get": get("validators", "Who decides the next height, and who of them is here", page("Validators"), BUSY) },
        "/v1/certificates/{height}": {
            "get": with(get("certificate", "The proof that a height was decided", page("Certificate"), FOUND), json!([named("height", height())])),
        },
        "/v1/evidence": { "get": get("evidence", "Validators who contradicted themselves, with the proof", page("Evidence"), BUSY) },
        "/v1/actors": { "get": actors() },
        "/v1/actors/{path}": { "get": actor() },
        "/v1/events": { "get": events() },
        "/v1/peers": { "get": get("peers", "Who is connected, what is thought of them, and who is banned; not on a public listener", page("Peers"), &[404, 503]) },
        "/v1/openapi.json": { "get": get("openapi", "This document", ("The document", "application/json", json!({ "type": "object" })), &[]) },
    })
}

/// Errors of pages that take nothing, that take something, and that may not find it.
const BUSY: &[u16] = &[500, 503];
const ASKED: &[u16] = &[400, 500, 503];
const FOUND: &[u16] = &[400, 404, 500, 503];

/// What a body is, its media type and its schema.
type Content = (&'static str, &'static str, Value);

fn page(schema: &'static str) -> Content {
    ("Found", "application/json", json!({ "$ref": format!("#/components/schemas/{schema}") }))
}

fn text(what: &'static str) -> Content {
    (what, "text/plain", json!({ "type": "string" }))
}

fn response((description, media, schema): Content) -> Value {
    json!({ "description": description, "content": { media: { "schema": schema } } })
}

fn get(id: &str, summary: &str, found: Content, errors: &[u16]) -> Value {
    operation(id, summary, 200, found, errors)
}

/// An operation that anybody may also do too often.
fn operation(id: &str, summary: &str, status: u16, found: Content, errors: &[u16]) -> Value {
    let mut responses = Map::new();
    responses.insert(status.to_string(), response(found));
    for error in errors.iter().chain(&[429]) {
        responses.insert(error.to_string(), refusal(*error));
    }
    json!({ "operationId": id, "summary": summary, "responses": responses })
}

fn refusal(status: u16) -> Value {
    let description = match status {
        400 => "What was sent has the wrong form",
        404 => "There is no such thing",
        408 => "The body did not arrive in time",
        409 => "It is known already",
        413 => "It is too large",
        415 => "The body is not JSON",
        422 => "A rule of the chain stands against it",
        429 => "This client asked too much",
        500 => "An assumption of the node broke; its log says more",
        _ => "A part of the node is restarting or busy; try again later",
    };
    let mut refusal = response((description, "application/json", json!({ "$ref": "#/components/schemas/Error" })));
    if status == 429 {
        refusal["headers"] = json!({ "Retry-After": { "description": "Seconds", "schema": { "type": "integer", "minimum": 1 } } });
    }
    refusal
}

fn with(mut operation: Value, parameters: Value) -> Value {
    operation["parameters"] = parameters;
    operation
}

fn named(name: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn asked(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
}

fn hash() -> Value {
    json!({ "type": "string", "pattern": "^0x[0-9a-fA-F]{64}$" })
}

fn address() -> Value {
    json!({ "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$" })
}

fn height() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": MAX_HEIGHT })
}

fn block() -> Value {
    let block = json!({ "type": "string", "pattern": "^(latest|[0-9]+|0x[0-9a-fA-F]{64})$", "examples": ["latest", "1"] });
    let mut block = named("block", block);
    block["description"] = json!("`latest`, a number or a hash");
    block
}

fn index() -> Value {
    let mut index = get("index", "The addresses of this node; a WebSocket for JSON-RPC where an upgrade is asked for", text("A list"), &[]);
    index["responses"]["101"] = json!({ "description": "The connection is a WebSocket now" });
    index["responses"]["400"] = response(text("The upgrade cannot be granted"));
    index
}

fn json_rpc() -> Value {
    let mut call = operation("jsonRpc", "Ethereum JSON-RPC: a call or a batch of them", 200, page("JsonRpc"), &[]);
    call["requestBody"] = body(json!({ "$ref": "#/components/schemas/JsonRpcRequest" }));
    call["responses"]["204"] = json!({ "description": "Nothing was asked for that has an answer" });
    let anything = json!({ "$ref": "#/components/schemas/JsonRpc" });
    for (status, description) in
        [("408", "It did not arrive in time"), ("413", "It is too large"), ("429", "This client asked too much"), ("503", "The node is busy")]
    {
        call["responses"][status] = response((description, "application/json", anything.clone()));
    }
    call["responses"]["400"] = response((("It cannot be read"), "application/json", anything));
    call["responses"]["415"] = response(text("It is not JSON"));
    call
}

fn body(schema: Value) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn health() -> Value {
    let mut health = get("health", "How the node is; 200 while it does its work, well or not so well", page("Health"), &[400, 404]);
    health["responses"]["503"] = response(("It does not do its work", "application/json", json!({ "$ref": "#/components/schemas/Down" })));
    for status in ["200", "503"] {
        health["responses"][status]["content"][HEALTH_JSON] = json!({ "schema": { "$ref": "#/components/schemas/HealthReport" } });
    }
    let chain = json!({ "type": "string" });
    with(health, json!([asked("chain", "Which chain, where there are several", chain)]))
}

fn readyz() -> Value {
    let mut ready = get("readyz", "Whether it may be sent work", text("`ok`, below what was asked for"), &[]);
    ready["responses"]["503"] = response(text("What does not hold"));
    let verbose = json!({ "type": "string" });
    with(ready, json!([asked("verbose", "Lists every criterion, not only those that do not hold", verbose)]))
}

fn actors() -> Value {
    let actors = get("actors", "The supervision tree, children under their parents; not on a public listener", page("Actors"), &[404]);
    with(actors, json!([asked("flat", "In one list, each naming its parent", json!({ "type": "string" }))]))
}

fn actor() -> Value {
    let mut path = named("path", json!({ "type": "string", "examples": ["consensus"] }));
    path["description"] = json!("The name as the tree shows it, a slash in it as it is or as `%2F`; without `#` and number the latest of that name");
    with(get("actor", "One actor with its last events; not on a public listener", page("ActorPage"), &[400, 404]), json!([path]))
}

fn events() -> Value {
    let stream =
        ("Server-sent events: `id` is the sequence, `event` the kind, `data` the event as JSON", "text/event-stream", json!({ "type": "string" }));
    let id = json!({ "type": "string", "pattern": "^([0-9]+|now)$" });
    let word = json!({ "type": "string" });
    let last = json!({ "name": "Last-Event-ID", "in": "header", "required": false, "description": "As `after`, which it overrides", "schema": id });
    let parameters = json!([
        last,
        asked("after", "The id of the last event that was read, or `now`; without it, all that are kept come first", id),
        asked("child", "This actor and all below it", word.clone()),
        asked("kind", "Kinds with commas between them: `exited,ready`", word),
    ]);
    with(
        get("events", "What happens in the supervision tree, until the client leaves; not on a public listener", stream, &[400, 404, 503]),
        parameters,
    )
}

fn blocks() -> Value {
    let count = json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE_BLOCKS, "default": PAGE_BLOCKS });
    let parameters = json!([
        asked("from", "The first height; without it the page ends with the last block", height()),
        asked("count", "Blocks on the page", count),
    ]);
    with(get("blocks", "A page of decided blocks, in order", page("Blocks"), ASKED), parameters)
}

fn submit() -> Value {
    let errors = &[400, 408, 409, 413, 415, 422, 500, 503];
    let mut submit = operation("submit", "Sends a signed transaction; answered once it is on disk", 202, page("Submitted"), errors);
    let raw = json!({ "type": "string", "pattern": "^0x([0-9a-fA-F]{2})*$", "description": "In its EIP-2718 form, blobs beside it" });
    submit["requestBody"] = body(json!({ "type": "object", "required": ["raw"], "additionalProperties": false, "properties": { "raw": raw } }));
    submit
}
