//! `axolotl peers`: the peer book of a running node through its admin listener, or of a stopped home directly.

use std::{fs, path::Path, time::Duration};

use primitives::{NodeId, PeerAddress};
use serde_json::{Value, json};

use super::{
    actors,
    arguments::{AdminNode, ImportPeers, Peers, PeersCommand},
    printer::Printer,
};
use crate::{
    admin::AdminClient,
    exit::{ExitCode, Failure},
    home,
    peers::{Bundle, Imported, Mode, PeerLine, PeersPage, Stopped, Unwanted},
};

/// `axolotl peers`.
pub async fn run(arguments: &Peers, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let bundle = match &arguments.command {
        // Read first: a mistake in the file is no reason to open anything.
        PeersCommand::Import(import) => Some(read(&import.file)?),
        _ => None,
    };
    let book = Whose::of(&arguments.node)?;
    let outcome = carry_out(&book, &arguments.command, bundle, printer).await;
    // What was refused changed nothing.
    book.close().and(outcome)
}

async fn carry_out(book: &Whose, command: &PeersCommand, bundle: Option<Bundle>, printer: &mut Printer<'_>) -> Result<(), Failure> {
    match (command, bundle) {
        (PeersCommand::List, _) => {
            let page = book.list().await?;
            printer.print(&page, || table(&page))
        }
        (PeersCommand::Show { id }, _) => {
            let line = book.show(NodeId(*id)).await?;
            printer.print(&line, || details(&line))
        }
        (PeersCommand::Export { file: None }, _) => {
            let bundle = book.export().await?;
            printer.print(&bundle, || as_json(&bundle))
        }
        (PeersCommand::Export { file: Some(file) }, _) => {
            let bundle = book.export().await?;
            home::write(file, &as_json(&bundle))?;
            let entries = bundle.entries.len();
            printer.print(&json!({ "file": file, "entries": entries }), || format!("wrote {entries} peers to {}", file.display()))
        }
        (PeersCommand::Import(ImportPeers { replace, .. }), Some(bundle)) => {
            let imported = book.import(bundle, if *replace { Mode::Replace } else { Mode::Merge }).await?;
            let left_out = if imported.left_out == 0 { String::new() } else { format!("; for {} there was no place", imported.left_out) };
            printer.print(&imported, || format!("imported {} peers{left_out}", imported.imported))
        }
        (PeersCommand::Import(_), None) => Ok(()),
        (PeersCommand::Add { address }, _) => {
            book.add(address).await?;
            printer.print(&json!({ "added": address }), || format!("{address}: added; it is dialled at once and for ever"))
        }
        (PeersCommand::Ban { id, length }, _) => {
            let answer = book.ban(NodeId(*id), *length).await?;
            printer.print(&answer, || format!("{id}: banned until {}", moment(answer["until_ms"].as_u64().unwrap_or_default())))
        }
        (PeersCommand::Unban { id }, _) => {
            book.unban(NodeId(*id)).await?;
            printer.print(&json!({ "unbanned": id }), || format!("{id}: may come again"))
        }
    }
}

/// Whose book it is.
enum Whose {
    Running(Box<AdminClient>),
    Stopped(Box<Stopped>),
}

impl Whose {
    fn of(node: &AdminNode) -> Result<Self, Failure> {
        let home = actors::home(node);
        let is_stopped = node.admin.is_none() && node.token_file.is_none() && home.exists() && home.refuse_if_held().is_ok();
        if is_stopped { Ok(Self::Stopped(Box::new(Stopped::open(&home)?))) } else { Ok(Self::Running(Box::new(actors::connect(node)?))) }
    }

    async fn list(&self) -> Result<PeersPage, Failure> {
        match self {
            Self::Running(client) => Ok(client.peers().await?),
            Self::Stopped(stopped) => Ok(stopped.desk.list()),
        }
    }

    async fn show(&self, node: NodeId) -> Result<PeerLine, Failure> {
        match self {
            Self::Running(client) => Ok(client.peer(node).await?),
            Self::Stopped(stopped) => Ok(stopped.desk.show(node)?),
        }
    }

    async fn export(&self) -> Result<Bundle, Failure> {
        match self {
            Self::Running(client) => Ok(client.export_peers().await?),
            Self::Stopped(stopped) => Ok(stopped.desk.export()),
        }
    }

