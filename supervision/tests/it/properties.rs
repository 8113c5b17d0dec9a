//! Random trees under random faults, in paused time: what must hold whatever happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use supervision::*;

use crate::probe::{SOON, config, ms};

const SEEDS: u64 = 60;
const STEPS: usize = 150;

enum Work {
    /// Takes so long, then is noted.
    Do(u64, Duration),
    Panic,
    Fail,
    Hang,
}

impl Message for Work {
    fn name(&self) -> &'static str {
        match self {
            Work::Do(..) => "Do",
            Work::Panic => "Panic",
            Work::Fail => "Fail",
            Work::Hang => "Hang",
        }
    }
}

/// What one child did, over all its lives.
#[derive(Default)]
struct Deeds {
    done: Mutex<Vec<u64>>,
    living: AtomicUsize,
    most_living: AtomicUsize,
    done_while_fenced: AtomicUsize,
}

struct Worker {
    deeds: Arc<Deeds>,
    incarnation: Incarnation,
}

impl Worker {
    fn new(deeds: &Arc<Deeds>, incarnation: Incarnation) -> Self {
        let living = deeds.living.fetch_add(1, SeqCst) + 1;
        deeds.most_living.fetch_max(living, SeqCst);
        Worker { deeds: deeds.clone(), incarnation }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.deeds.living.fetch_sub(1, SeqCst);
    }
}

impl Actor for Worker {
    type Message = Work;

    async fn handle(&mut self, work: Work, context: &mut Context<Work>) -> Result<(), Fault> {
        match work {
            Work::Do(number, time) => {
                tokio::time::sleep(time).await;
                if !context.fence().is_current(self.incarnation) {
                    self.deeds.done_while_fenced.fetch_add(1, SeqCst);
                }
                self.deeds.done.lock().push(number);
            }
            Work::Panic => panic!("told to panic"),
            Work::Fail => return Err(Fault::new("told to fail")),
            Work::Hang => std::future::pending().await,
        }
        Ok(())
    }
}

struct Subject {
    name: String,
    needs: Vec<String>,
    exclusive: bool,
    budget: Budget,
    address: Address<Work>,
    deeds: Arc<Deeds>,
    /// Numbers of what was taken by its mailbox.
    sent: Vec<u64>,
    /// How much of what was taken was a fault, not work.
    faults: u64,
    /// Refused because it had stopped: counted as dead letters, and never taken.
    refused: u64,
}

struct World {
    dice: StdRng,
    members: Vec<Subject>,
    running: Running,
    supervisor_panics: usize,
}

impl World {
    async fn of(seed: u64) -> World {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut members: Vec<Subject> = Vec::new();
        for index in 0..dice.random_range(2..8) {
            let needs = members.iter().filter(|_| dice.random_bool(0.3)).map(|member| member.name.clone()).collect();
            let name = format!("child{index}");
            let budget = Budget { restarts: dice.random_range(2..30), window: Duration::from_secs(20) };
            let address = Address::new(&name, MailboxLimits::each(40));
            members.push(Subject {
                name,
                needs,
                exclusive: dice.random_bool(0.3),
                budget,
                address,
                deeds: Arc::default(),
                sent: vec![],
                faults: 0,
                refused: 0,
            });
        }
        let specs: Vec<ChildSpec> = members.iter().map(|member| spec(member, dice.random_bool(0.5))).collect();
        let tree = Tree::build("test", grouped(specs, &mut dice), Config { seed, events: 100_000, ..config() }).unwrap();
        let running = tree.start().await;
        running.ready(SOON).await.unwrap();
        World { dice, members, running, supervisor_panics: 0 }
    }

