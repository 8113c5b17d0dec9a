//! A node in memory: three blocks, two accounts, one contract, and faults on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, RwLock},
};

use alloy_consensus::{Receipt, SignableTransaction, TxEip1559, TxLegacy, transaction::Recovered};
use alloy_eips::{
    Decodable2718,
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawals,
    eip7840::BlobParams,
};
use alloy_primitives::{Address, B256, Bytes, Log, Signature, TxKind, U256, address, b256};
use api::{
    Accessed, AccountProof, AccountState, ActorsHealth, Backend, BackendError, BanStatus, BlobsHealth, BlockRef, BlockchainHealth, Call, ChainHealth,
    Check, ClockHealth, ComponentType, ConsensusHealth, Contradiction, Criterion, DecidedBlock, Direction, Fork, ForkSchedule, Found, Happenings,
    Health, LogCriteria, MempoolHealth, P2pHealth, PeerLimits, PeerStatus, PeersPage, PoolContent, QueuedBytes, Rejection, ScoreParts, SealedHeader,
    Signing, SlotProof, Status, StorageHealth, SyncHealth, SyncStatus, Tracing, UnixSeconds, Validators, Volume,
};
use primitives::{
    Block, Certificate, CommitSignature, Header, Height, Metadata, Round, SecretKey, Transaction, Validator, ValidatorSet, light::Bundle,
};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::{decided, tree::Tree};

pub const CHAIN_ID: u64 = 1337;
pub const ALICE: Address = address!("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
pub const CONTRACT: Address = address!("0x00000000000000000000000000000000000c0de0");
pub const TOPIC: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
pub const OTHER_TOPIC: B256 = B256::repeat_byte(7);

/// When the next fork begins.
pub const OSAKA: u64 = 1_900_000_000;
/// Waiting transactions that a listener may be behind.
pub const PENDING: usize = 256;

type Decided = (Arc<DecidedBlock>, Arc<Vec<Receipt>>);

/// Input of a call that panics.
pub const PANIC: &[u8] = &[0xde, 0xad];

/// What a test changes while the server runs.
#[derive(Default)]
pub struct Faults {
    pub submit: Option<BackendError>,
    pub call: Option<BackendError>,
    pub status: Option<Status>,
    pub not_ready: bool,
    pub sync: Option<SyncStatus>,
    /// Contradictions that are kept.
    pub contradictions: usize,
    pub trace: Option<BackendError>,
    /// Too much waits to be listed.
    pub full: bool,
    /// `health`, `readiness` and `peers` never answer.
    pub mute: bool,
}

#[derive(Clone)]
pub struct Node {
    blocks: Arc<RwLock<Vec<Decided>>>,
    heads: watch::Sender<Height>,
    pending: broadcast::Sender<B256>,
    pub faults: Arc<Mutex<Faults>>,
    /// A call takes one permit for good; with none left it never ends.
    pub calls: Arc<Semaphore>,
    /// Calls that were begun.
    pub begun: Arc<Semaphore>,
    pub submitted: Arc<Mutex<Vec<Bytes>>>,
    pub tree: Tree,
}

impl Node {
    pub async fn new() -> Self {
        let node = Self {
            tree: Tree::start().await,
            blocks: Arc::default(),
            heads: watch::Sender::new(Height(0)),
            pending: broadcast::Sender::new(PENDING),
            faults: Arc::default(),
            calls: Arc::new(Semaphore::new(1_000_000)),
            begun: Arc::new(Semaphore::new(0)),
            submitted: Arc::default(),
        };
        for (transactions, of_block) in [
            (vec![], vec![]),
            (vec![transfer(0), deployment(1)], vec![receipt(21_000, 0), receipt(121_000, 2)]),
            (vec![transfer(2)], vec![receipt(30_000, 1)]),
        ] {
            node.decide_with(transactions, of_block);
        }
        node
    }

    /// One more block, with one transaction and one log of [`TOPIC`].
    pub fn decide(&self) {
        self.decide_with(vec![transfer(3)], vec![receipt(21_000, 1)]);
    }

    pub fn decide_with(&self, transactions: Vec<Transaction>, receipts: Vec<Receipt>) {
        let mut blocks = self.blocks.write().unwrap();
        let parent = blocks.last().map(|(parent, _)| parent.hash).unwrap_or_default();
        let height = blocks.len() as u64;
        let decided = block(height, parent, transactions, &receipts);
        blocks.push((Arc::new(decided), Arc::new(receipts)));
        drop(blocks);
        self.heads.send_replace(Height(height));
    }

    /// Says that `hash` waits now.
    pub fn waits(&self, hash: B256) {
        self.pending.send(hash).unwrap();
    }

    pub fn block_at(&self, height: usize) -> Arc<DecidedBlock> {
        self.blocks.read().unwrap()[height].0.clone()
    }

    fn all(&self) -> Vec<Arc<DecidedBlock>> {
        self.blocks.read().unwrap().iter().map(|(block, _)| block.clone()).collect()
    }

    /// The hash of the one transaction in the pool.
    pub fn waiting(&self) -> B256 {
        *transfer(3).tx_hash()
    }

    fn find(&self, block: BlockRef) -> Option<Arc<DecidedBlock>> {
        match block {
            BlockRef::Latest => self.all().pop(),
            BlockRef::Height(height) => self.all().get(usize::try_from(height.0).ok()?).cloned(),
            BlockRef::Hash(hash) => self.all().into_iter().find(|block| block.hash == hash),
        }
    }

    /// State is kept of the head only.
    fn state(&self, at: BlockRef) -> Result<(), BackendError> {
        let height = Height(self.find(at).ok_or(BackendError::UnknownBlock)?.block.header.number);
        let head = Height(self.all().len() as u64 - 1);
        if height == head { Ok(()) } else { Err(BackendError::NotKept { what: "the state", block: height, oldest: head, newest: head }) }
    }

    async fn unless_mute(&self) {
        let is_mute = self.faults.lock().unwrap().mute;
        if is_mute {
            std::future::pending::<()>().await;
        }
    }
}

fn traced(what: &str, tracing: Tracing) -> Box<RawValue> {
    to_raw_value(&[what, &format!("{:?}", tracing.tracer), &format!("{:?}", tracing.limit)]).unwrap()
}

pub fn transfer(nonce: u64) -> Transaction {
    let to = TxKind::Call(CONTRACT);
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to,
        value: U256::from(1),
        ..Default::default()
    };
    transaction.into_signed(Signature::test_signature()).into()
}

