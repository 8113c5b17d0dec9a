//! What a person sees: the table of a new network, the living line, the receipt. Functions of plain values.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{development, genesis_file, home::Fresh, launch::Launch, localnet::Localnet};

/// Plain lines come at most this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(1);
const ACCOUNTS_SHOWN: u32 = 10;

/// What is printed when a network starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Banner {
    pub chain_id: u64,
    pub genesis_hash: String,
    /// "4 validators tolerate 1 fault".
    pub fault_tolerance: String,
    pub rows: Vec<Row>,
    /// Funded development accounts, checksummed.
    pub accounts: Vec<String>,
    /// Secret key of the first of them, known to everybody.
    pub first_key: String,
    /// How many ether each has.
    pub balance_ether: String,
}

/// One node of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub name: String,
    pub rpc: String,
    pub p2p: String,
    pub metrics: String,
    pub data: PathBuf,
}

impl Banner {
    pub fn of(net: &Localnet) -> Self {
        let row = |node: &Launch| Row {
            name: node.name.clone(),
            rpc: format!("http://{}", node.config.rpc.listen),
            p2p: node.config.p2p.listen.to_string(),
            metrics: format!("http://{}/metrics", node.config.metrics.listen),
            data: node.home.root().to_owned(),
        };
        let first = development::account_key(0);
        let balance = net.genesis.alloc.get(&first.address()).map(|account| account.balance).unwrap_or_default();
        Self {
            chain_id: net.genesis.chain_id,
            genesis_hash: net.genesis.hash().to_string(),
            fault_tolerance: genesis_file::fault_tolerance(&net.genesis.validators),
            rows: net.nodes.iter().map(row).collect(),
            accounts: (0..ACCOUNTS_SHOWN).map(|index| development::account_key(index).address().to_checksum(None)).collect(),
            first_key: format!("0x{}", hex::encode(first.expose())),
            balance_ether: (balance / primitives::U256::from(10).pow(primitives::U256::from(18))).to_string(),
        }
    }
}

/// The table, the accounts, and what to try next.
pub fn banner(banner: &Banner) -> String {
    let mut text = table(&banner.rows);
    text.push_str(&format!("\nchain id  {}\ngenesis   {}\nfaults    {}\n", banner.chain_id, banner.genesis_hash, banner.fault_tolerance));
    text.push_str(&format!(
        "\nFunded accounts, {} ether each. DEVELOPMENT ONLY: everybody has the keys of\n\"{}\"\n",
        banner.balance_ether,
        development::MNEMONIC
    ));
    for (index, account) in banner.accounts.iter().enumerate() {
        text.push_str(&format!("  ({index}) {account}\n"));
    }
    if let (Some(row), [_, second, ..]) = (banner.rows.first(), banner.accounts.as_slice()) {
        text.push_str(&format!(
            "\nTry next\n  curl -s -H 'content-type: application/json' -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}}' {rpc}\n  cast send --rpc-url {rpc} --private-key {key} {second} --value 1ether\n  curl -s {rpc}/health\n  axolotl actors --home {network}\n",
            rpc = row.rpc,
            key = banner.first_key,
            network = row.data.parent().unwrap_or(&row.data).display(),
        ));
    }
    text.push_str("\nCtrl-C stops in order. The same command resumes; --fresh-start begins anew.\n");
    text
}

