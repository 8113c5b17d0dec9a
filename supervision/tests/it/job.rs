//! Messages with every rule there is, and an actor that breaks as often as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use supervision::*;

use crate::probe::*;

/// How an incarnation breaks.
#[derive(Clone, Copy, Debug)]
pub enum Break {
    Panic,
    Fail,
    Hang,
}

/// How often it is still to break, over all incarnations.
#[derive(Clone)]
pub struct Times(Arc<AtomicU32>);

impl Times {
    pub fn new(times: u32) -> Self {
        Times(Arc::new(AtomicU32::new(times)))
    }

    async fn strike(&self, how: Break) -> Result<(), Fault> {
        if self.0.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
            return Ok(());
        }
        match how {
            Break::Panic => panic!("told to panic"),
            Break::Fail => Err(Fault::new("told to fail")),
            Break::Hang => std::future::pending().await,
        }
    }
}

pub enum Job {
    Note(u64),
    Strict(u64),
    Latest(u64),
    LatestQuestion(Reply<u64>),
    Once(Break, Times),
    Retry(u64, Break, Times),
    RetryQuestion(Times, Reply<u64>),
    RetryTimer(Times),
    SetRetryTimer(Times),
    /// Something with a rule, and a token that tells how many of it there are.
    Token(WhenFull, #[allow(dead_code)] Arc<()>),
    Done,
}

impl Message for Job {
    fn name(&self) -> &'static str {
        match self {
            Job::Note(_) => "Note",
            Job::Strict(_) => "Strict",
            Job::Latest(_) | Job::LatestQuestion(_) => "Latest",
            Job::Once(..) => "Once",
            Job::Retry(..) => "Retry",
            Job::RetryQuestion(..) => "RetryQuestion",
            _ => "Other",
        }
    }

    fn when_full(&self) -> WhenFull {
        match self {
            Job::Strict(_) => WhenFull::Reject,
            Job::Latest(_) | Job::LatestQuestion(_) => WhenFull::DropOldest,
            Job::Token(rule, _) => *rule,
            _ => WhenFull::Wait,
        }
    }

    fn again(&self) -> Option<Self> {
        match self {
            Job::Retry(n, how, times) => Some(Job::Retry(*n, *how, times.clone())),
            Job::RetryQuestion(times, reply) => Some(Job::RetryQuestion(times.clone(), reply.again())),
            Job::RetryTimer(times) => Some(Job::RetryTimer(times.clone())),
            _ => None,
        }
    }
}

struct Worker {
    incarnation: Incarnation,
    record: Record,
}

impl Worker {
    fn note(&self, what: &str, number: u64) {
        self.record.add(format!("{} {what} {number}", self.incarnation));
    }
}

impl Actor for Worker {
    type Message = Job;

    async fn handle(&mut self, job: Job, context: &mut Context<Job>) -> Result<(), Fault> {
        match job {
            Job::Note(n) | Job::Strict(n) | Job::Latest(n) => self.note("note", n),
            Job::LatestQuestion(reply) => answer(reply, 0),
            Job::Once(how, times) => times.strike(how).await?,
            Job::Retry(n, how, times) => {
                times.strike(how).await?;
                self.note("retry", n);
            }
            Job::RetryQuestion(times, reply) => {
                times.strike(Break::Panic).await?;
                answer(reply, self.incarnation.0);
            }
            Job::RetryTimer(times) => {
                times.strike(Break::Panic).await?;
                self.note("timer", 0);
            }
            Job::SetRetryTimer(times) => context.after(ms(1), Job::RetryTimer(times)).detach(),
            Job::Token(..) => {}
            Job::Done => context.done(),
        }
        Ok(())
    }
}

pub fn worker(limits: MailboxLimits, record: &Record) -> (Address<Job>, ChildSpec) {
    let (address, record) = (Address::new("a", limits), record.clone());
    let spec = ChildSpec::new("a", address.clone(), move |incarnation| {
        let worker = Worker { incarnation, record: record.clone() };
        async move { Ok(worker) }
    });
    (address, spec.hang_limit(ms(100)))
}

pub fn roomy() -> MailboxLimits {
    MailboxLimits::each(2000)
}
