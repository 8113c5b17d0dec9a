//! How a part says that this process must not go on.

use std::sync::Arc;

/// Why the process must end, and with which code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Documented exit code: 74 when the disk failed or what is on it is damaged, 75 when another process has it, 78 when it belongs
    /// to another network or to a newer program.
    pub exit_code: u8,
    pub reason: String,
}

/// The disk failed: what was synced cannot be told any more before the next start.
pub const EXIT_DISK_FAILED: u8 = 74;

/// Another process has the database open: no restart mends it.
pub const EXIT_LOCK_HELD: u8 = 75;

/// The directory is that of another network or of a newer program: no restart mends it.
pub const EXIT_CONFIG: u8 = 78;

/// Where a [`Halt`] goes. Does not block and may be called by several at once; the first one counts.
pub type Halter = Arc<dyn Fn(Halt) + Send + Sync>;
