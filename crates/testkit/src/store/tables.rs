//! The model's tables with their undo log: every change remembers what it replaced.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use argosy_kernel::{Epoch, LaneKey};
use argosy_store::{
    AuditRow, EffectId, EffectRow, EffectState, EventStatus, LetterId, OwnerKey, TimelineRow,
    limits,
};
use bytes::Bytes;
use uuid::Uuid;

use super::{
    letters::{StoredLetter, StoredStep},
    parked::StoredRow,
};

/// Identity of an event's status: source, event, worker.
pub(super) type StatusKey = (Arc<str>, Arc<str>, Arc<str>);

/// An effect with its times by the store's clock.
#[derive(Clone)]
pub(super) struct StoredEffect {
    pub(super) number: i64,
    pub(super) run: Uuid,
    pub(super) body_hash: [u8; 32],
    pub(super) operation: Arc<str>,
    pub(super) request: Bytes,
    pub(super) standing: Standing,
    pub(super) first_claimed_at: Duration,
}

/// Where a stored effect stands.
#[derive(Clone)]
pub(super) enum Standing {
    Open { deadline: Duration },
    Released,
    Succeeded(Bytes),
}

impl std::fmt::Debug for StoredEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredEffect")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl StoredEffect {
    /// The row as the store answers it at `now`.
    pub(super) fn row(&self, id: &EffectId, now: Duration) -> EffectRow {
        EffectRow {
            id: id.clone(),
            number: self.number,
            run: self.run,
            body_hash: self.body_hash,
            operation: Arc::clone(&self.operation),
            request: self.request.clone(),
            state: match &self.standing {
                Standing::Open { deadline } => EffectState::Open(
                    deadline
                        .checked_sub(now)
                        .filter(|remaining| !remaining.is_zero()),
                ),
                Standing::Released => EffectState::Released,
                Standing::Succeeded(answer) => EffectState::Succeeded(answer.clone()),
            },
            age: now.saturating_sub(self.first_claimed_at),
        }
    }
}

/// What a change replaced.
#[derive(Debug)]
enum Undo {
    Owner(OwnerKey, Option<(Epoch, Uuid)>),
    Effect(EffectId, Option<StoredEffect>),
    Timeline((Uuid, i64)),
    Status(StatusKey, Option<EventStatus>),
    Parked((OwnerKey, i64), Option<StoredRow>),
    Suspect((OwnerKey, i64), Option<BTreeSet<Uuid>>),
    Hold((OwnerKey, LaneKey), Option<i64>),
    Letter(LetterId, Option<StoredLetter>),
    Step(i64, Option<StoredStep>),
    Audit,
}

/// The rows, and how to get back to the last flush.
#[derive(Debug, Default)]
pub(super) struct Tables {
    owners: BTreeMap<OwnerKey, (Epoch, Uuid)>,
    effects: BTreeMap<EffectId, StoredEffect>,
    timelines: BTreeMap<(Uuid, i64), TimelineRow>,
    statuses: BTreeMap<StatusKey, EventStatus>,
    parked: BTreeMap<(OwnerKey, i64), StoredRow>,
    /// With the instances that died while it ran alone.
    suspects: BTreeMap<(OwnerKey, i64), BTreeSet<Uuid>>,
    holds: BTreeMap<(OwnerKey, LaneKey), i64>,
    letters: BTreeMap<LetterId, StoredLetter>,
    steps: BTreeMap<i64, StoredStep>,
    audit: Vec<AuditRow>,
    undo: Vec<Undo>,
}

impl Tables {
    pub(super) fn undo_len(&self) -> usize {
        self.undo.len()
    }

    /// Forgets how to get back: all that is here is durable.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Goes back to when the undo log was so long.
    pub(super) fn undo_to(&mut self, len: usize) {
        for undo in self.undo.drain(len..).rev() {
            match undo {
                Undo::Owner(key, before) => restore(&mut self.owners, key, before),
                Undo::Effect(id, before) => restore(&mut self.effects, id, before),
                Undo::Timeline(key) => restore(&mut self.timelines, key, None),
                Undo::Status(key, before) => restore(&mut self.statuses, key, before),
                Undo::Parked(key, before) => restore(&mut self.parked, key, before),
                Undo::Suspect(key, before) => restore(&mut self.suspects, key, before),
                Undo::Hold(key, before) => restore(&mut self.holds, key, before),
                Undo::Letter(id, before) => restore(&mut self.letters, id, before),
                Undo::Step(number, before) => restore(&mut self.steps, number, before),
                Undo::Audit => {
                    self.audit.pop();
                }
            }
        }
    }