    async fn import(&self, bundle: Bundle, mode: Mode) -> Result<Imported, Failure> {
        match self {
            Self::Running(client) => Ok(client.import_peers(&bundle, mode).await?),
            Self::Stopped(stopped) => Ok(stopped.desk.import(bundle, mode)?),
        }
    }

    async fn add(&self, address: &PeerAddress) -> Result<(), Failure> {
        match self {
            Self::Running(client) => Ok(client.add_peer(address).await.map(drop)?),
            Self::Stopped(stopped) => Ok(stopped.desk.add(address.clone())?),
        }
    }

    async fn ban(&self, node: NodeId, length: Duration) -> Result<Value, Failure> {
        match self {
            Self::Running(client) => Ok(client.ban(node, length).await?),
            Self::Stopped(stopped) => Ok(json!({ "banned": node, "until_ms": stopped.desk.ban(node, length) })),
        }
    }

    async fn unban(&self, node: NodeId) -> Result<(), Failure> {
        match self {
            Self::Running(client) => Ok(client.unban(node).await.map(drop)?),
            Self::Stopped(stopped) => Ok(stopped.desk.unban(node)?),
        }
    }

    fn close(self) -> Result<(), Failure> {
        match self {
            Self::Running(_) => Ok(()),
            Self::Stopped(stopped) => stopped.close(),
        }
    }
}

impl From<Unwanted> for Failure {
    fn from(unwanted: Unwanted) -> Self {
        // Each says itself what to do.
        Self::runtime(unwanted.to_string())
    }
}

fn read(file: &Path) -> Result<Bundle, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        let failure = Failure::new(ExitCode::Usage, format!("reading failed: {error}")).at(file.display().to_string());
        failure.remedy("name a file that `axolotl peers export` wrote")
    })?;
    serde_json::from_str(&text).map_err(|error| {
        let failure = Failure::runtime(format!("this is no bundle of peers: {error}")).at(file.display().to_string());
        failure.remedy("export it again with `axolotl peers export --file FILE`")
    })
}

fn as_json(bundle: &Bundle) -> String {
    serde_json::to_string_pretty(bundle).unwrap_or_default() + "\n"
}

fn table(page: &PeersPage) -> String {
    let mut text = format!("{:<42}  {:<21}  {:>6}  {:<9}  {}\n", "NODE", "ADDRESS", "SCORE", "STATE", "LAST SEEN");
    for line in &page.peers {
        let address = line.address.as_deref().unwrap_or("-");
        text += &format!("{:<42}  {:<21}  {:>6}  {:<9}  {}\n", line.node.to_string(), address, line.score, state(line), seen(line.last_seen_ms));
    }
    page.added.iter().for_each(|address| text += &format!("added: {address}\n"));
    text
}

fn details(line: &PeerLine) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        ("node", line.node.to_string()),
        ("state", state(line).to_owned()),
        ("address", or_none(line.address.clone())),
        ("services", or_none(line.services.clone())),
        ("validator", or_none(line.validator.map(|validator| validator.to_string()))),
        ("score", line.score.to_string()),
        ("last seen", seen(line.last_seen_ms)),
        ("failures", line.attempts.to_string()),
        ("banned until", or_none(line.banned_until_ms.map(moment))),
        ("told by", or_none(line.teller.map(|teller| teller.to_string()))),
    ]
    .map(|(name, value)| format!("{name:<13} {value}"))
    .join("\n")
}

fn state(line: &PeerLine) -> &'static str {
    match line {
        PeerLine { banned_until_ms: Some(_), .. } => "banned",
        PeerLine { is_connected: true, .. } => "connected",
        PeerLine { is_tried: true, .. } => "tried",
        PeerLine { is_given: true, .. } => "given",
        _ => "heard",
    }
}

fn seen(last_seen_ms: u64) -> String {
    if last_seen_ms == 0 { "never".to_owned() } else { moment(last_seen_ms) }
}

fn moment(unix_ms: u64) -> String {
    // The end of the year 9999, the last that can be written.
    const LATEST_MS: u64 = 253_402_300_799_000;
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + Duration::from_millis(unix_ms.min(LATEST_MS))).to_string()
}
