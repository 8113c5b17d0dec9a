//! The signer as a whole: its order, its restarts, and a crash at every single operation of the disk.

#![allow(clippy::unwrap_used)]

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use primitives::{Address, B256, DiskFile, Domain, Filesystem, LossyDisk, Round, SecretKey, Signed, Survival, Vote, VoteKind, limits};

use super::{journal::Kept, *};
use crate::entry::{BodyEntry, Step, TimeoutEntry};

const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::repeat_byte(1) };
const FIRST: Incarnation = Incarnation(1);

fn key() -> SecretKey {
    SecretKey::from_bytes([1; 32]).unwrap()
}

fn identity() -> Identity {
    Identity { genesis: DOMAIN.genesis_hash, key: key().address() }
}

fn open(disk: impl Disk) -> Result<Signer, SignerError> {
    Signer::open(Arc::new(disk), identity(), B256::repeat_byte(9))
}

/// A signer that begins at genesis.
fn begin(disk: impl Disk) -> Signer {
    let mut signer = open(disk).unwrap();
    signer.settle(Action::Begin).unwrap();
    signer.take_over(FIRST).unwrap();
    signer.start_height(FIRST, Height(1)).unwrap();
    signer
}

fn vote(height: u64, round: u32, value: u8) -> ConsensusMessage {
    let value = Some(B256::repeat_byte(value));
    let vote = Vote { kind: VoteKind::Prevote, height: Height(height), round: Round(round), value, validator: key().address() };
    ConsensusMessage::Vote(Signed::new(vote, &key(), &DOMAIN))
}

fn ours(message: ConsensusMessage) -> Vec<Unreleased<ConsensusMessage>> {
    vec![Unreleased::ours(message)]
}

fn entry(height: u64, round: u32) -> Entry {
    Entry::Timeout(TimeoutEntry { height: Height(height), round: Round(round), step: Step::Propose })
}

fn facts(signer: &Signer, tip: u64) -> Facts {
    let network = Some(Network { highest_tip: Height(tip), regressed: None });
    Facts { record: signer.record().clone(), tip: Height(tip), network, policy: OnMissing::Refuse, max_ahead: 100 }
}

#[test]
fn the_journal_is_durable_before_the_promise_and_both_before_a_signature_leaves() {
    let disk = LossyDisk::new();
    let mut signer = begin(disk.clone());
    let before = disk.syncs();
    signer.append(FIRST, &entry(1, 0)).unwrap();
    assert_eq!(disk.syncs() - before, 0);
    assert_eq!(signer.release(FIRST, ours(vote(1, 0, 7))).unwrap(), [vote(1, 0, 7)]);
    assert_eq!(disk.syncs() - before, 4, "a new file, its directory, journal, promise");
    signer.append(FIRST, &entry(1, 1)).unwrap();
    signer.release(FIRST, ours(vote(1, 1, 7))).unwrap();
    assert_eq!(disk.syncs() - before, 5, "one group");
    signer.release(FIRST, ours(vote(1, 1, 7))).unwrap();
    assert_eq!(disk.syncs() - before, 5, "nothing new");
    disk.crash(Survival::SyncedOnly);
    let signer = open(disk).unwrap();
    assert_eq!((signer.record().promise, signer.record().journal), (Found::Whole(Height(1)), JournalFound::Intact(Height(1))));
}

#[test]
fn once_there_are_two_files_a_height_costs_one_sync_of_the_journal_and_one_of_the_promise() {
    let disk = LossyDisk::new();
    let mut signer = begin(disk.clone());
    for height in 1..6 {
        let before = disk.syncs();
        signer.release(FIRST, ours(vote(height, 0, 7))).unwrap();
        assert_eq!(disk.syncs() - before, if height < 3 { 4 } else { 2 });
        signer.committed(Height(height));
        signer.start_height(FIRST, Height(height + 1)).unwrap();
    }
}

