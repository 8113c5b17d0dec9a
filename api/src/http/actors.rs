//! The supervision tree, and one actor of it.
//!
//! An actor is asked for by its name as the tree shows it: `/v1/actors/p2p.gossip.session/0xa5..%231`, a slash as it is or as `%2F`, a `#` as
//! `%23`. Without `#` and number it is the latest of that name.

use axum::{
    Json,
    extract::{RawQuery, State as Extract},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use supervision::Snapshot;

use super::{
    State,
    tree::{Branch, Tree, meant, nearby},
};
use crate::{
    Backend,
    config::MAX_ACTOR_EVENTS,
    happenings::Happening,
    rest::{Refusal, Segment, asks_for, cut},
};

/// One actor, those below it, and what happened to it.
#[derive(Debug, Serialize)]
struct ActorPage {
    #[serde(flatten)]
    branch: Branch,
    events: Vec<Happening>,
}

/// `GET /v1/actors`: children under their parents; with `?flat` in one list, each naming its parent.
pub(super) async fn actors<B: Backend>(Extract(state): Extract<State<B>>, RawQuery(query): RawQuery) -> Response {
    let snapshot = state.backend.actors();
    match asks_for(query.as_deref(), "flat") {
        true => Json(snapshot).into_response(),
        false => Json(Tree::from(snapshot)).into_response(),
    }
}

/// `GET /v1/actors/{path}`
pub(super) async fn actor<B: Backend>(Extract(state): Extract<State<B>>, Segment(name): Segment) -> Response {
    let snapshot = state.backend.actors();
    let Some(name) = meant(&name, &snapshot) else { return unknown(&name, &snapshot).into_response() };
    let Some(branch) = Tree::from(snapshot).find(&name) else { return unknown(&name, &state.backend.actors()).into_response() };
    let events = state.backend.happenings().map(|happenings| happenings.of(&name, MAX_ACTOR_EVENTS)).unwrap_or_default();
    Json(ActorPage { branch, events }).into_response()
}

fn unknown(name: &str, snapshot: &Snapshot) -> Refusal {
    match nearby(name, snapshot).join(", ") {
        near if near.is_empty() => Refusal::not_found("the supervision tree does not run yet; ask again in a moment"),
        near => Refusal::not_found(format!("there is no actor '{}' here; nearby are {near}", cut(&name))),
    }
}
