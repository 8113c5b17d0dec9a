//! What was measured for `/health`, component by component: the body of `application/health+json`.
//!
//! The form is that of draft-inadarei-api-health-check: `pass`, `warn` and `fail` are our `ok`, `degraded` and `down`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{Health, Status, UnixSeconds};

/// The media type that is asked for and answered.
pub(crate) const HEALTH_JSON: &str = "application/health+json";

/// One thing that was measured, and what it says of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Component and measurement: `consensus:stalled`.
    pub name: &'static str,
    pub kind: ComponentType,
    pub value: Value,
    /// None for a word.
    pub unit: Option<&'static str>,
    pub status: Status,
    /// Why it is not `ok`, in one sentence; empty when it is.
    pub reason: String,
}

/// What sort of thing a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentType {
    /// A part of this node.
    Component,
    /// Where it keeps things.
    Datastore,
    /// The machine or the network around it.
    System,
}

/// A whole answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    status: &'static str,
    version: &'static str,
    release_id: String,
    description: String,
    /// Why it is not `pass`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    checks: BTreeMap<&'static str, [Reading; 1]>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reading {
    component_type: ComponentType,
    observed_value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_unit: Option<&'static str>,
    status: &'static str,
    time: UnixSeconds,
    #[serde(skip_serializing_if = "String::is_empty")]
    output: String,
}

impl Report {
    /// `version` is that of the software.
    pub fn new(health: Health, version: String, time: UnixSeconds) -> Self {
        let reading = |check: Check| Reading {
            component_type: check.kind,
            observed_value: check.value,
            observed_unit: check.unit,
            status: word(check.status),
            time,
            output: check.reason,
        };
        Self {
            status: word(health.status),
            version: "1",
            release_id: version,
            description: format!("a node of chain {}", health.chain.blockchain.chain_id),
            notes: health.reasons,
            checks: health.checks.into_iter().map(|check| (check.name, [reading(check)])).collect(),
        }
    }
}

/// The status of all, and why it is no better one: what is down first.
pub fn sum_up(checks: &[Check]) -> (Status, Vec<String>) {
    let reasons_of = |status: Status| checks.iter().filter(move |check| check.status == status).map(|check| check.reason.clone());
    let mut reasons: Vec<String> = reasons_of(Status::Down).collect();
    let is_down = !reasons.is_empty();
    reasons.extend(reasons_of(Status::Degraded));
    let status = match (is_down, reasons.is_empty()) {
        (true, _) => Status::Down,
        (false, false) => Status::Degraded,
        (false, true) => Status::Ok,
    };
    (status, reasons)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "pass",
        Status::Degraded => "warn",
        Status::Down => "fail",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status, reason: &str) -> Check {
        Check { name: "a:b", kind: ComponentType::Component, value: 1.into(), unit: None, status, reason: reason.to_owned() }
    }

    #[test]
    fn the_worst_check_is_the_status_and_its_reason_comes_first() {
        use Status::{Degraded, Down, Ok};
        assert_eq!(sum_up(&[check(Ok, ""), check(Ok, "")]), (Ok, vec![]));
        assert_eq!(sum_up(&[check(Ok, ""), check(Degraded, "slow")]), (Degraded, vec!["slow".to_owned()]));
        assert_eq!(sum_up(&[check(Degraded, "slow"), check(Down, "dead")]), (Down, vec!["dead".to_owned(), "slow".to_owned()]));
    }
}