#[test]
fn a_restart_remembers_what_was_said_and_discards_what_was_not_released() {
    let disk = LossyDisk::new();
    let mut signer = begin(disk.clone());
    signer.append(FIRST, &entry(1, 0)).unwrap();
    signer.release(FIRST, ours(vote(1, 0, 7))).unwrap();
    signer.append(FIRST, &entry(1, 1)).unwrap();
    disk.crash(Survival::Everything);
    let mut signer = open(disk).unwrap();
    signer.take_over(FIRST).unwrap();
    signer.start_height(FIRST, Height(1)).unwrap();
    assert_eq!(signer.entries().unwrap(), [entry(1, 0)]);
    assert!(signer.release(FIRST, ours(vote(1, 0, 8))).unwrap().is_empty());
    assert_eq!(signer.refused(), 1);
    assert_eq!(signer.release(FIRST, ours(vote(1, 0, 7))).unwrap(), [vote(1, 0, 7)]);
}

#[test]
fn sign_state_with_stale_round_is_not_ignored() {
    let disk = LossyDisk::new();
    let mut signer = begin(disk.clone());
    signer.release(FIRST, ours(vote(1, 5236, 7))).unwrap();
    disk.crash(Survival::SyncedOnly);
    let mut signer = open(disk).unwrap();
    assert_eq!(verdict(&facts(&signer, 0)).action, Action::Sign { height: Height(1), replay: true });
    signer.take_over(FIRST).unwrap();
    signer.start_height(FIRST, Height(1)).unwrap();
    assert!(signer.release(FIRST, ours(vote(1, 5236, 8))).unwrap().is_empty());
}

#[test]
fn a_replaced_incarnation_is_refused_and_leaves_nothing_behind() {
    let mut signer = begin(LossyDisk::new());
    signer.append(FIRST, &entry(1, 0)).unwrap();
    let second = Incarnation(2);
    signer.take_over(second).unwrap();
    assert!(matches!(signer.append(FIRST, &entry(1, 0)), Err(SignerError::Stale { .. })));
    assert!(matches!(signer.release(FIRST, ours(vote(1, 0, 7))), Err(SignerError::Stale { .. })));
    assert!(matches!(signer.start_height(FIRST, Height(2)), Err(SignerError::Stale { .. })));
    assert!(matches!(signer.take_over(FIRST), Err(SignerError::Stale { .. })));
    signer.release(second, ours(vote(1, 0, 7))).unwrap();
    assert!(signer.entries().unwrap().is_empty());
}

#[test]
fn a_height_waits_for_the_one_before_to_be_committed() {
    let mut signer = begin(LossyDisk::new());
    signer.release(FIRST, ours(vote(1, 0, 7))).unwrap();
    assert!(matches!(signer.start_height(FIRST, Height(2)), Err(SignerError::NotCommitted { .. })));
    signer.committed(Height(1));
    signer.start_height(FIRST, Height(2)).unwrap();
    assert!(matches!(signer.append(FIRST, &entry(1, 0)), Err(SignerError::WrongHeight { .. })));
}

#[test]
fn a_journal_goes_only_after_the_next_promise() {
    let disk = LossyDisk::new();
    let mut signer = begin(disk.clone());
    for height in 1..5 {
        signer.release(FIRST, ours(vote(height, 0, 7))).unwrap();
        signer.committed(Height(height));
        signer.start_height(FIRST, Height(height + 1)).unwrap();
        let Kept::Newest(newest) = Journal::find(&disk, &identity()).unwrap() else { panic!("no journal") };
        assert_eq!(newest.journal.height(), Height(height));
    }
    assert_eq!(disk.list(Path::new(JOURNAL_DIRECTORY)).unwrap().len(), 2, "written in turn");
}

#[test]
fn a_power_cut_anywhere_in_the_first_release_of_a_height_leaves_that_height_or_the_one_before() {
    for bytes in (0..5 * 4096).step_by(61) {
        let disk = LossyDisk::new();
        let mut signer = begin(disk.clone());
        for height in 1..4 {
            signer.release(FIRST, ours(vote(height, 0, 7))).unwrap();
            signer.committed(Height(height));
            signer.start_height(FIRST, Height(height + 1)).unwrap();
        }
        // The next journal takes the place of that of height 2.
        Journal::begin(&disk, &identity(), Slot::Odd, Height(4), [4; 16], b"").unwrap();
        disk.crash(Survival::Torn { bytes });
        let signer = open(disk).unwrap();
        let action = verdict(&facts(&signer, 3)).action;
        assert!(matches!(action, Action::Sign { height: Height(4), .. }), "torn at {bytes}: {action:?}");
    }
}

