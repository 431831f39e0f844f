//! An operator, who asks for replays and releases, and the projection of the letters to look at.
//!
//! Some time after the faults have stopped only holds are ended any more, until none is left.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use argosy_kernel::{At, Death, Offset, Partition, Time};
use argosy_store::{LetterId, LetterRow, OwnerKey, PlanStepKind};
use argosy_testkit::{random::Random, store::Operation};
use bytes::Bytes;

use super::World;
use crate::simulation::{
    event::Event,
    plan::{PlannedLane, RecordId},
};

/// The longest time between two looks at the letters.
const LOOKS_WITHIN: Duration = Duration::from_millis(1_500);
/// The longest time between a letter's acknowledgement and its projection.
const PROJECTED_WITHIN: Duration = Duration::from_secs(3);
/// A projection that meets no store is tried again after so long.
const PROJECT_AGAIN: Duration = Duration::from_millis(500);
/// Replays are asked for so much longer than there are faults, at most.
const REPLAYS_WITHIN: Duration = Duration::from_secs(10);

/// What an operator knows.
#[derive(Debug)]
pub(super) struct Operator {
    draw: Random,
    letters: BTreeMap<(Partition, Offset), RecordId>,
    /// Replays are asked for until then, once the faults have stopped.
    until: Option<Time>,
}

impl Operator {
    pub(super) fn new(draw: Random) -> Self {
        Self {
            draw,
            letters: BTreeMap::new(),
            until: None,
        }
    }

    /// The faults have stopped.
    pub(super) fn calm_down(&mut self, now: Time) {
        let longer = self.draw.span(Duration::ZERO, REPLAYS_WITHIN);
        self.until = Some(now.plus(longer));
    }

    fn only_releases(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until < now)
    }
}

impl World {
    /// Whether nobody asks for replays any more, and all that was asked for is done.
    pub(super) fn operator_is_at_rest(&self) -> bool {
        self.plan.pump.parking.is_none()
            || (self.operator.only_releases(self.now())
                && self.store.model.open_steps().next().is_none())
    }

    /// A letter lies on its topic: whoever projects letters reads it some time later.
    pub(super) fn letter_lies(&mut self, at: At, record: RecordId, cause: Death, offset: i64) {
        self.judge.letter_lies(record);
        let later = self.operator.draw.span(Duration::ZERO, PROJECTED_WITHIN);
        let due = self.now().plus(later);
        let letter = Box::new(self.letter(at, record, cause, offset));
        self.agenda.add(due, Event::Project(letter));
    }

    /// The letter as it is projected: its record reads back as one that was parked does.
    fn letter(&self, at: At, record: RecordId, cause: Death, offset: i64) -> LetterRow {
        let now_ms = self.now().0.as_millis() as i64;
        LetterRow {
            id: letter_id(&self.owner_keys[&at.partition], at.offset),
            letter_partition: 0,
            letter_offset: offset,
            source: None,
            event: None,
            event_type: None,
            correlation: None,
            timestamp_ms: None,
            key: match &self.plan.record(record).lane {
                PlannedLane::Key(key) => Some(Bytes::copy_from_slice(key)),
                PlannedLane::Keyless => None,
            },
            value: Some(Bytes::copy_from_slice(&record.0.to_be_bytes())),
            headers: Vec::new(),
            is_reference: false,
            cause: Arc::from(cause.to_string()),
            fingerprint: Arc::from(""),
            message: Arc::from(""),
            dependency: None,
            status: None,
            attempts: 1,
            first_failure_ms: now_ms,
            last_failure_ms: now_ms,
            epoch: 0,
            build: Arc::from(""),
        }
    }

    pub(super) fn project(&mut self, letter: Box<LetterRow>) {
        if !self.store.is_up {
            let again = self.now().plus(PROJECT_AGAIN);
            self.agenda.add(again, Event::Project(letter));
            return;
        }
        let owner = letter.id.owner();
        let mut owners = self.owner_keys.iter();
        let partition = owners.find(|(_, known)| **known == owner);
        let value = letter.value.as_deref().unwrap_or_default();
        let number = value.try_into().map_or(0, u32::from_be_bytes);
        if let Some((partition, _)) = partition {
            let place = (*partition, Offset(letter.id.offset));
            self.operator.letters.insert(place, RecordId(number));
        }
        self.note("a letter is projected", letter.id.offset);
        self.apply_at_once(Operation::ProjectLetters(vec![*letter]));
    }

    /// A look at the letters, and what comes of it.
    pub(super) fn operate(&mut self) {
        if self.is_stopping() {
            return;
        }
        if self.store.is_up {
            let holds = self.holds();
            if self.operator.only_releases(self.now()) {
                for place in holds {
                    self.ask(place, PlanStepKind::Release);
                }
            } else if self.operator.draw.chance(300) {
                if let Some(place) = self.operator.draw.pick(&holds).copied() {
                    self.ask(place, PlanStepKind::Release);
                }
            } else {
                self.ask_for_replay();
            }
        }
        let later = self.operator.draw.span(LOOKS_WITHIN / 10, LOOKS_WITHIN);
        self.agenda.add(self.now().plus(later), Event::Operate);
    }

    fn holds(&self) -> Vec<(Partition, Offset)> {
        let keys = self.owner_keys.iter();
        let holds = keys.flat_map(|(partition, owner)| {
            let holds = self.store.model.holds(owner);
            holds.map(|(_, offset)| (*partition, Offset(offset)))
        });
        holds.collect()
    }

    /// Before a replay is asked for, what the record died of is mended, if it can be.
    fn ask_for_replay(&mut self) {
        let letters: Vec<_> = self
            .operator
            .letters
            .iter()
            .map(|(at, of)| (*at, *of))
            .collect();
        if let Some((place, record)) = self.operator.draw.pick(&letters).copied() {
            if self.plan.record(record).is_mendable {
                self.judge.mends(record);
            }
            self.ask(place, PlanStepKind::Replay);
        }
    }

    fn ask(&mut self, (partition, offset): (Partition, Offset), kind: PlanStepKind) {
        let verb = match kind {
            PlanStepKind::Replay => "a replay is asked for",
            PlanStepKind::Release => {
                self.judge.release_is_asked(partition, offset);
                "a release is asked for"
            }
        };
        self.note(verb, offset.0);
        self.apply_at_once(Operation::AskPlanStep {
            id: letter_id(&self.owner_keys[&partition], offset),
            kind,
            actor: "operator".to_owned(),
        });
    }

    /// What came before it is durable with it.
    fn apply_at_once(&mut self, operation: Operation) {
        self.store.model.apply(self.clock.now().0, operation);
        self.flush_store();
    }
}

fn letter_id(owner: &OwnerKey, offset: Offset) -> LetterId {
    LetterId {
        worker: Arc::clone(&owner.worker),
        topic: Arc::clone(&owner.topic),
        partition: owner.partition,
        offset: offset.0,
    }
}
