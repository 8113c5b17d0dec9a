//! Whether a node said of itself what was so: a rule over one probe, which looks at the actors before and after it asks.
//!
//! ```text
//!   tree, height    /readyz, /livez    height, tree
//!        |------------------------------------|
//!   what was so at both ends, in the same life, was so when the node answered
//! ```

use std::time::Duration;

use supervision::{ChildState, Snapshot};

/// What one probe of one node found.
#[derive(Clone, Debug)]
pub struct Probe {
    pub before: Snapshot,
    pub after: Snapshot,
    /// None: no answer in time.
    pub ready: Option<Answer>,
    pub alive: Option<Answer>,
    /// How long the height had not moved when it was asked, and did not until after.
    pub still: Option<Duration>,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// What a probe shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// There was something to admit.
    pub was_unwell: bool,
    pub lies: Vec<String>,
}

/// Holds what the node said against what was so. Beyond `stale_after` without a block a chain stands still.
pub fn judge(name: &str, probe: &Probe, stale_after: Duration) -> Judged {
    let down = down_throughout(&probe.before, &probe.after);
    let still = probe.still.filter(|still| stale_after < *still);
    let mut judged = Judged { was_unwell: !down.is_empty() || still.is_some(), lies: Vec::new() };
    // Who does not answer is not taken for ready.
    if let Some(ready) = &probe.ready {
        let is_green = ready.status == 200;
        for actor in &down {
            if is_green {
                judged.lies.push(format!("{name}: /readyz was green while {actor}"));
            }
        }
        if let Some(still) = still.filter(|_| !ready.body.contains("[-] height_fresh")) {
            judged.lies.push(format!("{name}: /readyz did not say that there was no block for {:.1} s", still.as_secs_f64()));
        }
    }
    match &probe.alive {
        Some(alive) if alive.status != 200 => judged.lies.push(format!("{name}: /livez answered {}", alive.status)),
        None if served_throughout(&probe.before, &probe.after) => {
            judged.lies.push(format!("{name}: /livez did not answer although its api ran"));
        }
        _ => {}
    }
    judged
}

/// Actors that handled nothing from the first look to the second, in words. A suspended one may have gone on in between.
fn down_throughout(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let is_down = |state| !matches!(state, ChildState::Running | ChildState::Suspended | ChildState::Recovering);
    let owners = before.children.iter().filter(|child| child.parent.is_none() && is_down(child.state));
    let same =
        owners.filter(|child| after.child(&child.name).is_some_and(|later| later.state == child.state && later.incarnation == child.incarnation));
    same.map(|child| format!("{} was {:?}", child.name, child.state).to_lowercase()).collect()
}

/// Whether the door for questions was open all the time.
fn served_throughout(before: &Snapshot, after: &Snapshot) -> bool {
    let life = |tree: &Snapshot| tree.child("api").filter(|api| api.state == ChildState::Running).map(|api| api.incarnation);
    life(before).is_some() && life(before) == life(after)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STALE: Duration = Duration::from_secs(10);

    fn tree(state: &str, incarnation: u64) -> Snapshot {
        let child = |name: &str, state: &str, incarnation: u64| {
            serde_json::json!({
                "name": name, "state": state, "needs": [], "after": [], "parent": null, "incarnation": incarnation, "restarts": 0, "hangs": 0,
                "last_exit": null, "mailbox_depth": 0, "mailbox_capacity": 8, "handled": 0, "dead_letters": 0, "uptime_ms": 0,
                "backoff_ms": 0, "busy_ms": 0, "busy_with": null, "waiting": false, "slow": false, "hang_limit_ms": 5_000, "exclusive": false,
                "probes": [],
            })
        };
        let children = [child("api", "running", 1), child("consensus", state, incarnation)];
        serde_json::from_value(serde_json::json!({ "name": "node", "children": children })).unwrap()
    }

    fn said(status: u16, body: &str) -> Option<Answer> {
        Some(Answer { status, body: body.to_owned() })
    }

    fn probe(before: Snapshot, after: Snapshot, ready: Option<Answer>) -> Probe {
        Probe { before, after, ready, alive: said(200, "ok"), still: None }
    }

    #[test]
    fn green_while_an_actor_is_down_is_a_lie_and_red_or_silence_is_none() {
        let down = || tree("restarting", 3);
        let judged = judge("a", &probe(down(), down(), said(200, "ok")), STALE);
        assert_eq!(judged.lies, ["a: /readyz was green while consensus was restarting"]);
        for ready in [said(503, "[-] consensus_running"), None] {
            assert_eq!(judge("a", &probe(down(), down(), ready), STALE), Judged { was_unwell: true, lies: Vec::new() });
        }
    }

    #[test]
    fn what_may_have_been_well_in_between_is_held_against_nobody() {
        for (before, after) in [
            (("restarting", 3), ("restarting", 4)),
            (("starting", 3), ("restarting", 3)),
            (("suspended", 3), ("suspended", 3)),
            (("running", 1), ("restarting", 1)),
        ] {
            let probe = probe(tree(before.0, before.1), tree(after.0, after.1), said(200, "ok"));
            assert_eq!(judge("a", &probe, STALE), Judged::default(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_chain_that_stands_still_must_be_told_as_such() {
        let at = |still: u64, ready: Option<Answer>| Probe {
            still: Some(Duration::from_secs(still)),
            ..probe(tree("running", 1), tree("running", 1), ready)
        };
        assert_eq!(judge("a", &at(9, said(200, "ok")), STALE), Judged::default());
        assert_eq!(judge("a", &at(11, said(200, "ok")), STALE).lies.len(), 1);
        assert_eq!(judge("a", &at(11, said(503, "[-] signing: off")), STALE).lies.len(), 1, "red for another reason");
        assert_eq!(judge("a", &at(11, said(503, "[-] height_fresh: ...")), STALE), Judged { was_unwell: true, lies: Vec::new() });
    }

    #[test]
    fn liveness_stays_green_as_long_as_there_is_a_door() {
        let well = || probe(tree("running", 1), tree("running", 1), said(200, "ok"));
        assert_eq!(judge("a", &Probe { alive: None, ..well() }, STALE).lies, ["a: /livez did not answer although its api ran"]);
        assert_eq!(judge("a", &Probe { alive: said(503, ""), ..well() }, STALE).lies, ["a: /livez answered 503"]);
        let mut doorless = Probe { alive: None, ..well() };
        doorless.after.children[0].incarnation = 2;
        assert_eq!(judge("a", &doorless, STALE), Judged::default());
    }
}
