//! Carries out what the host wants, in order.

use primitives::ConsensusMessage;

use super::*;

impl Life {
    pub(super) fn carry_all(&mut self, actions: Vec<Action>, hands: &mut Hands<'_>) -> Outcome {
        for action in actions {
            if !self.fuse.burn() {
                return Err(Stopped);
            }
            self.carry(action, hands)?;
        }
        Ok(())
    }

    fn carry(&mut self, action: Action, hands: &mut Hands<'_>) -> Outcome {
        match action {
            Action::Release(batch) => return self.release(batch, hands),
            Action::Schedule { timer, after } => {
                self.generation += 1;
                self.timers.insert(timer, self.generation);
                hands.later.push((after, Task::Timer(timer, self.generation)));
            }
            Action::Cancel(timer) => {
                self.timers.remove(&timer);
            }
            Action::GetValue { height, round } => return self.propose(height, round, hands),
            Action::Accept(signed) => return self.accept(signed.message, hands),
            Action::Stream { height, round, proposer, value, .. } => self.stream(height, round, proposer, value, hands),
            Action::Restore(entry) => {
                if hands.genesis.told(self.us.index).proposer(entry.height, entry.round).address == self.us.address {
                    self.store.own.insert((entry.height, entry.round), entry.value);
                }
                self.store.bodies.insert(entry.value, entry.body);
            }
            Action::Commit { certificate, .. } => {
                hands.oracle.decided(self.us.index, &certificate, self.store.bodies.get(&certificate.value), hands.holders);
                hands.later.push((soon(hands.rng, 200, 3_000), Task::Commit(Box::new(certificate))));
            }
            Action::AskStandings => hands.sent.push((Recipient::Everybody, Packet::AskStanding)),
            Action::JudgeSigning { tip, highest_tip, claims } => return self.judge_signing(tip, highest_tip, &claims, hands),
            Action::OpenJournal { height } => return self.open_journal(height, hands),
            Action::MakeJournal { .. } => return self.signer.prepare(self.incarnation).map_err(|error| self.failed(&error, hands)),
            Action::InitialiseSigning { above } => return self.signer.initialise(above).map_err(|error| self.failed(&error, hands)),
            Action::Answer { question, standing } => {
                let asker = self.questions.remove(&question);
                hands.sent.extend(asker.map(|asker| (Recipient::Peer(asker), Packet::Standing(Box::new(standing)))));
            }
            Action::AskRound => hands.sent.push((Recipient::Everybody, Packet::AskRound)),
            Action::AnnounceTip { to } => hands.sent.push((Recipient::Peer(to), Packet::Tip(self.store.tip()))),
            Action::Sync { height } => self.follow(Height(height.0.saturating_sub(1)), hands),
            Action::Evidence(evidence) => {
                for evidence in evidence {
                    hands.oracle.accused(evidence.validator(), evidence.height());
                }
            }
            Action::Fault { fatal } => {
                hands.oracle.report(Kind::Health, format!("node {}: {fatal}", self.us.index));
                hands.later.push((Duration::from_millis(1), Task::RestartConsensus));
            }
            Action::SigningChanged(signing) => {
                if signing.state == SigningState::Halted && !self.us.is_byzantine {
                    hands.oracle.report(Kind::Health, format!("node {} has stopped signing: {}", self.us.index, signing.text));
                }
            }
            // Whom nodes leave for what they said is for the links to know; here they all stay.
            Action::RoundStarted { .. } | Action::Misconduct { .. } => {}
        }
        Ok(())
    }

    fn release(&mut self, batch: Batch, hands: &mut Hands<'_>) -> Outcome {
        let Batch { ticket, height, to, entries, messages } = batch;
        let refused = self.signer.refused();
        let is_repeated = entries.is_empty();
        sabotage::before_release(&mut self.signer, self.us.sabotage, is_repeated);
        let appended = entries.iter().try_for_each(|entry| self.signer.append(self.incarnation, entry));
        let left = appended.and_then(|()| self.signer.release(self.incarnation, messages)).map_err(|error| self.failed(&error, hands))?;
        hands.oracle.published(self.us.address, self.store.disk(), &left);
        hands.sent.extend(left.into_iter().map(|message| (to, Packet::Consensus(message))));
        if refused < self.signer.refused() && !self.us.is_byzantine {
            hands.oracle.report(Kind::Health, format!("node {}: a message of height {height} was refused", self.us.index));
        }
        hands.later.push((soon(hands.rng, 80, 400), Task::Tell(Box::new(Event::Released { ticket }))));
        Ok(())
    }