#[test]
fn a_key_without_a_record_is_mute_until_it_is_told() {
    let mut signer = open(LossyDisk::new()).unwrap();
    signer.take_over(FIRST).unwrap();
    signer.start_height(FIRST, Height(1)).unwrap();
    assert!(signer.release(FIRST, ours(vote(1, 0, 7))).unwrap().is_empty());
    signer.settle(Action::Observe { from: Height(12) }).unwrap();
    signer.start_height(FIRST, Height(11)).unwrap();
    assert!(signer.release(FIRST, ours(vote(11, 0, 7))).unwrap().is_empty());
    signer.start_height(FIRST, Height(12)).unwrap();
    assert_eq!(signer.release(FIRST, ours(vote(12, 0, 7))).unwrap().len(), 1);
}

#[test]
fn a_promise_without_its_journal_signs_above_it_only_even_after_the_next_restart() {
    let disk = LossyDisk::new();
    let mut signer = begin(disk.clone());
    signer.release(FIRST, ours(vote(1, 0, 7))).unwrap();
    disk.remove(&journal::path(&identity(), Slot::Even)).unwrap();
    for _ in 0..2 {
        let mut signer = open(disk.clone()).unwrap();
        assert_eq!(verdict(&facts(&signer, 0)).action, Action::Abstain { through: Height(1) });
        signer.take_over(FIRST).unwrap();
        signer.start_height(FIRST, Height(1)).unwrap();
        signer.append(FIRST, &entry(1, 0)).unwrap();
        assert!(signer.release(FIRST, ours(vote(1, 0, 8))).unwrap().is_empty());
    }
    let mut signer = open(disk).unwrap();
    signer.take_over(FIRST).unwrap();
    signer.start_height(FIRST, Height(2)).unwrap();
    assert_eq!(signer.release(FIRST, ours(vote(2, 0, 8))).unwrap().len(), 1);
}

#[test]
fn a_lost_ledger_signs_nothing_until_it_is_back_at_the_journal() {
    let disk = LossyDisk::new();
    let mut signer = begin(disk.clone());
    signer.start_height(FIRST, Height(5)).unwrap();
    signer.append(FIRST, &entry(5, 0)).unwrap();
    signer.release(FIRST, ours(vote(5, 0, 7))).unwrap();
    let mut signer = open(disk).unwrap();
    assert_eq!(verdict(&facts(&signer, 0)).action, Action::SyncFirst { ledger: Height(4) });
    signer.take_over(FIRST).unwrap();
    for height in 1..5 {
        signer.start_height(FIRST, Height(height)).unwrap();
        signer.append(FIRST, &entry(height, 0)).unwrap();
        assert!(signer.release(FIRST, ours(vote(height, 0, 8))).unwrap().is_empty());
        signer.committed(Height(height));
    }
    signer.start_height(FIRST, Height(5)).unwrap();
    assert_eq!(signer.entries().unwrap(), [entry(5, 0)]);
    assert!(signer.release(FIRST, ours(vote(5, 0, 8))).unwrap().is_empty());
    assert_eq!(signer.release(FIRST, ours(vote(5, 0, 7))).unwrap().len(), 1);
}

#[test]
fn a_message_in_our_name_that_the_journal_lacks_is_noticed() {
    let mut signer = begin(LossyDisk::new());
    signer.release(FIRST, ours(vote(1, 0, 7))).unwrap();
    assert!(signer.holds(&vote(1, 0, 7)));
    assert!(!signer.holds(&vote(1, 0, 8)));
    assert!(!signer.holds(&vote(1, 1, 7)));
    assert!(!signer.holds(&vote(2, 0, 7)));
    signer.committed(Height(1));
    signer.start_height(FIRST, Height(2)).unwrap();
    assert!(signer.holds(&vote(1, 3, 7)));
}

