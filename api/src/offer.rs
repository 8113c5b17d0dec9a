//! What a listener answers. One that the public can reach keeps what is for the operator to itself.
//!
//! | group      | what                                                                                      |
//! |------------|-------------------------------------------------------------------------------------------|
//! | `debug`    | `debug_*`: traces are the most expensive answers there are                                |
//! | `txpool`   | `txpool_content`, `_contentFrom`, `_inspect`: the pool as it stands, in one large answer   |
//! | `operator` | `/v1/actors`, `/v1/events`, `/v1/peers`, and the other addresses of the node on `GET /`   |

use std::str::FromStr;

/// The groups of methods and pages that are answered besides the usual ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub debug: bool,
    pub txpool: bool,
    pub operator: bool,
}

/// Methods of the pool that list it as it stands, with what is queued: a large answer to a small question. What comes in is no secret,
/// `eth_subscribe` streams it; `txpool_status` only counts.
const POOL_LISTS: &[&str] = &["txpool_content", "txpool_contentFrom", "txpool_inspect"];
/// Pages that show the node rather than the chain, each with all below it.
const OPERATOR_PAGES: &[&str] = &["/v1/actors", "/v1/events", "/v1/peers"];

/// The text names no group, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no group; the groups are \"debug\", \"txpool\" and \"operator\"")]
pub struct UnknownGroup;

impl Offer {
    /// Everything: for a listener that only the operator can reach.
    pub const ALL: Self = Self { debug: true, txpool: true, operator: true };
    /// The usual methods and pages alone.
    pub const USUAL: Self = Self { debug: false, txpool: false, operator: false };

    /// What this and `other` offer together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { debug: self.debug || other.debug, txpool: self.txpool || other.txpool, operator: self.operator || other.operator }
    }

    /// Whether a JSON-RPC method, known or not, may be answered.
    pub(crate) fn has_method(self, method: &str) -> bool {
        (self.debug || !method.starts_with("debug_")) && (self.txpool || !POOL_LISTS.contains(&method))
    }

    /// Whether the page at `path` may be answered.
    pub(crate) fn has_page(self, path: &str) -> bool {
        let is_at_or_below = |page: &&str| path.strip_prefix(*page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.operator || !OPERATOR_PAGES.iter().any(is_at_or_below)
    }
}

impl FromStr for Offer {
    type Err = UnknownGroup;

    /// The usual and one group.
    fn from_str(group: &str) -> Result<Self, UnknownGroup> {
        match group {
            "debug" => Ok(Self { debug: true, ..Self::USUAL }),
            "txpool" => Ok(Self { txpool: true, ..Self::USUAL }),
            "operator" => Ok(Self { operator: true, ..Self::USUAL }),
            _ => Err(UnknownGroup),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{eth::METHODS, http::ROUTES};

    #[test]
    fn a_group_opens_its_own_methods_and_pages_and_no_others() {
        let withheld = |offer: Offer| -> Vec<&str> {
            let methods = METHODS.iter().copied().filter(|method| !offer.has_method(method));
            methods.chain(ROUTES.iter().map(|(_, path)| *path).filter(|path| !offer.has_page(path))).collect()
        };
        assert_eq!(withheld(Offer::ALL), [""; 0]);
        let all = withheld(Offer::USUAL);
        assert!(all.len() == 8 + 1 + 3 + 4, "{all:?}");
        for (group, beginning, count) in [("debug", "debug_", 9), ("txpool", "txpool_", 3), ("operator", "/v1/", 4)] {
            let left = withheld(Offer::USUAL.and(group.parse().expect("it is a group")));
            assert_eq!((left.len(), left.iter().any(|name| name.starts_with(beginning))), (all.len() - count, false), "{group}");
        }
        for other in ["", "Debug", "debug,txpool", "admin"] {
            assert_eq!(other.parse::<Offer>(), Err(UnknownGroup));
        }
    }
}