fn table(rows: &[Row]) -> String {
    let head = ["validator", "RPC", "P2P", "metrics", "data"].map(str::to_owned);
    let lines: Vec<[String; 5]> =
        rows.iter().map(|row| [row.name.clone(), row.rpc.clone(), row.p2p.clone(), row.metrics.clone(), row.data.display().to_string()]).collect();
    let width = |column: usize| lines.iter().chain([&head]).map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for line in [&head].into_iter().chain(&lines) {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// What a fresh start took away, and where the rest is; empty when nothing was there.
pub fn fresh_start(homes: &[Fresh]) -> String {
    if homes.iter().all(Fresh::is_idle) {
        return String::new();
    }
    let deleted: Vec<_> = homes.iter().flat_map(|home| &home.deleted).map(|path| format!("  {}", path.display())).collect();
    let mut lines = vec!["Fresh start. Keys, configurations and peers stay; these are deleted for good:".to_owned()];
    lines.extend(if deleted.is_empty() { vec!["  nothing".to_owned()] } else { deleted });
    let archived: Vec<_> = homes.iter().filter_map(|home| home.archived.as_ref()).collect();
    if !archived.is_empty() {
        lines.push("What the keys have signed was moved, and nothing of it is lost:".to_owned());
    }
    lines.extend(archived.iter().map(|path| format!("  Deleted sign state for fresh start (archived at {})", path.display())));
    lines.join("\n") + "\n"
}

/// What a node says of itself before it runs.
pub fn introduction(launch: &Launch) -> String {
    let Launch { name, genesis, config, home, .. } = launch;
    format!(
        "{name}: chain id {}, genesis {}\nrpc http://{}, p2p {}, home {}\nthis node is {}",
        genesis.chain_id,
        genesis.hash(),
        config.rpc.listen,
        config.p2p.listen,
        home.root().display(),
        launch.role()
    )
}

/// How the chain is going.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub height: u64,
    pub round: u32,
    /// None before the first block of this run.
    pub since_block: Option<Duration>,
    pub transactions_per_second: f64,
    pub peers: usize,
}

/// One line of it.
pub fn progress_line(progress: &Progress) -> String {
    let since = progress.since_block.map_or("no block yet".to_owned(), |since| format!("last block {:.1} s ago", since.as_secs_f64()));
    let Progress { height, round, transactions_per_second, peers, .. } = progress;
    format!("height {height}  round {round}  {since}  {transactions_per_second:.1} tx/s  peers {peers}")
}

/// The living line: rewritten in place on a terminal, otherwise a plain line when something happened, once a second at most.
#[derive(Debug)]
pub struct LiveLine {
    bar: Option<ProgressBar>,
    printed: Option<(Instant, u64)>,
}

impl LiveLine {
    /// A line on stdout.
    pub fn new() -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, indicatif::ProgressDrawTarget::stdout());
            bar.with_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Self { bar, printed: None }
    }

    /// Shows `progress`; plain lines go to `out`.
    pub fn show(&mut self, progress: &Progress, now: Instant, out: &mut dyn Write) {
        let line = progress_line(progress);
        if let Some(bar) = &self.bar {
            bar.set_message(line);
            bar.tick();
            return;
        }
        let is_due = self.printed.is_none_or(|(at, height)| height != progress.height && now.duration_since(at) >= PLAIN_INTERVAL);
        if is_due {
            self.printed = Some((now, progress.height));
            // Whoever closed the pipe does not want the lines.
            let _ = writeln!(out, "{line}");
        }
    }

    /// Leaves the last line standing.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

impl Default for LiveLine {
    fn default() -> Self {
        Self::new()
    }
}

/// How a node stopped; also written to `data/last-shutdown.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    pub node: String,
    pub cause: String,
    pub took_ms: u64,
    /// In the order in which they stopped.
    pub actors: Vec<StoppedActor>,
    pub leases_left: usize,
    pub lock_released: bool,
}

/// One actor of a [`Receipt`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoppedActor {
    pub name: String,
    pub took_ms: u64,
    /// It did not stop within its limit.
    pub late: bool,
}

