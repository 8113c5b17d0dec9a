//! `actors watch`: the tree drawn again and again on a terminal, one line for each event elsewhere.

use std::time::{Duration, Instant};

use supervision::{Event, EventKind};

use super::{draw, style::Style};
use crate::{
    admin::{AdminClient, AdminError},
    cli::{arguments::Output, printer::Printer},
    exit::Failure,
};

/// How often the tree is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(500);
/// How long one question for events waits.
const EVENTS_WAIT: Duration = Duration::from_secs(5);
/// Events shown below the tree.
const EVENTS_SHOWN: usize = 10;
/// How long an actor may take to come back.
const BACK_LIMIT: Duration = Duration::from_secs(60);
/// The cursor to the upper left corner, and everything below it away.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Watches until the reader has enough.
pub(super) async fn tree(client: &AdminClient, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let style = Style::of_stdout();
    if printer.output == Output::Text && style.is_terminal() { redraw(client, style, printer).await } else { lines(client, printer).await }
}

/// A node that does not answer may be starting again: that is said, and it is asked again.
async fn redraw(client: &AdminClient, style: Style, printer: &mut Printer<'_>) -> Result<(), Failure> {
    loop {
        let drawn = match look(client, style).await {
            Ok(drawn) => drawn,
            Err(AdminError::Unanswered(error)) => format!("{error}\n"),
            Err(refused) => return Err(refused.into()),
        };
        if write!(printer.out, "{CLEAR}{drawn}\nCtrl-C ends the watch.\n").and_then(|()| printer.out.flush()).is_err() {
            return Ok(());
        }
        tokio::time::sleep(DRAW_EVERY).await;
    }
}

async fn look(client: &AdminClient, style: Style) -> Result<String, AdminError> {
    let page = client.tree().await?;
    let events = client.events(0, Duration::ZERO).await?;
    let shown: Vec<_> = events.iter().skip(events.len().saturating_sub(EVENTS_SHOWN)).map(draw::event).collect();
    Ok(format!("{}\n{}\n", draw::tree(&page, style), shown.join("\n")))
}

async fn lines(client: &AdminClient, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let mut seen = latest(client).await?;
    loop {
        for event in client.events(seen, EVENTS_WAIT).await? {
            seen = event.sequence;
            if !tell(&event, printer) {
                return Ok(());
            }
        }
    }
}

/// Number of the latest event.
pub(super) async fn latest(client: &AdminClient) -> Result<u64, AdminError> {
    Ok(client.events(0, Duration::ZERO).await?.last().map_or(0, |event| event.sequence))
}

/// Tells what happens to the actor called `path` after event number `seen`, until it has ended and is ready again.
pub(super) async fn until_back(client: &AdminClient, path: &str, mut seen: u64, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let began = Instant::now();
    let mut down_ms = None;
    while began.elapsed() < BACK_LIMIT {
        for event in client.events(seen, EVENTS_WAIT).await? {
            seen = event.sequence;
            if event.child != path {
                continue;
            }
            if !tell(&event, printer) {
                return Ok(());
            }
            match (&event.kind, down_ms) {
                (EventKind::Ended, _) => return Err(Failure::runtime(format!("{path} is over and does not come back"))),
                (EventKind::Hung { .. } | EventKind::Exited { .. }, None) => down_ms = Some(event.at_ms),
                (EventKind::Ready, Some(down_ms)) => {
                    printer.note(&format!("{path} serves again after {} ms", event.at_ms.saturating_sub(down_ms)));
                    return Ok(());
                }
                _ => {}
            }
        }
    }
    let what = if down_ms.is_some() { "has not come back" } else { "was not struck" };
    let failure = Failure::runtime(format!("{path} {what} within {} s", BACK_LIMIT.as_secs()));
    Err(failure.remedy(format!("`axolotl actors {path}` shows what it does; `axolotl actors clear {path}` takes the fault back")))
}

/// One line; `false` when nobody reads any more.
fn tell(event: &Event, printer: &mut Printer<'_>) -> bool {
    let line = match printer.output {
        Output::Text => draw::event(event),
        Output::Json => serde_json::to_string(event).unwrap_or_default(),
    };
    writeln!(printer.out, "{line}").and_then(|()| printer.out.flush()).is_ok()
}