#[test]
fn what_others_signed_passes_even_when_we_are_mute() {
    let mut signer = begin(LossyDisk::new());
    signer.mute(Height(1));
    let mut signed = match vote(1, 0, 7) {
        ConsensusMessage::Vote(signed) => signed,
        other => panic!("{other:?}"),
    };
    signed.message.validator = Address::repeat_byte(5);
    assert_eq!(signer.release(FIRST, vec![Unreleased::verified(ConsensusMessage::Vote(signed))]).unwrap().len(), 1);
    assert!(signer.release(FIRST, vec![Unreleased::verified(vote(1, 0, 7))]).unwrap().is_empty());
}

#[test]
fn real_files_remember_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut signer = begin(Filesystem::at(directory.path()));
    for height in 1..4 {
        signer.append(FIRST, &entry(height, 0)).unwrap();
        signer.release(FIRST, ours(vote(height, 0, 7))).unwrap();
        signer.committed(Height(height));
        signer.start_height(FIRST, Height(height + 1)).unwrap();
    }
    let mut signer = open(Filesystem::at(directory.path())).unwrap();
    assert_eq!(verdict(&facts(&signer, 2)).action, Action::Sign { height: Height(3), replay: true });
    signer.take_over(FIRST).unwrap();
    signer.start_height(FIRST, Height(3)).unwrap();
    assert_eq!(signer.entries().unwrap(), [entry(3, 0)]);
    assert!(signer.release(FIRST, ours(vote(3, 0, 8))).unwrap().is_empty());
}

/// A disk that fails with `kind` from its nth changing operation on, `times` times.
#[derive(Clone)]
struct Fused {
    disk: LossyDisk,
    left: Arc<AtomicI64>,
    times: i64,
    kind: io::ErrorKind,
}

struct FusedFile(Box<dyn DiskFile>, Fused);

impl Fused {
    fn burn(&self) -> io::Result<()> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 || left <= -self.times { Ok(()) } else { Err(self.kind.into()) }
    }
}

impl Disk for Fused {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.burn()?;
        Ok(Box::new(FusedFile(self.disk.open(path)?, self.clone())))
    }
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.burn()?;
        self.disk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.burn()?;
        self.disk.rename(from, to)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.burn()?;
        self.disk.sync_directory(directory)
    }
    fn locate(&self, path: &Path) -> PathBuf {
        self.disk.locate(path)
    }
}

impl DiskFile for FusedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.burn()?;
        self.0.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.0.read_at(offset, length)
    }
    fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.1.burn()?;
        self.0.set_len(length)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.1.burn()?;
        self.0.sync()
    }
}

const HEIGHTS: u64 = 3;

/// What a run has seen leave, and what it appended before.
#[derive(Default)]
struct Seen {
    /// Height and round of every message that left; its value is that of the run.
    left: Vec<(u64, u32, u8)>,
    /// Heights that the ledger holds.
    tip: u64,
}

/// Three heights of two rounds each; resumes where `seen` ends. In round r the entries 0..=r are there first.
fn live(disk: impl Disk, seen: &mut Seen, value: u8) -> Result<(), SignerError> {
    let mut signer = open(disk)?;
    let verdict = verdict(&facts(&signer, seen.tip));
    assert!(matches!(verdict.action, Action::Begin | Action::Sign { .. }), "a crash costs no voice: {}", verdict.text);
    signer.settle(verdict.action)?;
    signer.take_over(FIRST)?;
    for height in seen.tip + 1..=HEIGHTS {
        signer.start_height(FIRST, Height(height))?;
        let replayed = signer.entries()?;
        let last_left = seen.left.iter().filter(|(of, ..)| *of == height).map(|(_, round, _)| *round + 1).max().unwrap_or(0);
        let expected: Vec<Entry> = (0..2).map(|round| entry(height, round)).collect();
        assert!(expected.starts_with(&replayed), "garbage was replayed: {replayed:?}");
        assert!(replayed.len() >= last_left as usize, "an entry is gone that a message rests on");
        for round in 0..2 {
            if replayed.len() <= round as usize {
                signer.append(FIRST, &entry(height, round))?;
            }
            let left = signer.release(FIRST, ours(vote(height, round, value)))?;
            seen.left.extend(left.iter().map(|_| (height, round, value)));
        }
        seen.tip = height;
        signer.committed(Height(height));
    }
    Ok(())
}

