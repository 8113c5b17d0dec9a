//! What the pages look like that show the node.

use serde_json::{Value, json};

use super::schemas::{flag, integer, joined, list, maybe, object, of, one_of, word};

pub(super) fn all() -> Value {
    json!({
        "Actors": object(json!({ "name": word(), "children": list(json!({ "anyOf": [of("Actor"), of("FlatActor")] })) })),
        "Actor": actor(json!({ "children": list(of("Actor")) })),
        "FlatActor": actor(json!({})),
        "ActorPage": actor(json!({ "children": list(of("Actor")), "events": list(of("Event")) })),
        "Event": object(json!({
            "sequence": of("Number"), "at_ms": of("Number"), "time": of("Time"), "child": word(), "incarnation": of("Number"), "kind": event_kind(),
        })),
        "Peers": peers(),
        "Health": health(),
        "HealthReport": health_report(),
        "Down": { "oneOf": [of("Health"), object(json!({ "status": one_of(&["down"]), "reasons": list(word()) }))] },
        "ChainHealth": object(chain()),
        "Consensus": consensus(),
        "Sync": object(json!({ "state": one_of(&["synced", "syncing"]), "behind": of("Number") })),
        "Pool": object(json!({ "pending": of("Number"), "queued": of("Number") })),
    })
}

/// An actor as it is now, and what else the page says of it. Further properties may come.
fn actor(more: Value) -> Value {
    let always = json!({
        "name": word(), "state": word(), "needs": list(word()), "after": list(word()), "parent": maybe(word()), "incarnation": of("Number"),
        "restarts": of("Number"), "hangs": of("Number"), "last_exit": maybe(word()), "mailbox_depth": of("Number"), "mailbox_capacity": of("Number"),
        "handled": of("Number"), "dead_letters": of("Number"), "uptime_ms": of("Number"), "backoff_ms": of("Number"), "busy_ms": of("Number"),
        "busy_with": maybe(word()), "waiting": flag(), "slow": flag(), "hang_limit_ms": of("Number"), "exclusive": flag(),
    });
    open(object(joined(always, more)))
}

/// The kind of an event by its name, and what that kind tells.
fn event_kind() -> Value {
    open(object(json!({ "event": word() })))
}

/// An object that may have further properties.
fn open(mut object: Value) -> Value {
    object["additionalProperties"] = json!(true);
    object
}

/// As draft-inadarei-api-health-check describes it.
fn health_report() -> Value {
    let status = one_of(&["pass", "warn", "fail"]);
    let reading = json!({ "componentType": word(), "observedValue": {}, "status": status, "time": of("Time") });
    json!({
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": status,
            "version": word(),
            "releaseId": word(),
            "description": word(),
            "notes": list(word()),
            "output": word(),
            "checks": { "type": "object", "additionalProperties": { "type": "array", "items": open(object(reading)) } },
        },
    })
}

fn peers() -> Value {
    let peer = object(json!({
        "id": word(),
        "address": word(),
        "direction": one_of(&["inbound", "outbound"]),
        "validator": maybe(of("Address")),
        "configured": flag(),
        "height": maybe(of("Number")),
        "rtt_ms": maybe(of("Number")),
        "clock_offset_ms": maybe(integer()),
        "connected_seconds": of("Number"),
        "queued_bytes": numbers(&["votes", "proposals", "transactions", "bulk"]),
        "inbound": numbers(&["messages", "bytes"]),
        "outbound": numbers(&["messages", "bytes"]),
        "score": integer(),
        "score_parts": object(json!({ "latency": integer(), "usefulness": integer(), "uptime": integer(), "offences": integer() })),
        "offences": { "type": "object", "additionalProperties": of("Number") },
    }));
    let ban = object(json!({ "who": word(), "seconds_left": of("Number"), "reason": word(), "by_operator": flag(), "times": of("Number") }));
    let limits = numbers(&["inbound", "outbound", "strangers", "max_strangers", "most_per_ip", "max_per_ip"]);
    object(json!({ "peers": list(peer), "banned": list(ban), "limits": limits }))
}

fn numbers(names: &[&str]) -> Value {
    let properties = names.iter().map(|name| ((*name).to_owned(), of("Number")));
    object(Value::Object(properties.collect()))
}

fn health() -> Value {
    let own = json!({
        "status": one_of(&["ok", "degraded", "down"]),
        "reasons": list(word()),
        "clock": object(json!({ "skew_ms": integer() })),
        "storage": object(json!({ "lock": one_of(&["held", "released"]), "free_bytes": of("Number") })),
        "actors": object(json!({
            "total": of("Number"), "running": of("Number"), "restarting": of("Number"), "failed": of("Number"), "restarts_1h": of("Number"),
        })),
        "chains": { "type": "object", "additionalProperties": of("ChainHealth") },
    });
    let mut health = object(joined(chain(), own));
    // Left out while there are none.
    if let Value::Array(required) = &mut health["required"] {
        required.retain(|name| name != "reasons");
    }
    health
}

fn chain() -> Value {
    json!({
        "blockchain": object(json!({
            "height": of("Number"), "latest_block_hash": of("Hash"), "latest_block_time": of("Time"), "chain_id": of("Number"),
        })),
        "consensus": of("Consensus"),
        "sync": of("Sync"),
        "p2p": object(json!({ "listening": flag(), "self_dial_ok": flag(), "peers": of("Number") })),
        "mempool": of("Pool"),
        "blobs": object(json!({ "undecided": of("Number") })),
    })
}

fn consensus() -> Value {
    let last_signed = object(json!({ "height": of("Number"), "round": of("Number"), "step": word() }));
    object(json!({
        "height": of("Number"),
        "round": of("Number"),
        "step": word(),
        "validator": flag(),
        "signing": one_of(&["enabled", "sync-only", "observing", "refused", "halted", "none"]),
        "last_signed": maybe(last_signed),
        "stalled_seconds": of("Number"),
        "power_online": of("Number"),
        "power_needed": of("Number"),
    }))
}
