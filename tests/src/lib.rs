//! The product tested from outside: the short tests are in `tests/it`, long campaigns and measurements are here.
//!
//! ```text
//!   Network ---- processes, SIGKILL, their logs ----> History      which block, on whom, when
//!   Fabric ----- the network between them, with weather
//!   Load ------- transfers, acknowledgements -------> History      what became final
//!   Observer --- a peer without a vote -------------> every vote and proposal that was heard, held against each other
//!   stranger --- bytes made by hand ---------------> whether a peer that does no good does any harm
//!   fuzz ------- what nobody should send ---------> whether each answer is by the book
//!   fuzz_wire -- damaged bytes -----------------> splitter, decoders, handshake
//!   campaigns -> Report                                            a table, or JSON
//! ```
//!
//! A campaign fails when safety is in doubt, never because something was slow. Binary `axolotl-under-test` is `axolotl` under
//! another name.

pub mod campaigns;
pub mod command;
mod disk;
mod fabric;
mod failing_sync;
mod free_ports;
mod fuzz;
pub mod fuzz_wire;
mod history;
mod load;
mod network;
mod observer;
mod process;
mod report;
mod small_disk;
mod stranger;
mod transfer;
mod validator;
mod wait;

use node::figures::{statistics, table};

pub use fabric::{Carrier, Fabric, Weather};
pub use history::{Commit, History};
pub use load::{Load, LoadReport};
pub use network::{Further, Network, Plan};
pub use observer::Observer;
pub use report::Report;
pub use stranger::{Liar, Lie};
pub use transfer::{Transfer, transfers};
pub use validator::Validator;