    /// One epoch for who is named twice.
    pub(super) fn take_owners(&mut self, instance: Uuid, owners: &[OwnerKey]) -> Vec<Epoch> {
        let once: BTreeSet<&OwnerKey> = owners.iter().collect();
        let epochs: BTreeMap<&OwnerKey, Epoch> = once
            .into_iter()
            .map(|owner| (owner, self.take_owner(instance, owner.clone())))
            .collect();
        owners.iter().map(|owner| epochs[owner]).collect()
    }

    fn take_owner(&mut self, instance: Uuid, owner: OwnerKey) -> Epoch {
        let before = self.owners.get(&owner).copied();
        let epoch = Epoch(before.map_or(0, |(epoch, _)| epoch.0) + 1);
        self.owners.insert(owner.clone(), (epoch, instance));
        self.undo.push(Undo::Owner(owner, before));
        epoch
    }

    pub(super) fn epoch(&self, owner: &OwnerKey) -> Option<Epoch> {
        self.owners.get(owner).map(|(epoch, _)| *epoch)
    }

    pub(super) fn effect(&self, id: &EffectId) -> Option<&StoredEffect> {
        self.effects.get(id)
    }

    pub(super) fn effect_ids(&self) -> impl Iterator<Item = &EffectId> {
        self.effects.keys()
    }

    pub(super) fn effects_from(
        &self,
        from: EffectId,
    ) -> impl Iterator<Item = (&EffectId, &StoredEffect)> {
        self.effects.range(from..)
    }

    pub(super) fn effects(&self) -> impl Iterator<Item = (&EffectId, &StoredEffect)> {
        self.effects.iter()
    }

    pub(super) fn put_effect(&mut self, id: EffectId, effect: StoredEffect) {
        let before = self.effects.insert(id.clone(), effect);
        self.undo.push(Undo::Effect(id, before));
    }

    /// Adds a timeline row unless it is known; whether it was added.
    pub(super) fn add_timeline(&mut self, row: TimelineRow) -> bool {
        let key = (row.instance, row.number);
        if self.timelines.contains_key(&key) {
            return false;
        }
        self.timelines.insert(key, row);
        self.undo.push(Undo::Timeline(key));
        true
    }

    pub(super) fn timelines(&self) -> impl Iterator<Item = &TimelineRow> {
        self.timelines.values()
    }

    pub(super) fn status(&self, key: &StatusKey) -> Option<&EventStatus> {
        self.statuses.get(key)
    }

    pub(super) fn put_status(&mut self, key: StatusKey, status: EventStatus) {
        let before = self.statuses.insert(key.clone(), status);
        self.undo.push(Undo::Status(key, before));
    }

    pub(super) fn statuses_from(
        &self,
        from: StatusKey,
    ) -> impl Iterator<Item = (&StatusKey, &EventStatus)> {
        self.statuses.range(from..)
    }

    pub(super) fn parked(&self, owner: &OwnerKey, offset: i64) -> Option<&StoredRow> {
        self.parked.get(&(owner.clone(), offset))
    }

    /// Of all rows of a partition, ascending.
    pub(super) fn parked_offsets(&self, owner: &OwnerKey) -> Vec<i64> {
        let rows = (owner.clone(), i64::MIN)..=(owner.clone(), i64::MAX);
        self.parked
            .range(rows)
            .map(|((_, offset), _)| *offset)
            .collect()
    }

    /// Sets a row, or takes it away.
    pub(super) fn put_parked(&mut self, owner: &OwnerKey, offset: i64, row: Option<StoredRow>) {
        let key = (owner.clone(), offset);
        let before = match row {
            Some(row) => self.parked.insert(key.clone(), row),
            None => self.parked.remove(&key),
        };
        self.undo.push(Undo::Parked(key, before));
    }

