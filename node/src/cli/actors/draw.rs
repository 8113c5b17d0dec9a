//! The tree, one actor and one event as text. Functions of plain values.

use std::time::Duration;

use serde_json::Value;
use supervision::{ChildSnapshot, ChildState, Event, ProbeSnapshot};

use super::style::Style;
use crate::admin::{ActorPage, TreePage};

const HEAD: [&str; 6] = ["actor", "state", "up", "restarts", "mailbox", "doing"];

/// The whole tree, one line for each actor, those that belong to another below it.
pub(super) fn tree(page: &TreePage, style: Style) -> String {
    let children = &page.tree.children;
    let mut rows = Vec::new();
    branch(children, None, "", style, &mut rows);
    let lines: Vec<_> = rows.iter().map(|(name, child)| cells(name, child)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).chain([HEAD[column].len()]).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    let restarts: u64 = children.iter().map(|child| child.restarts).sum();
    let chaos = if page.chaos_enabled { ", chaos enabled" } else { "" };
    let mut text =
        format!("{}: {} of {} running, {restarts} restarts{chaos}\n", page.tree.name, page.tree.count(ChildState::Running), children.len());
    let head = HEAD.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect::<Vec<_>>();
    text.push_str(&format!("{}  last end\n", head.join("  ")));
    for ((_, child), line) in rows.iter().zip(&lines) {
        let padded = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            let padded = format!("{cell:<width$}");
            if column == 1 { style.state(child.state, child.slow, &padded) } else { padded }
        });
        let padded: Vec<_> = padded.collect();
        let line = format!("{}  {}", padded.join("  "), child.last_exit.as_deref().unwrap_or_default());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The children of `parent`, each with its name behind the lines that lead to it.
fn branch<'a>(children: &'a [ChildSnapshot], parent: Option<&str>, lead: &str, style: Style, rows: &mut Vec<(String, &'a ChildSnapshot)>) {
    let is_here = |child: &&ChildSnapshot| match (&child.parent, parent) {
        (None, None) => true,
        (Some(of), Some(parent)) => of == parent,
        _ => false,
    };
    let mine: Vec<_> = children.iter().filter(is_here).collect();
    let [more, last, through, past] = style.branches();
    for (number, child) in mine.iter().enumerate() {
        let (knot, below) = if number + 1 == mine.len() { (last, past) } else { (more, through) };
        rows.push((format!("{lead}{knot}{}", child.name), child));
        branch(children, Some(&child.name), &format!("{lead}{below}"), style, rows);
    }
}

fn cells(name: &str, child: &ChildSnapshot) -> [String; 6] {
    let up = if child.uptime_ms == 0 { "-".to_owned() } else { span(child.uptime_ms) };
    let mailbox = format!("{}/{}", child.mailbox_depth, child.mailbox_capacity);
    [name.to_owned(), state(child), up, child.restarts.to_string(), mailbox, doing(child)]
}

fn state(child: &ChildSnapshot) -> String {
    let name = word(&serde_json::to_value(child.state).unwrap_or_default());
    if let Some(by) = &child.suspended_by {
        return format!("suspended by {by}");
    }
    match child.state {
        ChildState::Restarting => format!("{name} in {}", span(child.backoff_ms)),
        _ if child.slow => format!("{name}, slow"),
        _ => name,
    }
}

/// The message in hand, for how long, and whether the actor waits for another meanwhile.
fn doing(child: &ChildSnapshot) -> String {
    match &child.busy_with {
        None => "-".to_owned(),
        Some(what) if child.waiting => format!("{what}, waits for {}", child.waiting_for.as_deref().unwrap_or("another")),
        Some(what) => format!("{what} for {}", span(child.busy_ms)),
    }
}

/// One actor in detail, and what happened to it last.
pub(super) fn actor(page: &ActorPage, style: Style) -> String {
    let child = &page.actor;
    let names = |names: &[String]| if names.is_empty() { "-".to_owned() } else { names.join(", ") };
    let mut rows = vec![
        ("actor", child.name.clone()),
        ("state", style.state(child.state, child.slow, &state(child))),
        ("up", if child.uptime_ms == 0 { "-".to_owned() } else { span(child.uptime_ms) }),
        ("incarnation", child.incarnation.to_string()),
        ("restarts", format!("{}, of them hangs {}", child.restarts, child.hangs)),
        ("last end", child.last_exit.clone().unwrap_or_else(|| "-".to_owned())),
        ("doing", doing(child)),
        (
            "mailbox",
            format!("{} of {} waiting, {} handled, {} dead letters", child.mailbox_depth, child.mailbox_capacity, child.handled, child.dead_letters),
        ),
        ("needs", names(&child.needs)),
        ("after", names(&child.after)),
        ("hangs when", format!("busy for {}", span(child.hang_limit_ms))),
    ];
    rows.extend(child.probes.iter().map(|probe| ("probe", moved(probe))));
    if let Some(parent) = &child.parent {
        rows.push(("belongs to", parent.clone()));
    }
    if child.exclusive {
        rows.push(("exclusive", "never two incarnations; when it hangs, the process ends".to_owned()));
    }
    let mut text: String = rows.into_iter().map(|(what, value)| format!("{what:<11}  {value}\n")).collect();
    text.push_str("\nlast events, in time since the node started\n");
    for line in page.events.iter().map(event) {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn moved(probe: &ProbeSnapshot) -> String {
    let ProbeSnapshot { name, value, unchanged_ms, limit_ms, stalled } = probe;
    let Some(value) = value else { return format!("{name}: nothing is expected to move") };
    let verdict = if *stalled { ", STANDS STILL" } else { "" };
    format!("{name} {value}, unchanged for {} of {}{verdict}", span(*unchanged_ms), span(*limit_ms))
}

/// One event as one line.
pub(super) fn event(event: &Event) -> String {
    let at = Duration::from_millis(event.at_ms).as_secs_f64();
    format!("{at:>10.3} s  {} ({})  {}", event.child, event.incarnation, event.kind)
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.replace('_', " "))
}

/// Milliseconds for people, in the largest unit that tells something.
fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests;
