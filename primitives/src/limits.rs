//! Hard ceilings that peers must agree on. Parameters of a genesis move below them.

/// Validators in one set.
pub const MAX_VALIDATORS: usize = 1_000;
/// Total voting power of one set.
pub const MAX_TOTAL_POWER: u64 = u64::MAX / 8;
/// A block with its metadata, in bytes.
pub const MAX_BODY_BYTES: usize = 32 << 20;
/// A transaction in its EIP-2718 form, in bytes, without blobs.
pub const MAX_TRANSACTION_BYTES: usize = 128 << 10;
/// Payload of one chunk of a stream, in bytes.
pub const MAX_CHUNK_BYTES: usize = 60 << 10;
/// One encoded frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 128 << 10;
/// A body of at most this many bytes rides in the journal's own group instead of being synced by itself.
pub const MAX_JOURNALLED_BODY_BYTES: usize = 64 << 10;
/// Messages of the next height kept for each validator until that height starts.
pub const MAX_FUTURE_MESSAGES_PER_VALIDATOR: usize = 32;
/// Gas limit of a block.
pub const MAX_GAS_LIMIT: u64 = 10_000_000_000;
/// How far a block's timestamp may be ahead of our clock before it is held back, in milliseconds.
pub const MAX_TIMESTAMP_AHEAD_MS: u64 = 5_000;
/// Undecided blocks executed at one height.
pub const MAX_OVERLAYS_PER_HEIGHT: usize = 4;