/// The receipt as a person reads it.
pub fn receipt(receipt: &Receipt) -> String {
    let mut text = format!("{} stopped in {} ms ({})\n", receipt.node, receipt.took_ms, receipt.cause);
    let width = receipt.actors.iter().map(|actor| actor.name.len()).max().unwrap_or_default();
    for actor in &receipt.actors {
        let late = if actor.late { "  late" } else { "" };
        text.push_str(&format!("  {:<width$}  {:>6} ms{late}\n", actor.name, actor.took_ms));
    }
    let lock = if receipt.lock_released { "lock released" } else { "LOCK STILL HELD" };
    text.push_str(&format!("  leases left {}, {lock}\n", receipt.leases_left));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample() -> Banner {
        let row = |index: usize| Row {
            name: format!("validator-{index}"),
            rpc: format!("http://127.0.0.1:{}", 3_030 + 10 * index),
            p2p: format!("127.0.0.1:{}", 4_130 + 10 * index),
            metrics: format!("http://127.0.0.1:{}/metrics", 9_090 + 10 * index),
            data: format!("axolotl-localnet/validator-{index}").into(),
        };
        Banner {
            chain_id: 1_337,
            genesis_hash: "0xabcd".into(),
            fault_tolerance: "2 validators tolerate no fault".into(),
            rows: vec![row(0), row(1)],
            accounts: vec!["0xA".into(), "0xB".into()],
            first_key: "0xkey".into(),
            balance_ether: "10000".into(),
        }
    }

    #[test]
    fn the_table_stands_in_columns() {
        let text = table(&sample().rows);
        assert_eq!(
            text,
            "validator    RPC                    P2P             metrics                        data\n\
             validator-0  http://127.0.0.1:3030  127.0.0.1:4130  http://127.0.0.1:9090/metrics  axolotl-localnet/validator-0\n\
             validator-1  http://127.0.0.1:3040  127.0.0.1:4140  http://127.0.0.1:9100/metrics  axolotl-localnet/validator-1\n"
        );
    }

    #[test]
    fn the_banner_says_what_to_try_next_and_that_the_keys_are_no_secret() {
        let text = banner(&sample());
        for part in [
            "chain id  1337",
            "genesis   0xabcd",
            "2 validators tolerate no fault",
            "DEVELOPMENT ONLY",
            "test test test test test test test test test test test junk",
            "(1) 0xB",
            "curl -s -H 'content-type: application/json' -d '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}' http://127.0.0.1:3030\n",
            "cast send --rpc-url http://127.0.0.1:3030 --private-key 0xkey 0xB --value 1ether\n",
            "http://127.0.0.1:3030/health",
            "axolotl actors --home axolotl-localnet\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_fresh_start_says_what_is_gone_and_where_the_rest_is() {
        let fresh = Fresh { deleted: vec!["v/data/alpha/db".into()], archived: Some("v/data/alpha/signing/archive/1".into()) };
        let idle = Fresh { deleted: Vec::new(), archived: None };
        let text = fresh_start(&[fresh, idle.clone()]);
        assert!(text.contains("deleted for good:\n  v/data/alpha/db\n"), "{text}");
        assert!(text.contains("Deleted sign state for fresh start (archived at v/data/alpha/signing/archive/1)"), "{text}");
        assert_eq!(fresh_start(&[idle]), "");
    }

    #[test]
    fn the_living_line_says_height_round_age_rate_and_peers() {
        let mut progress = Progress { height: 12, round: 1, since_block: Some(Duration::from_millis(1_440)), transactions_per_second: 3.0, peers: 3 };
        assert_eq!(progress_line(&progress), "height 12  round 1  last block 1.4 s ago  3.0 tx/s  peers 3");
        progress.since_block = None;
        assert!(progress_line(&progress).contains("no block yet"));
    }

    #[test]
    fn plain_lines_come_when_the_height_moved_and_at_most_once_a_second() {
        let mut line = LiveLine { bar: None, printed: None };
        let mut out = Vec::new();
        let began = Instant::now();
        let mut show = |height, after_ms| {
            let progress = Progress { height, round: 0, since_block: None, transactions_per_second: 0.0, peers: 0 };
            line.show(&progress, began + Duration::from_millis(after_ms), &mut out);
        };
        show(1, 0);
        show(2, 500);
        show(3, 1_000);
        show(3, 9_000);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn the_receipt_names_each_actor_the_leases_and_the_lock() {
        let actor = |name: &str, took_ms, late| StoppedActor { name: name.into(), took_ms, late };
        let text = receipt(&Receipt {
            node: "validator-0".into(),
            cause: "interrupt".into(),
            took_ms: 41,
            actors: vec![actor("consensus", 2, false), actor("storage", 30, true)],
            leases_left: 0,
            lock_released: true,
        });
        assert_eq!(
            text,
            "validator-0 stopped in 41 ms (interrupt)\n  consensus       2 ms\n  storage        30 ms  late\n  leases left 0, lock released\n"
        );
    }
}