fn deployment(nonce: u64) -> Transaction {
    let transaction = TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce,
        gas_price: 2_000_000_000,
        gas_limit: 100_000,
        to: TxKind::Create,
        input: Bytes::from_static(&[0x60]),
        value: U256::ZERO,
    };
    transaction.into_signed(Signature::test_signature()).into()
}

pub fn receipt(cumulative_gas_used: u64, logs: usize) -> Receipt {
    let log = |index| Log::new_unchecked(CONTRACT, if index == 0 { vec![TOPIC] } else { vec![TOPIC, OTHER_TOPIC] }, Bytes::from(vec![index as u8]));
    Receipt { status: true.into(), cumulative_gas_used, logs: (0..logs).map(log).collect() }
}

fn block(number: u64, parent_hash: B256, transactions: Vec<Transaction>, receipts: &[Receipt]) -> DecidedBlock {
    let mut header = Header {
        number,
        parent_hash,
        timestamp: 1_767_225_600 + number,
        gas_limit: 30_000_000,
        gas_used: receipts.last().map_or(0, |receipt| receipt.cumulative_gas_used),
        base_fee_per_gas: Some(1_000_000_000),
        withdrawals_root: Some(B256::ZERO),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::repeat_byte(3)),
        requests_hash: Some(B256::repeat_byte(4)),
        ..Default::default()
    };
    for log in receipts.iter().flat_map(|receipt| &receipt.logs) {
        header.logs_bloom.accrue_log(log);
    }
    let senders = vec![ALICE; transactions.len()];
    let hash = header.hash_slow();
    let body = alloy_consensus::BlockBody { transactions, ommers: vec![], withdrawals: Some(Withdrawals::default()) };
    DecidedBlock { hash, block: Block { header, body }, senders, size_bytes: 600 }
}

/// The right shape; it proves nothing.
fn bundle(block: &DecidedBlock) -> Bundle {
    let key = SecretKey::from_bytes([1; 32]).unwrap();
    let validators = ValidatorSet::new(vec![Validator { address: key.address(), public_key: key.public_key(), power: 1 }]).unwrap();
    let signature = CommitSignature { validator: key.address(), signature: key.sign(block.hash) };
    let height = Height(block.block.header.number);
    Bundle {
        header: block.block.header.clone(),
        metadata: Metadata { parent_certificate: None, validators_hash: validators.hash(), next_validators_hash: validators.hash() },
        certificate: Certificate { height, round: Round(0), value: block.hash, signatures: vec![signature] },
        validators: Some(validators),
        next_validators: None,
    }
}

