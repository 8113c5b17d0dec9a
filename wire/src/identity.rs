//! Who this node is on the network.

use std::sync::Arc;

use primitives::{Domain, NodeId, PublicKey, SecretKey};

use crate::{
    AddressRecord, Certificate, Whereabouts,
    tls::{Tls, TlsSetupError},
};

/// The node key, the chain it is used for, and TLS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: SecretKey,
    public_key: PublicKey,
    domain: Domain,
    tls: Tls,
}

impl Identity {
    /// `key` is the node key, which is not the validator key. The certificate is made here and thrown away with it.
    pub fn new(key: SecretKey, domain: Domain) -> Result<Self, TlsSetupError> {
        Self::with_certificate(key, domain, &Certificate::throw_away()?)
    }

    /// The same with the operator's own certificate, which other nodes do not look at.
    pub fn with_certificate(key: SecretKey, domain: Domain, certificate: &Certificate) -> Result<Self, TlsSetupError> {
        let (public_key, tls) = (key.public_key(), Tls::new(certificate)?);
        Ok(Self(Arc::new(Inner { key, public_key, domain, tls })))
    }

    /// The name others know it by.
    pub fn node(&self) -> NodeId {
        self.0.public_key.into()
    }

    pub fn public_key(&self) -> PublicKey {
        self.0.public_key
    }

    pub fn domain(&self) -> &Domain {
        &self.0.domain
    }

    /// This node's own word where it is.
    pub fn record(&self, at: Whereabouts) -> AddressRecord {
        AddressRecord::new(&self.0.key, &self.0.domain, at)
    }

    pub(crate) fn key(&self) -> &SecretKey {
        &self.0.key
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.0.tls
    }
}
