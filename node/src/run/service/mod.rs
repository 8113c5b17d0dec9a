//! What the service manager that started this process hears of it, in systemd's notification protocol.
//!
//! | while it  | it says                                          | when                                              |
//! |-----------|--------------------------------------------------|---------------------------------------------------|
//! | starts    | `STATUS`, `EXTEND_TIMEOUT_USEC`                  | at once, then every `EXTEND_EVERY`                |
//! | runs      | `READY=1` with the first `STATUS`, then `STATUS` | looked at every `STATUS_EVERY`, said when new     |
//! | stops     | `STOPPING=1`, `STATUS`, `EXTEND_TIMEOUT_USEC`    | at the first signal, then every `EXTEND_EVERY`    |
//! | turns     | `WATCHDOG=1`                                     | at half of `WATCHDOG_USEC`, by the watchdog       |
//!
//! Without `NOTIFY_SOCKET` nothing is said. Starts and stops have limits of their own, so the manager's is extended as long as they last.

mod socket;
mod standing;

use std::{
    convert::Infallible,
    fmt::Write,
    time::{Duration, Instant},
};

use sd_notify::NotifyState::{self, ExtendTimeoutUsec, Ready, Status, Stopping, Watchdog};
use tokio::time::MissedTickBehavior;

use self::socket::Socket;
pub use self::standing::Standing;

/// How often the manager hears that a start or a stop goes on.
const EXTEND_EVERY: Duration = Duration::from_secs(5);
/// How much longer it is then to wait.
const EXTEND_BY_USEC: u32 = 30_000_000;
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Variables of the environment that are meant for this process alone, not for those it starts.
pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// The service manager, if there is one.
#[derive(Clone, Debug, Default)]
pub struct Service {
    socket: Option<Socket>,
    /// Within which time it wants to hear that we are alive.
    watchdog: Option<Duration>,
}

impl Service {
    /// As the environment has it.
    pub fn of(environment: &[(String, String)]) -> Self {
        let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        // An address that is none leads to nobody, which is no reason not to run.
        let socket = value(VARIABLES[0]).filter(|name| !name.is_empty()).and_then(|name| Socket::at(name).ok());
        let is_ours = value(VARIABLES[2]).is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let usec = value(VARIABLES[1]).filter(|_| is_ours && socket.is_some()).and_then(|usec| usec.parse().ok());
        let watchdog = usec.filter(|usec| *usec > 0).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// Whether anybody listens.
    pub fn listens(&self) -> bool {
        self.socket.is_some()
    }

    /// Within which time the manager wants to hear that we are alive.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Says that this process starts, for so long as `work` takes.
    pub async fn starting<T>(&self, work: impl Future<Output = T>) -> T {
        self.meanwhile(&[Status("starting"), ExtendTimeoutUsec(EXTEND_BY_USEC)], work).await
    }

    /// Says that this process stops, for so long as `work` takes.
    pub async fn stopping<T>(&self, cause: &str, work: impl Future<Output = T>) -> T {
        let status = format!("stopping: {}", one_line(cause));
        self.meanwhile(&[Stopping, Status(&status), ExtendTimeoutUsec(EXTEND_BY_USEC)], work).await
    }

    /// Says that this process is ready, and from then on how it stands.
    pub async fn running(&self, mut look: impl FnMut() -> Standing) -> Infallible {
        if !self.listens() {
            return std::future::pending().await;
        }
        let mut bulletin = self.bulletin();
        let mut every = tokio::time::interval(STATUS_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            bulletin.renew(&look());
        }
    }

    /// What [`running`](Self::running) says, one look at a time.
    pub fn bulletin(&self) -> Bulletin<'_> {
        Bulletin { service: self, heard: None }
    }

    /// What feeds the manager's watchdog: to be called often while we are alive; says so at half of its time.
    pub fn feeder(&self) -> impl FnMut() + Send + 'static {
        let service = self.clone();
        let mut fed: Option<Instant> = None;
        move || {
            let Some(limit) = service.watchdog else { return };
            let is_due = fed.is_none_or(|fed| limit / 2 <= fed.elapsed());
            if is_due && service.say(&[Watchdog]) {
                fed = Some(Instant::now());
            }
        }
    }

    async fn meanwhile<T>(&self, words: &[NotifyState<'_>], work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            // At least once, however short the work is.
            self.say(words);
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(EXTEND_EVERY) => {}
            }
        }
    }

    /// Whether it was heard, or nobody listens.
    fn say(&self, words: &[NotifyState<'_>]) -> bool {
        let Some(socket) = &self.socket else { return true };
        let text = words.iter().fold(String::new(), |mut text, word| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{word}");
            text
        });
        let sent = socket.send(&text);
        if let Err(error) = &sent {
            tracing::debug!(%error, "the service manager did not hear");
        }
        sent.is_ok()
    }
}

/// What the manager has heard of a process that runs. Nothing is said twice, and what was not heard is said again.
pub struct Bulletin<'a> {
    service: &'a Service,
    heard: Option<String>,
}

impl Bulletin<'_> {
    /// Says how this process stands, if that is new; the first time also that it is ready.
    pub fn renew(&mut self, standing: &Standing) {
        let text = one_line(&standing.to_string());
        if self.heard.as_ref() == Some(&text) {
            return;
        }
        let words = [Ready, Status(&text)];
        let words = if self.heard.is_none() { &words[..] } else { &words[1..] };
        if self.service.say(words) {
            self.heard = Some(text);
        }
    }
}

/// A line break would begin another word of the protocol.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests;
