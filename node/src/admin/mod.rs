//! What changes a running node: a listener of its own, on loopback, for whoever can read the token in the home.
//!
//! | request                          | answer                                                                           |
//! |----------------------------------|----------------------------------------------------------------------------------|
//! | `GET /actors`                    | the tree as it is now                                                            |
//! | `GET /actors/{path}`             | one actor, and what happened to it last                                          |
//! | `GET /events?after=N&wait=5s`    | what happened after event `N`, one JSON object per line; waits for the first one |
//! | `GET /wire?after=N&wait=5s`      | frames of the links after frame `N`, likewise; `peer=0x1f`, `kind=ping`, `full`  |
//! | `POST /actors/{path}/restart`    | its message in hand is finished, then it is replaced; `suspend` and `resume` likewise |
//! | `POST /actors/{path}/kill`       | it is ended without being asked; only with `chaos.enabled`                       |
//! | `POST /actors/{path}/panic` ...  | a fault in the message it handles next, or a flood; only with `chaos.enabled`    |
//! | `POST /faults`                   | the same in full, as `supervision::FaultInjection` has it                        |
//! | `DELETE /faults/{path}`          | takes back what has not struck yet                                               |
//! | `GET /peers`, `GET /peers/{id}`  | the peer book; one node of it                                                    |
//! | `POST /peers`                    | stays connected to `{"address":"nodeid@host:port"}` from now on                   |
//! | `GET /peers/bundle`              | the peer book to hand on; `POST` with `?mode=merge` or `replace` takes one in      |
//! | `POST /peers/{id}/ban?for=24h`   | neither dials it nor lets it in until then; `unban` lifts it                     |
//!
//! Every request carries `Authorization: Bearer <token>`. Errors are `{"error":{"code":..,"message":..}}`.
//!
//! ```text
//!   axolotl actors --> Client --HTTP, 127.0.0.1:3039--> AdminDoor --> guard --> Route --> Desk --> the tree
//! ```
//!
//! The door has a thread of its own: it answers while the API is suspended, while the supervisor is stuck, and while every
//! thread of the node's runtime is blocked.

mod client;
mod deed;
mod desk;
mod door;
mod guard;
mod near;
mod peers;
mod place;
mod provocation;
mod refusal;
mod route;
mod tap;
mod token;

pub use client::{AdminClient, AdminError};
pub use deed::{Deed, Order};
pub use desk::{ActorPage, Desk, TreePage};
pub use door::AdminDoor;
pub use place::Place;
pub use provocation::{Provocation, Wish};
pub use tap::TapRequest;
pub use token::Token;
