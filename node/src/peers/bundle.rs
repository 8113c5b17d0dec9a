//! A peer book to hand on: signed by the node that wrote it, and every record in it by the node that it is about.

use primitives::{B256, Domain, NodeId, PublicKey, SecretKey, Signature};
use serde::{Deserialize, Serialize};
use wire::{AddressRecord, BadRecord};

/// The format that is written and read.
const VERSION: u32 = 1;
/// Entries of one bundle.
const MAX_ENTRIES: usize = 8_192;

/// `axolotl peers export`, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    pub version: u32,
    pub chain_id: u64,
    pub genesis_hash: B256,
    /// In milliseconds since the Unix epoch.
    pub exported_at_ms: u64,
    /// The node that wrote it.
    pub exporter: PublicKey,
    pub entries: Vec<BundleEntry>,
    /// By the exporter, over everything above.
    pub signature: Signature,
}

/// One node of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleEntry {
    /// Where it is and what it offers, in its own words.
    pub record: AddressRecord,
    pub score: i64,
    /// When the exporter last had a session with it, in milliseconds since the Unix epoch; 0: never.
    pub last_seen_ms: u64,
}

/// Why a bundle is not imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    #[error("the bundle has version {found}, and this program reads {VERSION}: export it with the same version of axolotl")]
    Version { found: u32 },
    #[error("the bundle is for chain {theirs}, and this node is on {ours}: export one on a node of this chain")]
    Chain { ours: u64, theirs: u64 },
    #[error("the bundle is for genesis {theirs}, and this node has {ours}: export one on a node of this network")]
    Genesis { ours: B256, theirs: B256 },
    #[error("the bundle has {found} entries, and {MAX_ENTRIES} are the most: export it anew")]
    TooLong { found: usize },
    #[error("the signature of {exporter} over the bundle does not hold: it was changed on its way, so export it again")]
    Forged { exporter: NodeId },
    #[error("entry {index} is not believed: {reason}; nothing was imported, so export the bundle again")]
    Record { index: usize, reason: BadRecord },
}

impl Bundle {
    /// Signed with the node key.
    pub fn new(key: &SecretKey, domain: &Domain, exported_at_ms: u64, mut entries: Vec<BundleEntry>) -> Self {
        entries.truncate(MAX_ENTRIES);
        let exporter = key.public_key();
        let signature = key.sign(digest(domain, exporter, exported_at_ms, &entries));
        Self { version: VERSION, chain_id: domain.chain_id, genesis_hash: domain.genesis_hash, exported_at_ms, exporter, entries, signature }
    }

    /// What it holds, if all of it can be believed.
    pub fn check(self, domain: &Domain, now_ms: u64) -> Result<Vec<BundleEntry>, BadBundle> {
        if self.version != VERSION {
            return Err(BadBundle::Version { found: self.version });
        }
        if self.chain_id != domain.chain_id {
            return Err(BadBundle::Chain { ours: domain.chain_id, theirs: self.chain_id });
        }
        if self.genesis_hash != domain.genesis_hash {
            return Err(BadBundle::Genesis { ours: domain.genesis_hash, theirs: self.genesis_hash });
        }
        if MAX_ENTRIES < self.entries.len() {
            return Err(BadBundle::TooLong { found: self.entries.len() });
        }
        if !self.exporter.verify(digest(domain, self.exporter, self.exported_at_ms, &self.entries), &self.signature) {
            return Err(BadBundle::Forged { exporter: self.exporter.into() });
        }
        for (index, entry) in self.entries.iter().enumerate() {
            entry.record.check(domain, now_ms).map_err(|reason| BadBundle::Record { index, reason })?;
        }
        Ok(self.entries)
    }
}

/// What is signed: `axolotl/peer-bundle/v1`, the chain, version, time of export, the exporter's key, and of each entry the signed digest and the
/// signature of its record, score and last seen.
fn digest(domain: &Domain, exporter: PublicKey, exported_at_ms: u64, entries: &[BundleEntry]) -> B256 {
    let mut content = Vec::with_capacity(64 + 112 * entries.len());
    content.extend_from_slice(&VERSION.to_be_bytes());
    content.extend_from_slice(&exported_at_ms.to_be_bytes());
    content.extend_from_slice(&exporter.to_bytes());
    for BundleEntry { record, score, last_seen_ms } in entries {
        content.extend_from_slice(record.digest(domain).as_slice());
        content.extend_from_slice(&record.signature.to_bytes());
        content.extend_from_slice(&score.to_be_bytes());
        content.extend_from_slice(&last_seen_ms.to_be_bytes());
    }
    domain.digest("axolotl/peer-bundle/v1", &content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wire::{Services, Whereabouts};

    use super::*;
    use crate::development;

    const DOMAIN: Domain = Domain { chain_id: 7, genesis_hash: B256::repeat_byte(1) };
    const NOW: u64 = 1_700_000_000_000;

    fn entry(index: u32) -> BundleEntry {
        let at = Whereabouts { address: ([10, 0, 0, 1], 4_130).into(), issued_ms: NOW, services: Services::BLOCKS };
        BundleEntry { record: AddressRecord::new(&development::node_key(index), &DOMAIN, at), score: 5, last_seen_ms: NOW }
    }

    fn bundle() -> Bundle {
        Bundle::new(&development::node_key(0), &DOMAIN, NOW, vec![entry(1), entry(2)])
    }

    #[test]
    fn what_was_exported_is_imported_through_json() {
        let text = serde_json::to_string(&bundle()).unwrap();
        let read: Bundle = serde_json::from_str(&text).unwrap();
        assert_eq!(read.check(&DOMAIN, NOW), Ok(vec![entry(1), entry(2)]));
    }

    #[test]
    fn each_thing_that_is_wrong_is_named() {
        let (ours, theirs) = (DOMAIN.genesis_hash, B256::ZERO);
        let check = |bundle: Bundle| bundle.check(&DOMAIN, NOW).unwrap_err();
        assert_eq!(check(Bundle { version: 2, ..bundle() }), BadBundle::Version { found: 2 });
        assert_eq!(check(Bundle { chain_id: 8, ..bundle() }), BadBundle::Chain { ours: 7, theirs: 8 });
        assert_eq!(check(Bundle { genesis_hash: theirs, ..bundle() }), BadBundle::Genesis { ours, theirs });
        let exporter = development::node_key(0).public_key().into();
        let changed = [
            Bundle { exported_at_ms: NOW + 1, ..bundle() },
            Bundle { entries: vec![entry(1)], ..bundle() },
            Bundle { entries: vec![BundleEntry { score: 6, ..entry(1) }, entry(2)], ..bundle() },
            Bundle { entries: vec![BundleEntry { last_seen_ms: 0, ..entry(1) }, entry(2)], ..bundle() },
        ];
        assert!(changed.into_iter().all(|bundle| check(bundle) == BadBundle::Forged { exporter }));
    }

    #[test]
    fn an_exporter_that_made_a_record_up_is_found_out() {
        let mut made_up = entry(1);
        made_up.record.address = ([10, 0, 0, 9], 1).into();
        let bundle = Bundle::new(&development::node_key(0), &DOMAIN, NOW, vec![entry(2), made_up]);
        let refused = bundle.check(&DOMAIN, NOW).unwrap_err();
        assert!(matches!(refused, BadBundle::Record { index: 1, reason: BadRecord::Forged { .. } }), "{refused}");
    }
}
