//! Requests that nobody should send, made from a seed, and whether each answer is by the book.
//!
//! ```text
//!   Interface   the methods of the registry, with the names of their parameters as the node itself tells them
//!   Chain       hashes, addresses, transactions: what valid parameters are made of
//!   valid ----> bent (missing, extra, wrong, huge) ----> Request: a call, a batch, a notification, broken bytes
//!   HttpLine, SocketLine ----> Reply ----> checked against docs/json-rpc.md
//! ```

mod bent;
mod chain;
mod checked;
mod hostile;
mod http_line;
mod interface;
mod overridden;
mod request;
mod rest;
mod socket_line;
mod valid;

pub(crate) use chain::{CONTRACTS, Chain, LOOPER, RECURSOR, RETURNER, REVERTER, contract, contract_of};
pub(crate) use checked::{Book, Reply};
pub(crate) use http_line::HttpLine;
pub(crate) use interface::Interface;
pub(crate) use request::{Expected, Request, Told};
pub(crate) use rest::{Paths, check as check_page, is_operators as is_operators_page};
pub(crate) use socket_line::SocketLine;