    pub(super) fn suspect(&self, owner: &OwnerKey, offset: i64) -> Option<&BTreeSet<Uuid>> {
        self.suspects.get(&(owner.clone(), offset))
    }

    /// Of a partition, ascending.
    pub(super) fn suspects(
        &self,
        owner: &OwnerKey,
    ) -> impl Iterator<Item = (i64, &BTreeSet<Uuid>)> {
        let all = (owner.clone(), i64::MIN)..=(owner.clone(), i64::MAX);
        let suspects = self.suspects.range(all);
        suspects.map(|((_, offset), dead)| (*offset, dead))
    }

    /// Sets a suspect, or takes it away.
    pub(super) fn put_suspect(
        &mut self,
        owner: &OwnerKey,
        offset: i64,
        dead: Option<BTreeSet<Uuid>>,
    ) {
        let key = (owner.clone(), offset);
        let before = match dead {
            Some(dead) => self.suspects.insert(key.clone(), dead),
            None => self.suspects.remove(&key),
        };
        self.undo.push(Undo::Suspect(key, before));
    }

    /// Lanes of a partition that are held, with the offsets of their dead records.
    pub(super) fn holds(&self, owner: &OwnerKey) -> impl Iterator<Item = (&LaneKey, i64)> {
        let owner = owner.clone();
        let first = (owner.clone(), LaneKey::Key(Arc::from([])));
        self.holds
            .range(first..)
            .take_while(move |((of, _), _)| *of == owner)
            .map(|((_, lane), offset)| (lane, *offset))
    }

    /// Holds a lane, or lets it go.
    pub(super) fn put_hold(&mut self, owner: &OwnerKey, lane: LaneKey, offset: Option<i64>) {
        let key = (owner.clone(), lane);
        let before = match offset {
            Some(offset) => self.holds.insert(key.clone(), offset),
            None => self.holds.remove(&key),
        };
        self.undo.push(Undo::Hold(key, before));
    }

    pub(super) fn letter(&self, id: &LetterId) -> Option<&StoredLetter> {
        self.letters.get(id)
    }

    pub(super) fn letters(&self) -> impl Iterator<Item = &StoredLetter> {
        self.letters.values()
    }

    pub(super) fn put_letter(&mut self, letter: StoredLetter) {
        let id = letter.row.id.clone();
        let before = self.letters.insert(id.clone(), letter);
        self.undo.push(Undo::Letter(id, before));
    }

    pub(super) fn step(&self, number: i64) -> Option<&StoredStep> {
        self.steps.get(&number)
    }

    pub(super) fn open_steps(&self) -> impl Iterator<Item = (i64, &StoredStep)> {
        let open = self.steps.iter().filter(|(_, step)| step.is_open);
        open.map(|(number, step)| (*number, step))
    }

    pub(super) fn open_step(&self, id: &LetterId) -> Option<(i64, &StoredStep)> {
        self.open_steps().find(|(_, step)| step.id == *id)
    }

    pub(super) fn add_step(&mut self, step: StoredStep) {
        let number = self.steps.keys().next_back().map_or(1, |last| last + 1);
        self.steps.insert(number, step);
        self.undo.push(Undo::Step(number, None));
    }

    pub(super) fn close_step(&mut self, number: i64) {
        if let Some(step) = self.steps.get_mut(&number) {
            let before = step.clone();
            step.is_open = false;
            self.undo.push(Undo::Step(number, Some(before)));
        }
    }

    pub(super) fn add_audit(&mut self, row: AuditRow) {
        self.audit.push(row);
        self.undo.push(Undo::Audit);
    }

    /// The newest rows, newest first.
    pub(super) fn audit(&self, rows_max: u32) -> Vec<AuditRow> {
        let rows_max = rows_max.min(limits::OPERATOR_ROWS_MAX) as usize;
        self.audit.iter().rev().take(rows_max).cloned().collect()
    }
}

fn restore<K: Ord, V>(table: &mut BTreeMap<K, V>, key: K, before: Option<V>) {
    match before {
        Some(value) => table.insert(key, value),
        None => table.remove(&key),
    };
}
