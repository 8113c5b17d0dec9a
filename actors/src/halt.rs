//! How a part says that this process must not go on.

use std::sync::Arc;

/// Why the process must end, and with which code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Documented exit code: 74 when the disk failed, 78 when what is on it belongs to another network.
    pub exit_code: u8,
    pub reason: String,
}

/// The disk failed: what was synced cannot be told any more before the next start.
pub const EXIT_DISK_FAILED: u8 = 74;

/// The database is that of another network: no restart mends it.
pub const EXIT_OTHER_NETWORK: u8 = 78;

/// Where a [`Halt`] goes. Does not block and may be called by several at once; the first one counts.
pub type Halter = Arc<dyn Fn(Halt) + Send + Sync>;
