//! What a node keeps beside its signer: undecided blocks and the ledger, on the same disk.

use std::{collections::BTreeMap, io, path::PathBuf};

use primitives::{Address, B256, Bytes, Certificate, CommitSignature, Disk, Height, LossyDisk, Round, Signature};

use crate::fuse::FusedDisk;

const LEDGER: &str = "ledger";
/// The batch that is being written.
const BATCH: &str = "batch";
const UNDECIDED: &str = "undecided";

/// A decided block.
#[derive(Clone, Debug)]
pub struct Decided {
    pub certificate: Certificate,
    pub body: Bytes,
}

/// The blocks of one node, for one life of it.
pub struct Store {
    disk: FusedDisk,
    pub decided: BTreeMap<Height, Decided>,
    /// By hash. Gone with the process unless it was synced, or rode in the journal.
    pub bodies: BTreeMap<B256, Bytes>,
    /// The block that we proposed ourselves in a round.
    pub own: BTreeMap<(Height, Round), B256>,
}

impl Store {
    /// What earlier lives left on `disk`.
    pub fn open(disk: FusedDisk) -> io::Result<Self> {
        let mut store = Self { disk, decided: BTreeMap::new(), bodies: BTreeMap::new(), own: BTreeMap::new() };
        for name in store.disk.list(LEDGER.as_ref())?.into_iter().filter(|name| name != BATCH) {
            let bytes = store.disk.read(&PathBuf::from(LEDGER).join(name))?.unwrap_or_default();
            if let Some(decided) = decode(&bytes) {
                store.decided.insert(decided.certificate.height, decided);
            }
        }
        for name in store.disk.list(UNDECIDED.as_ref())? {
            let body: Bytes = store.disk.read(&PathBuf::from(UNDECIDED).join(&name))?.unwrap_or_default().into();
            let hash = crate::block::hash(&body);
            // Torn files do not hash to their names.
            let Some(own) = name.strip_prefix(&format!("{hash}")) else { continue };
            let place = own.strip_prefix('-').and_then(|own| own.split_once('-'));
            if let Some((Ok(height), Ok(round))) = place.map(|(height, round)| (height.parse(), round.parse())) {
                store.own.insert((Height(height), Round(round)), hash);
            }
            store.bodies.insert(hash, body);
        }
        Ok(store)
    }

    pub fn tip(&self) -> Height {
        self.decided.keys().next_back().copied().unwrap_or_default()
    }

    /// Writes an undecided block, and syncs it if `is_synced`.
    pub fn keep(&mut self, body: &Bytes, own: Option<(Height, Round)>, is_synced: bool) -> io::Result<()> {
        let hash = crate::block::hash(body);
        let place = own.map(|(height, round)| format!("-{height}-{round}")).unwrap_or_default();
        let mut file = self.disk.open(&PathBuf::from(UNDECIDED).join(format!("{hash}{place}")))?;
        file.write_at(0, body)?;
        if is_synced {
            file.sync()?;
            self.disk.sync_directory(UNDECIDED.as_ref())?;
        }
        Ok(())
    }

    pub fn disk(&self) -> &LossyDisk {
        &self.disk.disk
    }

    /// One durable batch: the block with its certificate becomes the tip, undecided blocks go.
    pub fn commit(&mut self, decided: Decided, is_synced: bool) -> io::Result<()> {
        let height = decided.certificate.height;
        let (fresh, path) = (PathBuf::from(LEDGER).join(BATCH), PathBuf::from(LEDGER).join(format!("{:020}", height.0)));
        let mut file = self.disk.open(&fresh)?;
        file.set_len(0)?;
        file.write_at(0, &encode(&decided))?;
        if is_synced {
            file.sync()?;
        }
        self.disk.rename(&fresh, &path)?;
        if is_synced {
            self.disk.sync_directory(LEDGER.as_ref())?;
        }
        self.decided.insert(height, decided);
        self.bodies.clear();
        self.own.retain(|(of, _), _| *of > height);
        for name in self.disk.list(UNDECIDED.as_ref())? {
            self.disk.remove(&PathBuf::from(UNDECIDED).join(name))?;
        }
        Ok(())
    }
}

/// height 8, round 4, value 32, count 4, (validator 20, signature 64) each, body.
fn encode(decided: &Decided) -> Vec<u8> {
    let Decided { certificate, body } = decided;
    let mut bytes = Vec::new();
    bytes.extend(certificate.height.to_be_bytes());
    bytes.extend(certificate.round.0.to_be_bytes());
    bytes.extend(&certificate.value[..]);
    bytes.extend((certificate.signatures.len() as u32).to_be_bytes());
    for signed in &certificate.signatures {
        bytes.extend(&signed.validator[..]);
        bytes.extend(signed.signature.to_bytes());
    }
    bytes.extend_from_slice(body);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Decided> {
    let height = Height(u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?));
    let round = Round(u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?));
    let value = B256::from_slice(bytes.get(12..44)?);
    let count = u32::from_be_bytes(bytes.get(44..48)?.try_into().ok()?) as usize;
    let (signatures, body) = bytes.get(48..)?.split_at_checked(count.checked_mul(84)?)?;
    let signatures = signatures
        .chunks_exact(84)
        .map(|signed| {
            let signature = Signature::from_bytes(&signed[20..]).ok()?;
            Some(CommitSignature { validator: Address::from_slice(&signed[..20]), signature })
        })
        .collect::<Option<_>>()?;
    Some(Decided { certificate: Certificate { height, round, value, signatures }, body: body.to_vec().into() })
}
