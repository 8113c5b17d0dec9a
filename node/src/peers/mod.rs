//! The peer book as its operator sees it, on a running node and on a stopped home alike.
//!
//! ```text
//!   axolotl peers --> AdminClient --> admin listener --> PeerDesk --> the book of the running node
//!                 \-> Stopped (takes the home's lock) -> PeerDesk --> the book on disk
//! ```

mod bundle;
mod desk;
mod stopped;

pub use bundle::{BadBundle, Bundle, BundleEntry};
pub use desk::{Imported, Mode, PeerDesk, PeerLine, PeersPage, Unwanted};
pub use stopped::Stopped;