impl Backend for Node {
    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    fn client_version(&self) -> String {
        "axolotl/test".into()
    }

    fn blob_params(&self, _: u64) -> BlobParams {
        BlobParams::prague()
    }

    fn forks(&self) -> ForkSchedule {
        let forks = vec![(Fork::Cancun, 0), (Fork::Prague, 0), (Fork::Osaka, OSAKA)];
        ForkSchedule { genesis: self.block_at(0).hash, genesis_time: 1_767_225_600, forks }
    }

    fn heads(&self) -> watch::Receiver<Height> {
        self.heads.subscribe()
    }

    fn pending(&self) -> broadcast::Receiver<B256> {
        self.pending.subscribe()
    }

    async fn head(&self) -> Result<SealedHeader, BackendError> {
        self.header(BlockRef::Latest).await?.ok_or(BackendError::UnknownBlock)
    }

    async fn header(&self, block: BlockRef) -> Result<Option<SealedHeader>, BackendError> {
        Ok(self.find(block).map(|block| SealedHeader::new_unchecked(block.block.header.clone(), block.hash)))
    }

    async fn headers(&self, first: Height, count: u64) -> Result<Vec<SealedHeader>, BackendError> {
        let blocks = self.all().into_iter().skip(first.0 as usize).take(count as usize);
        Ok(blocks.map(|block| SealedHeader::new_unchecked(block.block.header.clone(), block.hash)).collect())
    }

    async fn block(&self, block: BlockRef) -> Result<Option<Arc<DecidedBlock>>, BackendError> {
        Ok(self.find(block))
    }

    async fn raw_block(&self, block: BlockRef) -> Result<Option<Bytes>, BackendError> {
        Ok(self.find(block).map(|block| alloy_rlp::encode(&block.block).into()))
    }

    async fn light_proof(&self, block: BlockRef) -> Result<Option<Bundle>, BackendError> {
        Ok(self.find(block).map(|block| bundle(&block)))
    }

    async fn metadata(&self, height: Height) -> Result<Option<Metadata>, BackendError> {
        Ok((height != Height::GENESIS && self.find(BlockRef::Height(height)).is_some()).then(decided::metadata))
    }

    async fn certificate(&self, height: Height) -> Result<Option<Certificate>, BackendError> {
        let block = self.find(BlockRef::Height(height)).filter(|_| height != Height::GENESIS);
        Ok(block.map(|block| decided::certificate(height, block.hash)))
    }

    async fn validators(&self, _: Height) -> Result<Validators, BackendError> {
        Ok(decided::validators())
    }

    async fn contradictions(&self, max: usize) -> Result<Vec<Contradiction>, BackendError> {
        let kept = self.faults.lock().unwrap().contradictions;
        Ok((0..kept.min(max)).map(decided::contradiction).collect())
    }

    async fn receipts(&self, height: Height) -> Result<Option<Arc<Vec<Receipt>>>, BackendError> {
        Ok(self.blocks.read().unwrap().get(height.0 as usize).map(|(_, receipts)| receipts.clone()))
    }

    async fn transaction(&self, hash: B256) -> Result<Option<Found>, BackendError> {
        if hash == *transfer(3).tx_hash() && self.all().len() == 3 {
            return Ok(Some(Found::Waiting(Box::new(Recovered::new_unchecked(transfer(3), ALICE)))));
        }
        let position = |block: &Arc<DecidedBlock>| {
            let index = block.block.body.transactions.iter().position(|transaction| *transaction.tx_hash() == hash)?;
            Some(Found::Decided { height: Height(block.block.header.number), index: index as u64 })
        };
        Ok(self.all().iter().find_map(position))
    }

    async fn account(&self, address: Address, at: BlockRef) -> Result<AccountState, BackendError> {
        self.state(at)?;
        Ok(if address == ALICE { AccountState { balance: U256::from(10).pow(U256::from(21)), nonce: 3 } } else { AccountState::default() })
    }

    async fn pending_nonce(&self, address: Address) -> Result<u64, BackendError> {
        Ok(if address == ALICE { 4 } else { 0 })
    }

