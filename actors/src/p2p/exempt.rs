//! Whom the listener lets in without work: nodes that it knows by their id, before they prove that it is theirs. Whoever
//! merely claims such an id fails at the proof.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use primitives::{Address, NodeId, PeerAddress};

use super::gossip::SEATS_PER_VALIDATOR;

/// Configured peers, and the latest nodes of each validator of the set. Cheap to clone; lost with the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Exempt(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By their place in the configuration.
    configured: BTreeMap<usize, NodeId>,
    validators: BTreeMap<Address, Vec<NodeId>>,
}

impl Exempt {
    pub fn configure(&self, peers: &[PeerAddress]) {
        let known = peers.iter().enumerate().filter_map(|(index, peer)| peer.node.map(|node| (index, node)));
        self.0.lock().configured.extend(known);
    }

    /// We have reached `node` where a configured peer should be.
    pub fn reached(&self, index: usize, node: NodeId) {
        self.0.lock().configured.insert(index, node);
    }

    /// `node` has proved to speak for a validator of the set.
    pub fn proved(&self, validator: Address, node: NodeId) {
        let mut known = self.0.lock();
        let nodes = known.validators.entry(validator).or_default();
        nodes.retain(|other| *other != node);
        nodes.insert(0, node);
        nodes.truncate(SEATS_PER_VALIDATOR);
    }

    pub fn has(&self, node: &NodeId) -> bool {
        let known = self.0.lock();
        known.configured.values().chain(known.validators.values().flatten()).any(|other| other == node)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId(Address::repeat_byte(byte))
    }

    #[test]
    fn configured_peers_are_exempt_once_their_node_is_known() {
        let exempt = Exempt::default();
        exempt.configure(&[format!("{}@10.0.0.1:4130", node(1)).parse().unwrap(), "10.0.0.2:4130".parse().unwrap()]);
        assert!(exempt.has(&node(1)) && !exempt.has(&node(2)));
        exempt.reached(1, node(2));
        assert!(exempt.has(&node(2)));
    }

    #[test]
    fn a_validator_has_its_latest_nodes_and_no_more() {
        let exempt = Exempt::default();
        for byte in [1, 2, 1, 3] {
            exempt.proved(Address::ZERO, node(byte));
        }
        assert_eq!([1, 2, 3].map(|byte| exempt.has(&node(byte))), [true, false, true]);
    }
}