    async fn step(&mut self, number: u64) {
        let index = self.dice.random_range(0..self.members.len());
        let (name, exclusive) = (self.members[index].name.clone(), self.members[index].exclusive);
        let controls = self.running.controls();
        match self.dice.random_range(0..100) {
            0..60 => self.send(index, number),
            60..68 => self.fault(index, Work::Panic),
            68..73 => self.fault(index, Work::Fail),
            // An exclusive one that hangs ends the tree, as it should.
            73..77 if !exclusive => self.fault(index, Work::Hang),
            77..81 => drop(controls.restart(&name, "a test").await),
            81..84 => drop(controls.kill(&name, "a test").await),
            84..87 => drop(controls.suspend(&name, "a test").await),
            87..92 => drop(controls.resume(&name).await),
            92 if self.supervisor_panics < 2 => {
                self.supervisor_panics += 1;
                let fault = FaultInjection { child: "test".into(), kind: FaultKind::Panic, on: Strike::NextMessage };
                self.running.inject(fault).unwrap();
            }
            _ => tokio::time::sleep(ms(self.dice.random_range(0..400))).await,
        }
    }

    fn send(&mut self, index: usize, number: u64) {
        let time = if self.dice.random_bool(0.2) { ms(self.dice.random_range(1..90)) } else { Duration::ZERO };
        let member = &mut self.members[index];
        match member.address.try_send(Work::Do(number, time)) {
            Ok(()) => member.sent.push(number),
            Err(SendError::Stopped(_)) => member.refused += 1,
            Err(SendError::Full(_)) => {}
        }
    }

    fn fault(&mut self, index: usize, work: Work) {
        let member = &mut self.members[index];
        match member.address.try_send(work) {
            Ok(()) => member.faults += 1,
            Err(SendError::Stopped(_)) => member.refused += 1,
            Err(SendError::Full(_)) => {}
        }
    }

    /// Lets everything come to rest.
    async fn settle(&self) {
        for member in &self.members {
            let _ = self.running.controls().resume(&member.name).await;
        }
        let is_at_rest = |child: &ChildSnapshot| child.state.is_over() || (child.mailbox_depth == 0 && child.busy_ms == 0);
        for _ in 0..10_000 {
            let snapshot = self.running.snapshot();
            if snapshot.children.iter().all(|child| is_at_rest(child) || self.waits_for_ever(&snapshot, child)) {
                return;
            }
            tokio::time::sleep(ms(50)).await;
        }
        panic!("it does not come to rest: {:#?}", self.running.snapshot());
    }

    fn waits_for_ever(&self, snapshot: &Snapshot, child: &ChildSnapshot) -> bool {
        let waits = |name: &String| snapshot.child(name).is_some_and(|other| self.waits_for_ever(snapshot, other));
        let is_over = |name: &String| snapshot.child(name).is_some_and(|need| need.state.is_over());
        let can_wait = matches!(child.state, ChildState::Waiting | ChildState::Suspended) && child.busy_ms == 0;
        if !can_wait && !child.state.is_over() {
            return false;
        }
        // In a group that fell, `after` counts again.
        child.needs.iter().any(|name| is_over(name) || waits(name)) || child.after.iter().any(waits)
    }
}

fn spec(member: &Subject, suspends: bool) -> ChildSpec {
    let deeds = member.deeds.clone();
    let make = move |incarnation| {
        let deeds = deeds.clone();
        async move { Ok(Worker::new(&deeds, incarnation)) }
    };
    let needs: Vec<&str> = member.needs.iter().map(String::as_str).collect();
    let spec = ChildSpec::new(&member.name, member.address.clone(), make).needs(&needs).budget(member.budget).hang_limit(ms(200));
    let spec = if member.exclusive { spec.exclusive() } else { spec };
    if suspends { spec.suspend_when_needs_are_down() } else { spec }
}

/// The last few in a group of a random strategy.
fn grouped(mut specs: Vec<ChildSpec>, dice: &mut StdRng) -> Vec<Member> {
    let tail = specs.split_off(dice.random_range(0..specs.len()));
    let strategies = [Strategy::Graph, Strategy::OneForAll, Strategy::RestForOne];
    let group = Group::new("group").strategy(*strategies.choose(dice).unwrap());
    let group = tail.into_iter().fold(group, Group::with);
    specs.into_iter().map(Member::from).chain([group.into()]).collect()
}

