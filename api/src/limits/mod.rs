//! How much one client may ask: so many requests a second of each class, and so many at once.
//!
//! A client is an IPv4 address, or the /64 of an IPv6 address, because whoever has one address of a /64 has all of them.
//!
//! | class     | what                                                                          |
//! |-----------|-------------------------------------------------------------------------------|
//! | `reads`   | everything that is looked up                                                  |
//! | `calls`   | what runs the EVM or walks over many blocks: `eth_call`, `eth_getLogs`, pages |
//! | `submits` | transactions                                                                  |
//!
//! Each call of a JSON-RPC batch counts by itself, over HTTP and WebSocket alike.

mod class;
mod client;
mod rate;
mod table;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jsonrpsee::types::ErrorObjectOwned;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};
use serde::{Deserialize, Serialize};

pub(crate) use class::Class;
pub use rate::{MalformedRate, Rate};

use crate::error::LIMIT_EXCEEDED;
use client::Client;
use table::Table;

/// Clients that are told apart; more share one allowance until somebody has been quiet for long enough.
const MAX_CLIENTS: usize = 16_384;

/// What one client of a public listener may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    pub reads: Rate,
    pub calls: Rate,
    pub submits: Rate,
    /// Whether clients on this machine are limited, too.
    pub loopback: bool,
}

impl RateLimits {
    fn of(&self, class: Class) -> Rate {
        match class {
            Class::Reads => self.reads,
            Class::Calls => self.calls,
            Class::Submits => self.submits,
        }
    }
}

/// The limits of one listener. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Limiter(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    limits: RateLimits,
    began: Instant,
    table: Mutex<Table>,
    refused: Counter<u64>,
}

/// The allowance of one client. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance(Option<(Arc<Inner>, Client)>);

/// A client has asked too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many {class} from one address: {rate} are allowed; try again in {seconds} s")]
pub(crate) struct TooMany {
    pub class: Class,
    pub rate: Rate,
    /// After so many seconds one more is allowed.
    pub seconds: u64,
}

/// What a JSON-RPC client hears besides the text.
#[derive(Serialize, Deserialize)]
struct Advice {
    retry_after_seconds: u64,
}

impl Limiter {
    /// `None` limits nobody.
    pub fn new(limits: Option<RateLimits>, meter: &Meter) -> Self {
        let refused = meter.u64_counter("api_limited_total").with_description("Requests and calls beyond their client's allowance, by class").build();
        let inner = |limits| Arc::new(Inner { limits, began: Instant::now(), table: Mutex::new(Table::new(MAX_CLIENTS)), refused });
        Self(limits.map(inner))
    }

    /// The allowance of whoever comes from `address`.
    pub fn allowance(&self, address: IpAddr) -> Allowance {
        let limited = self.0.as_ref().filter(|inner| inner.limits.loopback || !address.to_canonical().is_loopback());
        Allowance(limited.map(|inner| (inner.clone(), Client::at(address))))
    }
}

impl Inner {
    fn spend(&self, client: Client, class: Class) -> Result<(), TooMany> {
        let rate = self.limits.of(class);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = table.spend(client, class, rate, self.began.elapsed());
        drop(table);
        outcome.map_err(|wait| {
            self.refused.add(1, &[KeyValue::new("class", class.name())]);
            TooMany { class, rate, seconds: seconds(wait) }
        })
    }
}

impl Allowance {
    /// Takes one request of `class` off it.
    pub fn spend(&self, class: Class) -> Result<(), TooMany> {
        let Some((inner, client)) = &self.0 else { return Ok(()) };
        inner.spend(*client, class)
    }
}

/// Whole seconds that are long enough.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl From<TooMany> for ErrorObjectOwned {
    fn from(many: TooMany) -> Self {
        Self::owned(LIMIT_EXCEEDED, many.to_string(), Some(Advice { retry_after_seconds: many.seconds }))
    }
}

/// The seconds that `error` advises to wait, when it is about a client that asked too much.
pub(crate) fn advice(error: &ErrorObjectOwned) -> Option<u64> {
    let advice: Advice = serde_json::from_str(error.data()?.get()).ok()?;
    (error.code() == LIMIT_EXCEEDED).then_some(advice.retry_after_seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use opentelemetry::metrics::MeterProvider;

    use super::*;

    fn limiter(limits: Option<RateLimits>) -> Limiter {
        Limiter::new(limits, &opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test"))
    }

    fn limits(loopback: bool) -> Option<RateLimits> {
        let rate = |burst| Rate { per_second: 1, burst };
        Some(RateLimits { reads: rate(3), calls: rate(2), submits: rate(1), loopback })
    }

    fn allowed(limits: Option<RateLimits>, address: &str, class: Class) -> usize {
        let allowance = limiter(limits).allowance(address.parse().unwrap());
        (0..10).take_while(|_| allowance.spend(class).is_ok()).count()
    }

    #[test]
    fn each_class_has_its_own_allowance() {
        for (class, burst) in [(Class::Reads, 3), (Class::Calls, 2), (Class::Submits, 1)] {
            assert_eq!(allowed(limits(false), "192.0.2.1", class), burst);
        }
    }

    #[test]
    fn who_is_on_this_machine_is_limited_only_where_that_was_asked_for() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(allowed(limits(false), address, Class::Submits), 10, "{address}");
            assert_eq!(allowed(limits(true), address, Class::Submits), 1, "{address}");
            assert_eq!(allowed(None, address, Class::Submits), 10, "{address}");
        }
    }

    #[test]
    fn the_error_says_what_is_allowed_and_when_to_come_back() {
        let allowance = limiter(limits(false)).allowance("192.0.2.1".parse().unwrap());
        allowance.spend(Class::Submits).unwrap();
        let many = allowance.spend(Class::Submits).unwrap_err();
        assert_eq!(many.to_string(), "too many submits from one address: 1/s burst 1 are allowed; try again in 1 s");
        let error = ErrorObjectOwned::from(many);
        assert_eq!((error.code(), advice(&error)), (LIMIT_EXCEEDED, Some(1)));
        assert_eq!(advice(&ErrorObjectOwned::owned(LIMIT_EXCEEDED, "busy", None::<()>)), None);
    }
}
