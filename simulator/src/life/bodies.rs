//! Bodies and blocks: where they come from, and when they are durable.

use super::*;

impl Life {
    /// A peer sent this.
    pub fn receive(&mut self, from: NodeId, address: Address, packet: Packet, hands: &mut Hands<'_>) -> Outcome {
        match packet {
            Packet::Consensus(message) => self.events.push_back(Event::Message { from, message }),
            Packet::Body { body } => self.body_received(body, hands)?,
            Packet::WantBody(value) => {
                let known = self.store.bodies.get(&value);
                let decided = self.store.decided.values().rev().map(|decided| &decided.body).find(|body| block::hash(body) == value);
                let body = known.or(decided).cloned();
                hands.sent.extend(body.map(|body| (Recipient::Peer(from), Packet::Body { body })));
            }
            Packet::AskStanding => {
                let question = hands.rng.next_u64();
                self.questions.insert(question, from);
                self.events.push_back(Event::StandingAsked { question, by: address });
            }
            Packet::Standing(standing) => self.events.push_back(Event::StandingAnswered { by: address, standing: *standing }),
            Packet::AskRound => self.events.push_back(Event::RoundAsked { by: from }),
            Packet::Tip(tip) => self.follow(tip, hands),
            Packet::WantBlock(height) => {
                let block = self.store.decided.get(&height).cloned();
                let packet = block.map(|Decided { certificate, body }| Packet::Block { certificate, body });
                hands.sent.extend(packet.map(|packet| (Recipient::Peer(from), packet)));
            }
            Packet::Block { certificate, body } => self.block_received(certificate, body, hands)?,
        }
        self.drain(hands)
    }

    /// Peers with a session.
    pub fn peer(&mut self, node: NodeId, validator: Address, is_up: bool, hands: &mut Hands<'_>) -> Outcome {
        if is_up {
            self.peers.insert(node, Some(validator));
            self.tell(Event::PeerUp { node, validator: Some(validator) }, hands)
        } else if self.peers.remove(&node).is_some() {
            self.tell(Event::PeerDown { node }, hands)
        } else {
            Ok(())
        }
    }

    pub(super) fn accept(&mut self, proposal: Proposal, hands: &mut Hands<'_>) -> Outcome {
        let Proposal { height, round, value, pol_round, proposer } = proposal;
        let block = ProposedBlock { height, round, pol_round, proposer, value };
        self.accepted.insert((height, round), block);
        if let Some(position) = self.loose.iter().position(|body| block::hash(body) == value) {
            self.store.bodies.extend(self.loose.remove(position).map(|body| (value, body)));
        }
        match self.store.bodies.get(&value).cloned() {
            Some(body) => self.proposed_body_arrived(block, &body, hands),
            None => {
                hands.later.push((Duration::from_millis(FETCH_AGAIN_MS), Task::FetchBody(block)));
                Ok(())
            }
        }
    }

    fn body_received(&mut self, body: Bytes, hands: &mut Hands<'_>) -> Outcome {
        let value = block::hash(&body);
        if self.store.bodies.contains_key(&value) {
            return Ok(());
        }
        let wanted: Vec<ProposedBlock> = self.accepted.values().filter(|block| block.value == value).copied().collect();
        if wanted.is_empty() {
            self.loose.truncate(MAX_LOOSE_BODIES - 1);
            self.loose.push_front(body);
            return Ok(());
        }
        self.store.bodies.insert(value, body.clone());
        wanted.into_iter().try_for_each(|block| self.proposed_body_arrived(block, &body, hands))
    }

    fn proposed_body_arrived(&mut self, block: ProposedBlock, body: &Bytes, hands: &mut Hands<'_>) -> Outcome {
        self.body_arrived(block.height, block.round, body, false, hands)?;
        hands.later.push((soon(hands.rng, 200, 5_000), Task::Judge(block)));
        Ok(())
    }

    /// Makes a body durable, or hands it to the host if it is small enough to ride in the journal.
    pub(super) fn body_arrived(&mut self, height: Height, round: Round, body: &Bytes, is_own: bool, hands: &mut Hands<'_>) -> Outcome {
        let value = block::hash(body);
        let skips_sync = self.us.sabotage == Some(Sabotage::SkipBodySync);
        let rides = body.len() < block::LARGE_BYTES && !skips_sync;
        if !rides && self.synced.insert(value) {
            let kept = self.store.keep(body, is_own.then_some((height, round)), !skips_sync);
            self.disk(kept, hands)?;
        }
        self.events.push_back(Event::BodyDurable { height, round, value, body: rides.then(|| body.clone()) });
        Ok(())
    }

    pub(super) fn judge(&mut self, block: ProposedBlock, hands: &mut Hands<'_>) {
        let Some(body) = self.store.bodies.get(&block.value) else { return };
        let verdict = match block::is_valid(body, block.height) {
            _ if hands.rng.random_bool(0.01) => Verdict::None,
            true => Verdict::Valid,
            false => Verdict::Invalid { rule: "rubbish".into() },
        };
        self.events.push_back(Event::Judged { block, verdict });
    }

    pub(super) fn fetch_body(&mut self, block: ProposedBlock, hands: &mut Hands<'_>) {
        let is_wanted = self.accepted.get(&(block.height, block.round)) == Some(&block) && !self.store.bodies.contains_key(&block.value);
        if is_wanted {
            hands.sent.push((Recipient::Everybody, Packet::WantBody(block.value)));
            hands.later.push((Duration::from_millis(FETCH_AGAIN_MS), Task::FetchBody(block)));
        }
    }

    /// Others hold a block of height `tip`.
    pub(super) fn follow(&mut self, tip: Height, hands: &mut Hands<'_>) {
        let is_behind_already = self.store.tip() < self.target;
        self.target = self.target.max(tip);
        if !is_behind_already {
            self.fetch_block(hands);
        }
    }

    pub(super) fn fetch_block(&mut self, hands: &mut Hands<'_>) {
        if self.store.tip() < self.target {
            hands.sent.push((Recipient::Everybody, Packet::WantBlock(self.store.tip().next())));
            hands.later.push((Duration::from_millis(FETCH_AGAIN_MS), Task::FetchBlock));
        }
    }

    fn block_received(&mut self, certificate: Certificate, body: Bytes, hands: &mut Hands<'_>) -> Outcome {
        let is_next = certificate.height == self.store.tip().next();
        if !is_next || block::hash(&body) != certificate.value {
            return Ok(());
        }
        let value = certificate.value;
        if self.store.bodies.insert(value, body.clone()).is_none() && self.synced.insert(value) {
            let kept = self.store.keep(&body, None, true);
            self.disk(kept, hands)?;
        }
        self.events.push_back(Event::Synced(certificate));
        Ok(())
    }
}
