//! Faults by their everyday names, as the command line and short requests have them.

use serde::{Deserialize, Serialize};
use supervision::{FaultInjection, FaultKind, Strike};

/// How long a thread is blocked when nobody says how long. It always ends: a blocked thread cannot be ended from outside.
const BLOCK_MS: u64 = 5_000;
/// How late a message is when nobody says how late.
const DELAY_MS: u64 = 1_000;
/// How many messages are a flood when nobody says how many: no mailbox has room for more.
const FLOOD_MESSAGES: u32 = 100_000;

/// What should go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provocation {
    Panic,
    Error,
    Hang,
    Block,
    Delay,
    /// Its mailbox is filled at once.
    Flood,
}

/// The particulars; all have a usual value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wish {
    /// Name of the message it strikes; otherwise whichever comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long it lasts; a hang without it lasts until the actor is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// How many messages a flood has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u32>,
    /// It strikes so many starts, and no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<u32>,
}

impl Provocation {
    pub const ALL: [Self; 6] = [Self::Panic, Self::Error, Self::Hang, Self::Block, Self::Delay, Self::Flood];

    /// As it stands in paths and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Hang => "hang",
            Self::Block => "block",
            Self::Delay => "delay",
            Self::Flood => "flood",
        }
    }

    /// The fault for `child`.
    pub fn fault(self, child: &str, wish: &Wish) -> FaultInjection {
        let ms = wish.for_ms;
        let kind = match self {
            Self::Panic => FaultKind::Panic,
            Self::Error => FaultKind::Error,
            Self::Hang => FaultKind::Hang { ms },
            Self::Block => FaultKind::Block { ms: ms.unwrap_or(BLOCK_MS) },
            Self::Delay => FaultKind::Delay { ms: ms.unwrap_or(DELAY_MS) },
            Self::Flood => FaultKind::Flood { messages: wish.messages.unwrap_or(FLOOD_MESSAGES) },
        };
        let on = match (wish.starts, &wish.message) {
            (Some(times), _) => Strike::Start { times },
            (None, Some(name)) => Strike::Named(name.clone()),
            (None, None) => Strike::NextMessage,
        };
        FaultInjection { child: child.to_owned(), kind, on }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_fault_in_the_next_message_or_in_the_one_that_is_named() {
        let wish = Wish { message: Some("Submit".into()), for_ms: Some(2), ..Wish::default() };
        let usual = |what: Provocation| what.fault("mempool", &Wish::default());
        assert_eq!(usual(Provocation::Panic).on, Strike::NextMessage);
        assert_eq!(usual(Provocation::Hang).kind, FaultKind::Hang { ms: None });
        assert_eq!(usual(Provocation::Flood).kind, FaultKind::Flood { messages: FLOOD_MESSAGES });
        let starts = Wish { starts: Some(3), ..Wish::default() };
        assert_eq!(Provocation::Error.fault("mempool", &starts).on, Strike::Start { times: 3 });
        assert_eq!(usual(Provocation::Block).kind, FaultKind::Block { ms: BLOCK_MS });
        let named = Provocation::Hang.fault("mempool", &wish);
        assert_eq!((named.child.as_str(), named.kind, named.on), ("mempool", FaultKind::Hang { ms: Some(2) }, Strike::Named("Submit".into())));
    }
}
