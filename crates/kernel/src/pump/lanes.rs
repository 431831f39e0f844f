//! All lanes of one partition: found by key, lined up when ready, freed when idle.
//!
//! Invariant: a lane stands in the ready line exactly once while its state is ready and its queue is not empty,
//! and is never freed otherwise than empty.

use std::collections::{HashMap, VecDeque};

use super::lane::{Head, Lane, Queued, State};
use crate::ids::LaneKey;

/// A freed lane keeps room for so many records; more is given back.
const QUEUE_KEPT_MAX: usize = 16;

/// A lane's place within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneIndex(usize);

/// The lanes.
#[derive(Debug)]
pub(super) struct Lanes<R, X> {
    slots: Vec<Lane<R, X>>,
    free: Vec<LaneIndex>,
    /// Only looked up in, never iterated: its order is random.
    by_key: HashMap<LaneKey, LaneIndex>,
    ready: VecDeque<LaneIndex>,
}

impl<R, X> Lanes<R, X> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    /// Appends a record to its key's lane.
    pub(super) fn push(&mut self, key: LaneKey, record: Queued<R>) {
        if let Some(&index) = self.by_key.get(&key) {
            self.slots[index.0].queue.push_back(record);
            return;
        }
        let index = self.take_slot(key.clone());
        self.slots[index.0].queue.push_back(record);
        self.by_key.insert(key, index);
        self.ready.push_back(index);
    }

    pub(super) fn find(&self, key: &LaneKey) -> Option<LaneIndex> {
        self.by_key.get(key).copied()
    }

    /// Takes out a lane that neither runs nor is being written, with all that it holds.
    pub(super) fn take(&mut self, index: LaneIndex) -> (LaneKey, Head, VecDeque<Queued<R>>) {
        self.leave_line(index);
        let lane = &mut self.slots[index.0];
        let key = lane.key.clone();
        let head = std::mem::take(&mut lane.head);
        let queue = std::mem::take(&mut lane.queue);
        lane.state = State::Ready;
        self.release(index);
        (key, head, queue)
    }

    fn take_slot(&mut self, key: LaneKey) -> LaneIndex {
        if let Some(index) = self.free.pop() {
            self.slots[index.0].key = key;
            return index;
        }
        self.slots.push(Lane::new(key));
        LaneIndex(self.slots.len() - 1)
    }

    pub(super) fn lane(&self, index: LaneIndex) -> &Lane<R, X> {
        &self.slots[index.0]
    }

    pub(super) fn lane_mut(&mut self, index: LaneIndex) -> &mut Lane<R, X> {
        &mut self.slots[index.0]
    }

    /// Takes a lane out of the ready line, if it stands there.
    pub(super) fn leave_line(&mut self, index: LaneIndex) {
        self.ready.retain(|&ready| ready != index);
    }

    /// The next ready lane, taken out of the line.
    pub(super) fn next_ready(&mut self) -> Option<LaneIndex> {
        self.ready.pop_front()
    }

    pub(super) fn any_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Lines a lane up again, at the end; frees it if nothing is left in it.
    pub(super) fn line_up(&mut self, index: LaneIndex) {
        let lane = &mut self.slots[index.0];
        lane.state = State::Ready;
        if lane.queue.is_empty() {
            self.release(index);
        } else {
            self.ready.push_back(index);
        }
    }

    fn release(&mut self, index: LaneIndex) {
        let lane = &mut self.slots[index.0];
        lane.head = Head::default();
        lane.queue.shrink_to(QUEUE_KEPT_MAX);
        // The freed slot must not keep the key's bytes alive.
        let key = std::mem::replace(&mut lane.key, LaneKey::Whole);
        self.by_key.remove(&key);
        self.free.push(index);
    }

    /// Drops records that `wanted` refuses, where no head is running or being written. The lanes returned waited for
    /// a head that is gone: they are to be lined up.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Queued<R>) -> bool) -> Vec<LaneIndex> {
        for index in std::mem::take(&mut self.ready) {
            self.slots[index.0].retain(&mut wanted);
            self.line_up(index);
        }
        let waiting = self.slots.iter_mut().enumerate();
        waiting
            .filter(|(_, lane)| matches!(lane.state, State::Waiting { .. }))
            .filter_map(|(index, lane)| lane.retain(&mut wanted).then_some(LaneIndex(index)))
            .collect()
    }

    /// The lanes that hold records, in a repeatable order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LaneIndex, &Lane<R, X>)> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, lane)| !lane.queue.is_empty())
            .map(|(index, lane)| (LaneIndex(index), lane))
    }
}
