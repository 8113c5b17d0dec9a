//! Our own record: where others reach us, if we know.

use std::net::SocketAddr;

use wire::{AddressRecord, Identity, Services, Whereabouts, is_dialable};

/// A record is signed anew after this long, in milliseconds, so that later copies win over old ones.
const RENEW_MS: u64 = 12 * 60 * 60 * 1_000;

/// The address to tell others: as the operator says, else where we listen, if that is one machine's. What peers report about us
/// is not believed: anybody could send our peers elsewhere with it.
pub(super) fn address(advertised: Option<SocketAddr>, listening: Option<SocketAddr>) -> Option<SocketAddr> {
    advertised.or(listening).filter(is_dialable)
}

/// A record that is due, at this time of day; none while `current` is good.
pub(super) fn renewed(
    current: Option<&AddressRecord>,
    address: Option<SocketAddr>,
    services: Services,
    identity: &Identity,
    now_ms: u64,
) -> Option<AddressRecord> {
    let address = address?;
    let is_good = current.is_some_and(|record| record.address == address && now_ms < record.issued_ms.saturating_add(RENEW_MS));
    // Later than the one before, whatever the clock did.
    let issued_ms = current.map_or(now_ms, |record| now_ms.max(record.issued_ms + 1));
    (!is_good).then(|| identity.record(Whereabouts { address, issued_ms, services }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{B256, Domain, SecretKey};

    use super::*;

    #[test]
    fn the_operator_is_believed_first_and_nowhere_is_never_told() {
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(address(at("5.6.7.8:1"), at("127.0.0.1:2")), at("5.6.7.8:1"));
        assert_eq!(address(None, at("127.0.0.1:2")), at("127.0.0.1:2"));
        assert_eq!((address(None, at("0.0.0.0:2")), address(None, None)), (None, None));
    }

    #[test]
    fn a_record_is_renewed_when_it_is_old_or_we_have_moved() {
        let identity = Identity::new(SecretKey::from_bytes([1; 32]).unwrap(), Domain { chain_id: 1, genesis_hash: B256::ZERO }).unwrap();
        let [here, there] = [1, 2].map(|port| Some(SocketAddr::from(([10, 0, 0, 1], port))));
        let first = renewed(None, here, Services::BLOCKS, &identity, 100).unwrap();
        assert!(first.check(identity.domain(), 100).is_ok());
        assert_eq!(renewed(Some(&first), here, Services::BLOCKS, &identity, 99 + RENEW_MS), None);
        assert!(renewed(Some(&first), here, Services::BLOCKS, &identity, 100 + RENEW_MS).unwrap().replaces(&first));
        assert!(renewed(Some(&first), there, Services::BLOCKS, &identity, 5).unwrap().replaces(&first), "even if the clock was put back");
        assert_eq!(renewed(Some(&first), None, Services::BLOCKS, &identity, 5), None);
    }
}