/// Which children are up, by the events so far; a need is up when a start of who needs it begins.
fn check_order(seed: u64, world: &World) {
    let mut is_up: BTreeMap<String, bool> = BTreeMap::new();
    for event in world.running.events().recent() {
        match &event.kind {
            EventKind::Starting => {
                let member = world.members.iter().find(|member| member.name == event.child).unwrap();
                let missing = member.needs.iter().find(|need| !is_up.get(*need).unwrap_or(&false));
                assert_eq!(missing, None, "seed {seed}: {} starts without it", event.child);
            }
            EventKind::Ready | EventKind::Resumed => drop(is_up.insert(event.child, true)),
            EventKind::Exited { .. } | EventKind::Leaving | EventKind::Held { .. } | EventKind::Suspended { .. } | EventKind::Hung { .. } => {
                is_up.insert(event.child, false);
            }
            _ => {}
        }
    }
}

/// No more retries within any window than the budget allows.
fn check_budget(seed: u64, world: &World, member: &Subject) {
    let mut retries: Vec<u64> = Vec::new();
    for event in world.running.events().recent() {
        match &event.kind {
            EventKind::BackingOff { .. } if event.child == member.name => retries.push(event.at_ms),
            // Whoever starts afresh with its group has a whole budget again, and the retry of the group is the group's.
            EventKind::GroupFell { .. } => retries.clear(),
            _ => {}
        }
        let window = member.budget.window.as_millis() as u64;
        let within = retries.iter().filter(|at| retries.last().is_some_and(|last| last - **at < window)).count();
        assert!(within <= member.budget.restarts + 1, "seed {seed}: {} came back {within} times", member.name);
    }
}

fn check_deeds(seed: u64, world: &World, member: &Subject) {
    let name = &member.name;
    let done = member.deeds.done.lock().clone();
    assert!(done.is_sorted_by(|a, b| a < b), "seed {seed}: {name} handled out of order or twice: {done:?}");
    assert_eq!(member.deeds.done_while_fenced.load(SeqCst), 0, "seed {seed}: {name} worked while fenced");
    if member.exclusive {
        assert!(member.deeds.most_living.load(SeqCst) <= 1, "seed {seed}: {name} lived twice at once");
    }
    let events = world.running.events().recent();
    let in_hand = |event: &&Event| event.child == *name && matches!(&event.kind, EventKind::Exited { reason } if !reason.is_normal());
    let crashes = events.iter().filter(in_hand).count() as u64;
    let snapshot = world.running.snapshot();
    let child = snapshot.child(name).unwrap();
    let (taken, waiting) = (member.sent.len() as u64 + member.faults, child.mailbox_depth as u64);
    let gone = (taken + member.refused).checked_sub(done.len() as u64 + waiting + child.dead_letters);
    let gone = gone.unwrap_or_else(|| panic!("seed {seed}: {name} handled or lost more than it took"));
    // A panic of the supervisor ends everybody with what they have in hand.
    let most = crashes + world.supervisor_panics as u64;
    assert!(gone <= most, "seed {seed}: {name} lost {gone} in {crashes} crashes");
}

#[tokio::test(start_paused = true)]
async fn random_trees_under_random_faults_keep_their_promises() {
    for seed in 0..SEEDS {
        let mut world = World::of(seed).await;
        for number in 0..STEPS {
            world.step(number as u64).await;
        }
        world.settle().await;
        check_order(seed, &world);
        for member in &world.members {
            check_budget(seed, &world, member);
            check_deeds(seed, &world, member);
        }
        check_stop(seed, world).await;
    }
}

/// Everybody stops after those that need it.
async fn check_stop(seed: u64, world: World) {
    let report = world.running.stop("test").await;
    assert!(report.in_order, "seed {seed}");
    let position = |name: &String| report.children.iter().position(|line| line.child == *name);
    for member in &world.members {
        for need in &member.needs {
            assert!(position(&member.name) < position(need), "seed {seed}: {need} stopped before {}", member.name);
        }
        assert_eq!(member.deeds.living.load(SeqCst), 0, "seed {seed}: {} lives on", member.name);
    }
}
