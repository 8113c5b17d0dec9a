//! The calls that led to a panic.

use std::backtrace::{Backtrace as Captured, BacktraceStatus};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The calls that led to a panic. Kept as addresses until somebody reads it: finding their names takes longer than
/// everything else in healing.
#[derive(Clone)]
pub struct Backtrace(Calls);

#[derive(Clone)]
enum Calls {
    Captured(Arc<Captured>),
    /// By another process.
    Told(Arc<str>),
}

impl Backtrace {
    /// Of the present moment, if `RUST_BACKTRACE` asks for it.
    pub(crate) fn capture() -> Option<Self> {
        let captured = Captured::capture();
        (captured.status() == BacktraceStatus::Captured).then(|| Backtrace(Calls::Captured(Arc::new(captured))))
    }
}

impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Calls::Captured(captured) => captured.fmt(f),
            Calls::Told(text) => f.write_str(text),
        }
    }
}

// Without the calls: whoever prints a whole reason for debugging must not look up all their names.
impl fmt::Debug for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backtrace")
    }
}

impl PartialEq for Backtrace {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Calls::Captured(one), Calls::Captured(another)) if Arc::ptr_eq(one, another) => true,
            _ => self.to_string() == other.to_string(),
        }
    }
}

impl Eq for Backtrace {}

impl Serialize for Backtrace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Backtrace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Backtrace(Calls::Told(String::deserialize(deserializer)?.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_written_as_its_text_and_read_back() {
        let captured = Backtrace(Calls::Captured(Arc::new(Captured::force_capture())));
        assert!(captured.to_string().contains("a_backtrace_is_written_as_its_text_and_read_back"));
        let json = serde_json::to_string(&captured).expect("text");
        let told: Backtrace = serde_json::from_str(&json).expect("text");
        assert_eq!(told, captured);
    }
}