    async fn code(&self, address: Address, at: BlockRef) -> Result<Bytes, BackendError> {
        self.state(at)?;
        Ok(if address == CONTRACT { Bytes::from_static(&[0x60, 0x01]) } else { Bytes::new() })
    }

    async fn storage(&self, address: Address, slot: U256, at: BlockRef) -> Result<B256, BackendError> {
        self.state(at)?;
        Ok(if address == CONTRACT { B256::from(slot) } else { B256::ZERO })
    }

    async fn proof(&self, address: Address, slots: Vec<B256>, at: BlockRef) -> Result<AccountProof, BackendError> {
        let state = self.account(address, at).await?;
        let slot = |slot: B256| SlotProof { value: slot.into(), nodes: vec![Bytes::from_static(&[0xc2, 0x03, 0x04])] };
        let nodes = vec![Bytes::from_static(&[0xc0]), Bytes::from_static(&[0xc2, 0x01, 0x02])];
        let slots = slots.into_iter().map(slot).collect();
        Ok(AccountProof { state, code_hash: B256::repeat_byte(1), storage_root: B256::repeat_byte(2), nodes, slots })
    }

    /// An index of addresses alone.
    async fn log_heights(&self, wanted: LogCriteria, first: Height, last: Height) -> Result<Vec<Height>, BackendError> {
        let has = |log: &Log| wanted.addresses.is_empty() || wanted.addresses.contains(&log.address);
        let blocks = self.blocks.read().unwrap();
        let may_hold = |height: &u64| blocks[*height as usize].1.iter().flat_map(|receipt| &receipt.logs).any(has);
        Ok((first.0..=last.0).filter(may_hold).map(Height).collect())
    }

    /// Every contract answers what it was sent, one whose code is overridden that code.
    async fn call(&self, call: Call, at: BlockRef) -> Result<Bytes, BackendError> {
        self.begun.add_permits(1);
        self.calls.acquire().await.unwrap().forget();
        assert_ne!(call.input, Bytes::from_static(PANIC), "this call was made to panic");
        self.state(at)?;
        match self.faults.lock().unwrap().call.clone() {
            Some(error) => Err(error),
            None => Ok(call.to.and_then(|to| call.overrides.state.get(&to)?.code.clone()).unwrap_or(call.input)),
        }
    }

    async fn estimate_gas(&self, call: Call, at: BlockRef) -> Result<u64, BackendError> {
        self.call(call, at).await.map(|_| 21_000)
    }

    async fn access_list(&self, call: Call, at: BlockRef) -> Result<Accessed, BackendError> {
        let address = call.to.unwrap_or_default();
        self.call(call, at).await?;
        let item = |last| AccessListItem { address, storage_keys: vec![B256::with_last_byte(last), B256::ZERO] };
        Ok(Accessed { list: AccessList(vec![item(1)]), gas_used: 26_000, failure: Some("execution reverted".into()) })
    }

    /// A trace says what was asked for.
    async fn trace_block(&self, block: BlockRef, index: Option<u64>, tracing: Tracing) -> Result<Vec<Box<RawValue>>, BackendError> {
        if let Some(error) = self.faults.lock().unwrap().trace.clone() {
            return Err(error);
        }
        let block = self.find(block).ok_or(BackendError::UnknownBlock)?;
        let count = block.block.body.transactions.len() as u64;
        let wanted = index.map_or(0..count, |index| index..index + 1);
        Ok(wanted.map(|index| traced(&format!("{}/{index}", block.block.header.number), tracing)).collect())
    }

    async fn trace_call(&self, call: Call, at: BlockRef, tracing: Tracing) -> Result<Box<RawValue>, BackendError> {
        self.state(at)?;
        Ok(traced(&call.input.to_string(), tracing))
    }

    async fn pool(&self, sender: Option<Address>, max: usize) -> Result<PoolContent, BackendError> {
        let waiting = |nonce| Arc::new(Recovered::new_unchecked(transfer(nonce), ALICE));
        match sender {
            Some(sender) if sender != ALICE => Ok(PoolContent::default()),
            None if self.faults.lock().unwrap().full => Err(BackendError::LimitExceeded(format!("more than {max} wait"))),
            _ => Ok(PoolContent { pending: vec![waiting(3)], queued: vec![waiting(5), waiting(6)] }),
        }
    }

