//! What a request costs.

use std::fmt;

use http::Method;

/// Requests that share an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Reads,
    Calls,
    Submits,
}

/// Methods, and groups of methods by how they begin, that run the EVM or walk over many blocks or transactions.
const CALLS: &[&str] = &[
    "debug_",
    "eth_call",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_getBlockReceipts",
    "eth_getFilter",
    "eth_getLogs",
    "eth_getProof",
    "eth_simulate",
    "eth_subscribe",
    "txpool_",
];

impl Class {
    /// The classes in the order of [`Class::index`].
    pub const COUNT: usize = 3;

    pub fn index(self) -> usize {
        self as usize
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Calls => "calls",
            Self::Submits => "submits",
        }
    }

    /// The class of a JSON-RPC method, known or not.
    pub fn of_method(method: &str) -> Self {
        if method.starts_with("eth_sendRawTransaction") {
            return Self::Submits;
        }
        if CALLS.iter().any(|beginning| method.starts_with(beginning)) { Self::Calls } else { Self::Reads }
    }

    /// The class of an HTTP request; none where its content is counted instead, call by call, and for probes.
    pub fn of_request(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/") => None,
            // Who asks whether the node is well shares an address with those who ask it for other things.
            (&Method::GET | &Method::HEAD, "/livez" | "/readyz" | "/health") => None,
            (&Method::POST, "/v1/transactions") => Some(Self::Submits),
            (_, "/v1/blocks" | "/v1/evidence") => Some(Self::Calls),
            _ => Some(Self::Reads),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_costs_what_it_does() {
        for (method, class) in [
            ("eth_blockNumber", Class::Reads),
            ("eth_getBalance", Class::Reads),
            ("eth_nothing", Class::Reads),
            ("eth_call", Class::Calls),
            ("eth_estimateGas", Class::Calls),
            ("debug_getRawBlock", Class::Calls),
            ("eth_getFilterLogs", Class::Calls),
            ("eth_sendRawTransaction", Class::Submits),
            ("eth_sendRawTransactionSync", Class::Submits),
        ] {
            assert_eq!(Class::of_method(method), class, "{method}");
        }
    }

    #[test]
    fn json_rpc_is_counted_by_its_calls_and_everything_else_by_its_requests() {
        assert_eq!(Class::of_request(&Method::POST, "/"), None);
        assert_eq!(Class::of_request(&Method::GET, "/readyz"), None);
        assert_eq!(Class::of_request(&Method::GET, "/"), Some(Class::Reads));
        assert_eq!(Class::of_request(&Method::POST, "/v1/transactions"), Some(Class::Submits));
        assert_eq!(Class::of_request(&Method::GET, "/v1/blocks"), Some(Class::Calls));
        assert_eq!(Class::of_request(&Method::GET, "/v1/blocks/1"), Some(Class::Reads));
    }
}
