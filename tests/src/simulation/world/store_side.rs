//! The store as the instances meet it: operations arrive, are applied, and answered once flushed; it may die.

use std::time::Duration;

use argosy_store::{ClaimAnswer, EffectRow, EffectState};
use argosy_testkit::store::{Answer, Operation};

use super::World;
use crate::simulation::event::{Event, Incoming, InstanceId, Purpose};

impl World {
    /// An operation arrives.
    pub(super) fn reach_store(&mut self, from: InstanceId, purpose: Purpose, operation: Operation) {
        if !self.store.is_up {
            self.answer_from_store(from, purpose, None);
            return;
        }
        let now = self.now().0;
        let expired = self.find_expired(&operation);
        let purpose = self.foresee(purpose, &operation);
        let ticket = self.store.model.apply(now, operation);
        self.store.waiting.insert(ticket, (from, purpose));
        if let Some(expired) = expired {
            let row = self.store.model.effect(now, &expired.id);
            if row.is_some_and(|row| row.number > expired.number) {
                self.judge.takes_over(&expired, &self.plan);
                self.coverage.expired_claims_taken_over += 1;
            }
        }
        if !self.store.flush_due {
            self.store.flush_due = true;
            let linger = self
                .network
                .span(Duration::from_micros(200), Duration::from_millis(8));
            self.agenda.add(self.now().plus(linger), Event::StoreFlush);
        }
    }

    /// What was applied is durable: its callers hear.
    pub(super) fn flush_store(&mut self) {
        self.store.flush_due = false;
        if !self.store.is_up {
            return;
        }
        for (ticket, answer) in self.store.model.flush() {
            let Some((from, purpose)) = self.store.waiting.remove(&ticket) else {
                continue;
            };
            let lost = self.network.chance(self.weather.store_answer_lost);
            self.coverage.store_answers_lost += u64::from(lost);
            self.count_answer(answer.as_ref().ok());
            if let (Purpose::Owner(partition, _), Ok(Answer::Owners(epochs))) = (&purpose, &answer)
            {
                for epoch in epochs {
                    self.judge.owner_taken(*partition, *epoch);
                }
            }
            if answer.is_ok() {
                self.stored(from, &purpose);
            }
            let answer = answer.ok().filter(|_| !lost);
            self.answer_from_store(from, purpose, answer);
        }
    }

    /// The store dies: some of what was applied was durable already, nobody is told.
    pub(super) fn kill_store(&mut self, away: Duration) {
        if !self.store.is_up {
            return;
        }
        self.store.is_up = false;
        self.coverage.store_restarts += 1;
        self.note("the store is killed, ms", away.as_millis() as i64);
        let survivors = self.network.index(self.store.model.pending() + 1);
        for (place, ticket) in self
            .store
            .model
            .crash_keeping(survivors)
            .into_iter()
            .enumerate()
        {
            if let Some((from, purpose)) = self.store.waiting.remove(&ticket) {
                if place < survivors {
                    self.stored(from, &purpose);
                }
                self.answer_from_store(from, purpose, None);
            }
        }
        // An ownership may have been taken though nobody was told.
        for (partition, owner) in &self.owner_keys {
            if let Some(epoch) = self.store.model.epoch(owner) {
                self.judge.owner_taken(*partition, epoch);
            }
        }
        self.agenda.add(self.now().plus(away), Event::StoreReturns);
    }

    pub(super) fn return_store(&mut self) {
        self.store.is_up = true;
        self.note("the store is back", -1);
    }

    fn answer_from_store(&mut self, to: InstanceId, purpose: Purpose, answer: Option<Answer>) {
        if matches!(purpose, Purpose::Steps(_)) && self.network.chance(self.weather.delivered_twice)
        {
            let again = self.now().plus(self.latency());
            let incoming = Incoming::StoreAnswered(purpose.clone(), answer.clone());
            self.agenda.add(again, Event::Hears(to, incoming));
        }
        let at = self.now().plus(self.latency());
        let incoming = Incoming::StoreAnswered(purpose, answer);
        self.agenda.add(at, Event::Hears(to, incoming));
    }

    /// The newest claim of an effect, if that has expired and this operation wants to take it over.
    fn find_expired(&mut self, operation: &Operation) -> Option<EffectRow> {
        let Operation::Claim(claims) = operation else {
            return None;
        };
        let claim = claims.iter().find(|claim| claim.over.is_some())?;
        let row = self.store.model.effect(self.now().0, &claim.id)?;
        self.judge.asks_to_take_over(claim, &row, &self.plan);
        let expired = row.state == EffectState::Open(None) && row.run != claim.run;
        expired.then_some(row)
    }

    fn count_answer(&mut self, answer: Option<&Answer>) {
        match answer {
            Some(Answer::Claimed(answers)) => {
                for answer in answers {
                    match answer {
                        ClaimAnswer::Fenced => self.coverage.claims_refused_by_epoch += 1,
                        ClaimAnswer::Found(row) => match row.state {
                            EffectState::Open(None) => self.coverage.expired_claims += 1,
                            EffectState::Open(Some(_)) => self.coverage.claims_waited_for += 1,
                            _ => {}
                        },
                        ClaimAnswer::Granted { .. } => {}
                    }
                }
            }
            Some(Answer::Recalled(events)) => {
                self.coverage.outcomes_recalled += events
                    .iter()
                    .flatten()
                    .filter(|row| matches!(row.state, EffectState::Succeeded(_)))
                    .count() as u64;
            }
            _ => {}
        }
    }
}
