//! `status` and `wait`: a look at a running node.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    arguments::{Remote, Wait},
    printer::Printer,
};
use crate::{
    client::{Client, ClientError},
    exit::Failure,
};

/// How often `wait` asks.
const ASK_INTERVAL: Duration = Duration::from_millis(100);
/// How often it says what it saw.
const SAY_INTERVAL: Duration = Duration::from_secs(1);

/// `axolotl status`.
pub async fn status(node: &Remote, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let health = Client::new(&node.rpc)?.get_json("/health").await?;
    if health.get("status").is_none() {
        let failure = Failure::runtime("the answer is not an Axolotl node's").at(format!("{}/health", node.rpc));
        return Err(failure.remedy("name the RPC port of an Axolotl node with --rpc"));
    }
    printer.print(&health, || status_text(&health))
}

/// The health document for people. What is missing is shown as such: a node of another version still has a status.
fn status_text(health: &Value) -> String {
    let show = |path: &str| match health.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "?".to_owned(),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![format!("status     {}", show("/status"))];
    for reason in health["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        lines.push(format!("           {reason}"));
    }
    lines.extend([
        format!("height     {} ({})", show("/blockchain/height"), show("/blockchain/latest_block_hash")),
        format!("chain id   {}", show("/blockchain/chain_id")),
        format!("consensus  height {}, round {}, {}", show("/consensus/height"), show("/consensus/round"), show("/consensus/step")),
        format!("signing    {}", show("/consensus/signing")),
        format!("power      {} online, {} needed", show("/consensus/power_online"), show("/consensus/power_needed")),
        format!("peers      {}", show("/p2p/peers")),
        format!("sync       {}, {} behind", show("/sync/state"), show("/sync/behind")),
        format!("mempool    {} pending, {} queued", show("/mempool/pending"), show("/mempool/queued")),
        format!(
            "actors     {} of {} running, {} restarts within the hour",
            show("/actors/running"),
            show("/actors/total"),
            show("/actors/restarts_1h")
        ),
    ]);
    lines.join("\n")
}

/// What `wait` last saw.
#[derive(Default)]
struct Seen {
    height: Option<u64>,
    peers: Option<u64>,
    trouble: Option<ClientError>,
}

/// `axolotl wait`.
pub async fn wait(arguments: &Wait, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let client = Client::new(&arguments.node.rpc)?;
    let began = Instant::now();
    let mut seen = Seen::default();
    let mut said = None;
    loop {
        let left = arguments.timeout.saturating_sub(began.elapsed());
        // An answer that does not come in time leaves what was seen before.
        let _ = tokio::time::timeout(left, look(&client, &mut seen)).await;
        if seen.height.is_some_and(|height| height >= arguments.height) {
            let waited_ms = began.elapsed().as_millis() as u64;
            let data = json!({ "reached": true, "height": seen.height, "peers": seen.peers, "waited_ms": waited_ms });
            return printer.print(&data, || format!("reached: {}", seen.text(arguments.height)));
        }
        if arguments.timeout <= began.elapsed() {
            return Err(seen.timed_out(arguments));
        }
        if said.is_none_or(|at: Instant| at.elapsed() >= SAY_INTERVAL) {
            printer.note(&seen.text(arguments.height));
            said = Some(Instant::now());
        }
        tokio::time::sleep(ASK_INTERVAL.min(arguments.timeout.saturating_sub(began.elapsed()))).await;
    }
}

async fn look(client: &Client, seen: &mut Seen) {
    match client.height().await {
        Ok(height) => {
            seen.height = Some(height);
            seen.trouble = None;
        }
        Err(error) => seen.trouble = Some(error),
    }
    if let Ok(health) = client.get_json("/health").await {
        seen.peers = health.pointer("/p2p/peers").and_then(Value::as_u64).or(seen.peers);
    }
}

impl Seen {
    fn text(&self, wanted: u64) -> String {
        match (&self.trouble, self.height) {
            (Some(trouble), _) => trouble.to_string(),
            (None, None) => format!("height ? of {wanted}"),
            (None, Some(height)) => format!("height {height} of {wanted}, {} peers", self.peers.map_or("?".to_owned(), |peers| peers.to_string())),
        }
    }

    fn timed_out(&self, arguments: &Wait) -> Failure {
        let limit = humantime::format_duration(arguments.timeout);
        let mut failure = Failure::runtime(format!("height {} was not reached within {limit}", arguments.height));
        failure = failure.at(format!("{}: {}", arguments.node.rpc, self.text(arguments.height)));
        if let (Some(_), Some(height)) = (&self.trouble, self.height) {
            failure = failure.at(format!("before that: height {height}"));
        }
        failure.remedy(format!("`axolotl status --rpc {}` says how the node is", arguments.node.rpc))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        cli::arguments::{Format, Output},
        client::tests::node,
        exit::ExitCode,
    };
    use std::sync::atomic::{AtomicU64, Ordering};

    async fn waited(url: String, height: u64, timeout_ms: u64) -> (Result<(), Failure>, String) {
        let mut out = Vec::new();
        let arguments =
            Wait { node: Remote { rpc: url, format: Format { output: Output::Text } }, height, timeout: Duration::from_millis(timeout_ms) };
        let result = wait(&arguments, &mut Printer { output: Output::Text, out: &mut out }).await;
        (result, String::from_utf8(out).unwrap())
    }

    fn growing() -> impl Fn(&str) -> String + Send + 'static {
        let height = AtomicU64::new(0);
        move |request| match request.starts_with("GET /health") {
            true => json!({ "status": "ok", "p2p": { "peers": 3 } }).to_string(),
            false => json!({ "result": format!("{:#x}", height.fetch_add(1, Ordering::SeqCst)) }).to_string(),
        }
    }

    #[tokio::test]
    async fn waiting_ends_when_the_height_is_there() {
        let (url, _task) = node(growing()).await;
        let (result, said) = waited(url, 2, 60_000).await;
        assert_eq!(result, Ok(()));
        assert!(said.contains("height 0 of 2, 3 peers") && said.contains("reached: height 2 of 2, 3 peers"), "{said}");
    }

    #[tokio::test]
    async fn waiting_too_long_is_exit_code_1_with_what_was_seen() {
        let (url, _task) = node(growing()).await;
        let failure = waited(url, 1_000_000, 300).await.0.unwrap_err();
        assert_eq!(failure.code, ExitCode::Runtime);
        assert!(failure.at[0].contains("of 1000000, 3 peers"), "{failure}");
    }

    #[tokio::test]
    async fn waiting_for_nobody_says_so() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failure = waited(format!("http://{free}"), 1, 200).await.0.unwrap_err();
        assert!(failure.at[0].contains("nobody answers"), "{failure}");
    }

    #[tokio::test]
    async fn a_status_that_lacks_parts_is_still_shown() {
        let text = status_text(&json!({ "status": "degraded", "reasons": ["storage is slow"], "blockchain": { "height": 7 } }));
        assert!(text.starts_with("status     degraded\n           storage is slow\nheight     7 (?)"), "{text}");
    }
}
