//! Certified blocks from peers.
//!
//! A certificate ends its height, whatever the core is doing there: the core is dropped, nothing more is signed at that height,
//! and the block takes the same road into storage as one we decided.

use primitives::Certificate;

use super::{Committing, Host, Phase, action::CommitOrigin};

impl Host {
    pub(super) fn on_synced(&mut self, certificate: Certificate) {
        let known = match &self.committing {
            Some(committing) if committing.certificate.height == certificate.height => Some(&committing.certificate),
            _ => self.tip.as_ref().filter(|tip| tip.height == certificate.height),
        };
        if let Some(known) = known {
            let conflicts = known.value != certificate.value;
            if conflicts && self.crypto.verify_certificate(&certificate, &self.set).is_ok() {
                self.halt_for_fork(&certificate);
            }
            return;
        }
        if certificate.height != self.height || self.committing.is_some() {
            return;
        }
        if let Err(error) = self.crypto.verify_certificate(&certificate, &self.set) {
            return tracing::warn!(height = %certificate.height, %error, "a certificate that proves nothing");
        }
        self.drop_core();
        self.outbox.forget_through(self.height);
        if !self.keeps_asking() {
            self.phase = Phase::Following;
        }
        self.commit(Committing { certificate, origin: CommitOrigin::Synced, is_parked: false, is_again: false });
        let commit = self.commit_action();
        self.actions.extend(commit);
    }
}
