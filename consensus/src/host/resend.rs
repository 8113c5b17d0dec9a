//! Helping a peer that missed something. The core itself sends nothing twice but its own last votes.

use std::time::Duration;

use primitives::{Address, ConsensusMessage, NodeId};

use super::{Action, Help, Host, Recipient};
use crate::Unreleased;

/// The shortest time between two helps of one kind for one peer.
const HELP_PERIOD: Duration = Duration::from_millis(500);

impl Host {
    pub(super) fn on_peer_up(&mut self, node: NodeId, validator: Option<Address>) {
        self.proposers.up(node, validator);
        self.helped.retain(|(helped, _), _| *helped != node);
        if validator.is_some() {
            self.ask_soon();
        }
        self.resend(node);
    }

    pub(super) fn on_peer_down(&mut self, node: NodeId) {
        self.proposers.down(node);
        self.helped.retain(|(helped, _), _| *helped != node);
        self.lose_patience();
    }

    /// Everything verified at this height, for one peer: proposals, votes, certificates. What is ours passes the signer again.
    pub(super) fn resend(&mut self, to: NodeId) {
        if !self.may_help(to, Help::Resend) {
            return;
        }
        let messages = self.sendable(self.log.messages());
        if !messages.is_empty() {
            self.outbox.send(Recipient::Peer(to), self.height, messages);
        }
    }

    /// Says again to everybody what the core does not: the proposal of the round it is in. If others went on, follows them.
    pub(super) fn rebroadcast(&mut self) {
        let Some(round) = self.core.as_ref().map(crate::core::Core::round) else { return };
        for message in self.sendable(self.log.proposals(round)) {
            self.outbox.publish(message);
        }
        if self.future.has(self.height.next()) {
            self.hint_sync(self.height.next());
        }
    }

    /// Does `action` for a peer unless it was done just now.
    pub(super) fn help(&mut self, peer: NodeId, help: Help, action: Action) {
        if self.may_help(peer, help) {
            self.actions.push(action);
        }
    }

    fn may_help(&mut self, peer: NodeId, help: Help) -> bool {
        let last = self.helped.get(&(peer, help));
        let is_due = last.is_none_or(|last| HELP_PERIOD <= self.now.monotonic.saturating_sub(*last));
        let may = self.proposers.is_linked(peer) && is_due;
        if may {
            self.helped.insert((peer, help), self.now.monotonic);
        }
        may
    }

    fn sendable(&self, messages: Vec<ConsensusMessage>) -> Vec<Unreleased<ConsensusMessage>> {
        let us = self.crypto.address();
        messages.into_iter().map(|message| Unreleased::published(message, us)).filter(|message| self.may_leave(message)).collect()
    }
}
