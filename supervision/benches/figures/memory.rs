//! What one more child takes, beside one more actor of ractor's: the growth of resident memory by 10,000 that have
//! handled a message, address and mailbox included, divided by 10,000.

use crate::clock::resident_bytes;
use crate::raw;
use crate::storm::{Flock, MANY};
use crate::table::Row;

const GOAL_BYTES: f64 = 10_000.0;

pub async fn measure() -> anyhow::Result<Vec<Row>> {
    let warm = Flock::gather(10).await?;
    let before = resident_bytes()?;
    let mut raws = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        let raw = raw::spawn().await?;
        raw::ask(&raw, None).await?;
        raws.push(raw);
    }
    let between = resident_bytes()?;
    let flock = Flock::gather(MANY).await?;
    let after = resident_bytes()?;
    // All are kept until now, so that nobody's memory is used twice.
    let _ = flock.stop().await?;
    let _ = warm.stop().await?;
    raws.iter().for_each(|raw| raw.stop(None));
    let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / MANY as f64;
    Ok(vec![
        Row::new("raw ractor: memory of an actor".into()).reading("RSS", each(before, between), "B"),
        Row::new("memory of a dynamic child".into()).reading("RSS", each(between, after), "B").goal(GOAL_BYTES),
    ])
}