#[test]
fn a_crash_at_any_disk_operation_costs_nothing_and_says_nothing_twice() {
    let survivals = [Survival::SyncedOnly, Survival::Everything, Survival::Torn { bytes: 100 }, Survival::Torn { bytes: 5000 }];
    let mut crashes = 0;
    for survival in survivals {
        for operation in 0.. {
            let disk = LossyDisk::new();
            let fuse = Arc::new(AtomicI64::new(operation));
            let fused = Fused { disk: disk.clone(), left: fuse, times: i64::MAX, kind: io::ErrorKind::Other };
            let mut seen = Seen::default();
            let ended = live(fused, &mut seen, 1);
            disk.crash(survival);
            // The second life would say something else; where the first one spoke, it must not.
            live(disk.clone(), &mut seen, 2).unwrap();
            let mut slots: Vec<_> = seen.left.iter().map(|(height, round, _)| (*height, *round)).collect();
            slots.sort();
            slots.dedup();
            assert_eq!(slots.len(), seen.left.iter().collect::<std::collections::BTreeSet<_>>().len(), "said twice differently");
            if ended.is_ok() {
                break;
            }
            crashes += 1;
        }
    }
    assert!(crashes > 100, "{crashes}");
}

#[test]
fn after_a_failed_sync_nothing_ever_leaves() {
    for operation in 0.. {
        let fused = Fused { disk: LossyDisk::new(), left: Arc::new(AtomicI64::new(i64::MAX)), times: 1, kind: io::ErrorKind::Other };
        let mut signer = begin(fused.clone());
        fused.left.store(operation, Ordering::SeqCst);
        match signer.release(FIRST, ours(vote(1, 0, 7))) {
            Ok(_) => break,
            Err(error) => assert!(error.is_terminal(), "{error}"),
        }
        assert!(matches!(signer.release(FIRST, ours(vote(1, 0, 7))), Err(SignerError::Failed { .. })));
        assert!(matches!(signer.append(FIRST, &entry(1, 0)), Err(SignerError::Failed { .. })));
    }
}

#[test]
fn what_is_too_much_for_a_journal_names_the_journal_of_that_height() {
    let mut signer = begin(LossyDisk::new());
    let body = BodyEntry { height: Height(1), round: Round(0), value: B256::ZERO, body: vec![0; limits::MAX_JOURNALLED_BODY_BYTES].into() };
    let entry = Entry::Body(body);
    let refusal = (0..MAX_JOURNAL_BYTES / limits::MAX_JOURNALLED_BODY_BYTES).find_map(|_| signer.append(FIRST, &entry).err()).unwrap();
    assert!(refusal.to_string().contains("-0.wal") && refusal.to_string().contains("height 1"), "{refusal}");
}

#[test]
fn without_room_messages_wait_and_leave_when_there_is_room_again() {
    let fused = Fused { disk: LossyDisk::new(), left: Arc::new(AtomicI64::new(i64::MAX)), times: 1, kind: io::ErrorKind::StorageFull };
    let mut signer = begin(fused.clone());
    fused.left.store(1, Ordering::SeqCst);
    signer.append(FIRST, &entry(1, 0)).unwrap();
    let error = signer.release(FIRST, ours(vote(1, 0, 7))).unwrap_err();
    assert!(error.is_retryable() && !error.is_terminal(), "{error}");
    assert_eq!(signer.release(FIRST, Vec::new()).unwrap(), [vote(1, 0, 7)]);
    assert_eq!(signer.entries().unwrap(), [entry(1, 0)]);
}