    async fn submit(&self, raw: Bytes) -> Result<B256, BackendError> {
        if let Some(error) = self.faults.lock().unwrap().submit.clone() {
            return Err(error);
        }
        if raw.is_empty() {
            return Err(Rejection::Malformed { reason: "no bytes".into() }.into());
        }
        let hash = alloy_primitives::keccak256(&raw);
        self.submitted.lock().unwrap().push(raw.clone());
        Ok(Transaction::decode_2718_exact(&raw).map_or(hash, |transaction| *transaction.tx_hash()))
    }

    async fn suggested_tip(&self) -> Result<u128, BackendError> {
        Ok(1_000_000_000)
    }

    async fn sync_status(&self) -> Result<SyncStatus, BackendError> {
        Ok(self.faults.lock().unwrap().sync.unwrap_or(SyncStatus::Synced))
    }

    async fn peers(&self) -> Result<PeersPage, BackendError> {
        self.unless_mute().await;
        let peer = PeerStatus {
            id: "node1".into(),
            address: "127.0.0.1:4140".into(),
            direction: Direction::Outbound,
            validator: Some(ALICE),
            configured: true,
            height: Some(Height(2)),
            rtt_ms: Some(1),
            clock_offset_ms: Some(-3),
            connected_seconds: 5,
            queued_bytes: QueuedBytes::default(),
            inbound: Volume { messages: 10, bytes: 1_000 },
            outbound: Volume { messages: 20, bytes: 2_000 },
            score: 14,
            score_parts: ScoreParts { latency: 20, usefulness: 1, uptime: 0, offences: -7 },
            offences: BTreeMap::from([("malformed".to_owned(), 1)]),
        };
        let ban = BanStatus { who: "203.0.113.7".into(), seconds_left: 9, reason: "flood".into(), by_operator: false, times: 1 };
        let limits = PeerLimits { outbound: 1, max_strangers: 48, max_per_ip: 64, ..PeerLimits::default() };
        Ok(PeersPage { peers: vec![peer], banned: vec![ban], limits })
    }

    async fn health(&self) -> Health {
        self.unless_mute().await;
        let head = self.all().pop().unwrap();
        let chain = ChainHealth {
            blockchain: BlockchainHealth {
                height: Height(head.block.header.number),
                latest_block_hash: head.hash,
                latest_block_time: UnixSeconds(head.block.header.timestamp),
                chain_id: CHAIN_ID,
            },
            consensus: ConsensusHealth {
                height: Height(3),
                round: Round(0),
                step: "prevote".into(),
                validator: true,
                signing: Signing::Enabled,
                last_signed: None,
                stalled_seconds: 0,
                power_online: 4,
                power_needed: 3,
            },
            sync: SyncHealth { state: "synced".into(), behind: 0 },
            p2p: P2pHealth { listening: true, self_dial_ok: true, peers: 3 },
            mempool: MempoolHealth { pending: 1, queued: 2 },
            blobs: BlobsHealth { undecided: 0 },
        };
        Health {
            status: self.faults.lock().unwrap().status.unwrap_or(Status::Ok),
            reasons: vec![],
            checks: vec![Check {
                name: "consensus:stalled",
                kind: ComponentType::Component,
                value: 7.into(),
                unit: Some("s"),
                status: Status::Degraded,
                reason: "no block for 7 s beyond the pace".into(),
            }],
            chains: [("alpha".to_owned(), chain.clone())].into(),
            chain,
            clock: ClockHealth { skew_ms: -3 },
            storage: StorageHealth { lock: "held".into(), free_bytes: 1 },
            actors: ActorsHealth { total: 9, running: 9, restarting: 0, failed: 0, restarts_1h: 0 },
        }
    }

    async fn readiness(&self) -> Vec<Criterion> {
        self.unless_mute().await;
        let is_ready = !self.faults.lock().unwrap().not_ready;
        vec![
            Criterion { name: "storage_open".into(), holds: true, detail: "the lock is held".into() },
            Criterion { name: "p2p_listening".into(), holds: is_ready, detail: "127.0.0.1:4130".into() },
        ]
    }

    fn actors(&self) -> supervision::Snapshot {
        self.tree.0.snapshot()
    }

    fn happenings(&self) -> Option<Happenings> {
        Some(Happenings { events: self.tree.0.events(), began_unix_ms: 1_767_225_600_000 })
    }

    fn now(&self) -> UnixSeconds {
        UnixSeconds(1_767_225_603)
    }
}