    fn propose(&mut self, height: Height, round: Round, hands: &mut Hands<'_>) -> Outcome {
        if self.us.proposer == Proposer::Silent {
            return Ok(());
        }
        let known = self.store.own.get(&(height, round)).and_then(|value| self.store.bodies.get(value)).cloned();
        let body = known.unwrap_or_else(|| block::make(height, self.us.proposer == Proposer::Rubbish, hands.rng));
        let value = block::hash(&body);
        self.store.own.insert((height, round), value);
        self.store.bodies.insert(value, body.clone());
        self.body_arrived(height, round, &body, true, hands)?;
        let built = Event::Built { height, round, value };
        hands.later.push((soon(hands.rng, 300, 5_000), Task::Tell(Box::new(built))));
        Ok(())
    }

    fn stream(&mut self, height: Height, round: Round, proposer: Address, value: B256, hands: &mut Hands<'_>) {
        let Some(mut body) = self.store.bodies.get(&value).cloned() else { return };
        if self.us.proposer == Proposer::WrongBody {
            body = block::make(height, false, hands.rng);
        }
        if proposer == self.us.address {
            hands.oracle.streamed(height, round, proposer, &body);
        }
        hands.sent.push((Recipient::Everybody, Packet::Body { body }));
    }

    pub(super) fn commit(&mut self, certificate: Certificate, hands: &mut Hands<'_>) -> Outcome {
        let height = certificate.height;
        let block_time_ms = now(hands.now).unix_ms;
        let committed = Event::Committed { height, validators: hands.genesis.told(self.us.index), block_time_ms };
        if height <= self.store.tip() {
            self.events.push_back(committed);
            return Ok(());
        }
        let Some(body) = self.store.bodies.get(&certificate.value).cloned() else {
            self.events.push_back(Event::BodyMissing { height, value: certificate.value });
            return Ok(());
        };
        let is_synced = self.us.sabotage != Some(Sabotage::SkipCommitSync);
        let written = self.store.commit(Decided { certificate, body }, is_synced);
        self.disk(written, hands)?;
        hands.oracle.committed(self.us.index, height);
        self.signer.committed(height);
        self.accepted.clear();
        self.synced.clear();
        self.events.push_back(committed);
        self.fetch_block(hands);
        Ok(())
    }

    fn open_journal(&mut self, height: Height, hands: &mut Hands<'_>) -> Outcome {
        self.signer.start_height(self.incarnation, height).map_err(|error| self.failed(&error, hands))?;
        let mut entries = self.signer.entries().map_err(|error| self.failed(&error, hands))?;
        if matches!(self.us.sabotage, Some(Sabotage::SkipReplay | Sabotage::UnguardedRepublish)) {
            entries.clear();
        }
        let speaks = self.signer.may_speak(height);
        self.events.push_back(Event::JournalOpened { height, entries, speaks });
        Ok(())
    }

    fn judge_signing(&mut self, tip: Height, highest_tip: Height, claims: &[ConsensusMessage], hands: &mut Hands<'_>) -> Outcome {
        let judged = host::judge_signing(&mut self.signer, (OnMissing::Recover, 100), tip, highest_tip, claims);
        let verdict = judged.map_err(|error| self.failed(&error, hands))?;
        let is_normal = match verdict.action {
            signer::Action::Begin | signer::Action::Sign { .. } | signer::Action::SyncFirst { .. } => true,
            // Others were faster: this key begins without a record in a network that has a history.
            signer::Action::Recover { .. } => verdict.code == Some("E-SIGN-NO-RECORD") && self.us.is_fresh,
            // A disk from the past: others hold what its journal lacks.
            signer::Action::Abstain { .. } => self.us.is_restored,
            _ => false,
        };
        if !is_normal && !self.us.is_byzantine {
            hands.oracle.report(Kind::Health, format!("node {} lost its voice: {}", self.us.index, verdict.text));
        }
        self.events.push_back(Event::SigningVerdict(verdict));
        Ok(())
    }
}
