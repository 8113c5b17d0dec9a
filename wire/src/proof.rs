//! Which validator a node speaks for.

use primitives::{B256, Domain, NodeId, PublicKey, SecretKey, Signature};
use serde::{Deserialize, Serialize};

/// A validator's signed word that a node is its own. The node itself is proved by the handshake of the session, so a copy
/// of this statement in another node's hands is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorProof {
    /// The validator's key.
    pub validator: PublicKey,
    /// Its signature over [`ValidatorProof::digest`].
    pub signature: Signature,
}

impl ValidatorProof {
    /// What is signed: the domain tag `axolotl/validator-proof/v1`, the chain, then the node id (20 bytes).
    pub fn digest(domain: &Domain, node: NodeId) -> B256 {
        domain.digest("axolotl/validator-proof/v1", node.0.as_slice())
    }

    /// The statement that `node` speaks for the validator with `key`.
    pub fn new(key: &SecretKey, domain: &Domain, node: NodeId) -> Self {
        Self { validator: key.public_key(), signature: key.sign(Self::digest(domain, node)) }
    }

    /// Whether the validator named in it really says so of `node`. Whether it is a validator at all is for its set to say.
    pub fn holds_for(&self, node: NodeId, domain: &Domain) -> bool {
        self.validator.verify(Self::digest(domain, node), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_holds_for_its_node_and_chain_only() {
        let [validator, node, other] = [1, 2, 3].map(|byte| SecretKey::from_bytes([byte; 32]).unwrap());
        let domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };
        let proof = ValidatorProof::new(&validator, &domain, NodeId::from(node.public_key()));
        assert!(proof.holds_for(NodeId::from(node.public_key()), &domain));
        assert!(!proof.holds_for(NodeId::from(other.public_key()), &domain));
        assert!(!proof.holds_for(NodeId::from(node.public_key()), &Domain { chain_id: 2, ..domain }));
        let stolen = ValidatorProof { validator: other.public_key(), ..proof };
        assert!(!stolen.holds_for(NodeId::from(node.public_key()), &domain));
    }
}
