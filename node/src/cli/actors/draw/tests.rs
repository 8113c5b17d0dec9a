#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::json;
use supervision::{EventKind, ExitReason};

fn child(name: &str, other: Value) -> ChildSnapshot {
    let mut child = json!({
        "name": name, "state": "running", "needs": [], "after": [], "parent": null, "incarnation": 1, "restarts": 0, "hangs": 0, "last_exit": null,
        "mailbox_depth": 0, "mailbox_capacity": 64, "handled": 5, "dead_letters": 0, "uptime_ms": 61_500, "backoff_ms": 0, "busy_ms": 0,
        "busy_with": null, "waiting": false, "slow": false, "hang_limit_ms": 5_000, "exclusive": false,
        "waiting_for": null, "suspended_by": null, "group": null, "probes": [],
    });
    let Value::Object(other) = other else { panic!("an object") };
    child.as_object_mut().unwrap().extend(other);
    serde_json::from_value(child).unwrap()
}

fn sample() -> TreePage {
    let children = vec![
        child("storage", json!({ "exclusive": true })),
        child(
            "mempool",
            json!({ "state": "restarting", "restarts": 2, "uptime_ms": 0, "backoff_ms": 180, "mailbox_depth": 7, "last_exit": "panic in Submit: injected panic" }),
        ),
        child("p2p.gossip", json!({ "busy_with": "Tick", "busy_ms": 12 })),
        child("p2p.gossip.session/7", json!({ "parent": "p2p.gossip" })),
        child("p2p.gossip.session/8", json!({ "parent": "p2p.gossip", "slow": true, "busy_with": "Deliver", "busy_ms": 2_300 })),
        child("consensus", json!({ "state": "suspended", "busy_with": "Propose", "waiting": true, "waiting_for": "execution" })),
    ];
    serde_json::from_value(json!({ "name": "validator-0", "children": children, "chaos_enabled": true })).unwrap()
}

#[test]
fn the_tree_stands_in_columns_and_sessions_hang_on_their_owner() {
    assert_eq!(
        tree(&sample(), Style::Plain),
        "\
validator-0: 4 of 6 running, 2 restarts, chaos enabled
actor                       state                 up         restarts  mailbox  doing                         last end
|- storage                  running               1 min 1 s  0         0/64     -
|- mempool                  restarting in 180 ms  -          2         7/64     -                             panic in Submit: injected panic
|- p2p.gossip               running               1 min 1 s  0         0/64     Tick for 12 ms
|  |- p2p.gossip.session/7  running               1 min 1 s  0         0/64     -
|  `- p2p.gossip.session/8  running, slow         1 min 1 s  0         0/64     Deliver for 2.3 s
`- consensus                suspended             1 min 1 s  0         0/64     Propose, waits for execution
"
    );
}

#[test]
fn only_a_terminal_gets_lines_and_colours_and_they_do_not_shift_the_columns() {
    let plain = tree(&sample(), Style::Plain);
    assert!(plain.is_ascii(), "{plain}");
    let drawn = tree(&sample(), Style::Terminal { colours: true });
    assert!(drawn.contains("├─ mempool") && drawn.contains("│  └─ p2p.gossip.session/8") && drawn.contains("\x1b[33mrestarting"), "{drawn}");
    let uncoloured = ["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"].iter().fold(drawn, |text, code| text.replace(code, ""));
    assert_eq!(uncoloured, tree(&sample(), Style::Terminal { colours: false }));
    let ascii = ["├─ ", "└─ ", "│  "].iter().zip(["|- ", "`- ", "|  "]).fold(uncoloured, |text, (line, plain)| text.replace(line, plain));
    assert_eq!(ascii, plain);
}

fn told(kind: EventKind) -> String {
    event(&Event { sequence: 3, at_ms: 12_345, child: "mempool".into(), incarnation: 2, kind })
}

#[test]
fn an_event_is_one_line_of_when_who_and_what() {
    let reason = ExitReason::Fault { error: "no".into(), during: "Submit".into(), times_in_a_row: 1 };
    assert_eq!(told(EventKind::Exited { reason }), "    12.345 s  mempool (2)  ended: fault in Submit: no");
    assert_eq!(told(EventKind::BackingOff { delay_ms: 100 }), "    12.345 s  mempool (2)  is tried again in 100 ms");
    assert_eq!(told(EventKind::Ready), "    12.345 s  mempool (2)  is ready");
}

#[test]
fn one_actor_is_told_with_its_last_events() {
    let ready = Event { sequence: 3, at_ms: 5, child: "storage".into(), incarnation: 1, kind: EventKind::Ready };
    let text = actor(&ActorPage { actor: sample().tree.children.remove(0), events: vec![ready] }, Style::Plain);
    for line in [
        "actor        storage\n",
        "mailbox      0 of 64 waiting, 5 handled, 0 dead letters\n",
        "hangs when   busy for 5.0 s\n",
        "exclusive    never two",
        "0.005 s  storage (1)  is ready\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn times_are_in_the_unit_that_tells_something() {
    assert_eq!([0, 999, 1_000, 59_999, 61_000, 3_661_000].map(span), ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 1 s", "1 h 1 min"]);
}
