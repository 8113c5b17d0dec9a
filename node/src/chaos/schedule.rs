//! Carries out a plan: each strike at its moment, or as soon as those before it leave room.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time::sleep_until};

use super::{
    plan::{Plan, Strike, may_be_struck},
    striking::{End, Outcome, strike},
    target::Target,
};

/// A strike and what came of it.
#[derive(Clone, Debug)]
pub struct Done {
    pub strike: Strike,
    /// When it was armed, and when the last actor was back or given up.
    pub from: Instant,
    pub until: Instant,
    pub outcomes: Vec<Outcome>,
}

/// Those under way, and those who never came back.
struct Schedule<'a> {
    target: &'a Target,
    under_way: JoinSet<Done>,
    away: Vec<usize>,
    done: &'a mut Vec<Done>,
}

/// Strikes until the plan is over; what was done stands in `done` even when this is dropped before.
pub async fn carry_out(target: &Target, plan: &Plan, is_unbounded: bool, done: &mut Vec<Done>, mut tell: impl FnMut(&Done)) {
    let begun = Instant::now();
    let over = begun + Duration::from_millis(plan.duration_ms);
    let subjects = target.subjects();
    let mut schedule = Schedule { target, under_way: JoinSet::new(), away: Vec::new(), done };
    for next in &plan.strikes {
        let due = begun + Duration::from_millis(next.at_ms);
        while Instant::now() < due || !may_be_struck(&subjects, &schedule.away, next.validator, is_unbounded) {
            let is_due = due <= Instant::now();
            let until = if is_due { over } else { due };
            tokio::select! {
                () = sleep_until(until.into()) => if is_due { break },
                Some(ended) = schedule.under_way.join_next() => schedule.end(ended, &mut tell),
            }
        }
        if over <= Instant::now() || !may_be_struck(&subjects, &schedule.away, next.validator, is_unbounded) {
            break;
        }
        schedule.begin(next);
    }
    while let Some(ended) = schedule.under_way.join_next().await {
        schedule.end(ended, &mut tell);
    }
    sleep_until(over.into()).await;
}

impl Schedule<'_> {
    fn begin(&mut self, next: &Strike) {
        let (node, next) = (self.target.nodes[next.validator].clone(), next.clone());
        self.away.push(next.validator);
        self.under_way.spawn(async move {
            let from = Instant::now();
            let outcomes = strike(&node, &next).await;
            Done { strike: next, from, until: Instant::now(), outcomes }
        });
    }

    fn end(&mut self, ended: Result<Done, tokio::task::JoinError>, tell: &mut impl FnMut(&Done)) {
        // A strike that panicked leaves its validator away: nobody knows how it is.
        let Ok(done) = ended else { return };
        let is_back = !done.outcomes.iter().any(|outcome| matches!(outcome.end, End::Lost { .. } | End::Absent(_)));
        if is_back {
            self.away.retain(|validator| *validator != done.strike.validator);
        }
        tell(&done);
        self.done.push(done);
    }
}
