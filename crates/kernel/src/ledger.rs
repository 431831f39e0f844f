//! The ledger of one partition under one assignment: which delivered offsets are clear, and the frontier.
//!
//! Invariant: every charged offset is either pending or clear, and the frontier never passes a pending one.
//! Offsets that were never delivered (compaction, transaction markers) are not missing work.

mod map;
mod text;

use std::collections::VecDeque;

pub use map::{ClearRange, Map, MapFault, MapIdentity};

use crate::ids::Offset;

/// What became of a delivered offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// New: it is pending now.
    Pending,
    /// New, and clear already by the restored map.
    Restored,
    /// Charged before, or below what the group has committed: drop it.
    Repeated,
}

/// One delivered offset.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: Offset,
    clear: bool,
}

/// The ledger. Its memory is one small entry per offset between the frontier and the last delivered one.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Ascending; the first one, if any, is pending.
    entries: VecDeque<Entry>,
    /// Below this everything is clear; `None` until something is known.
    floor: Option<Offset>,
    /// What an earlier assignment had cleared above its frontier.
    restored: Vec<ClearRange>,
    /// What waits in the store, or settled there; ascending.
    stored: Vec<Offset>,
    charged: u64,
    cleared: u64,
}

impl Ledger {
    /// A ledger that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the base: the group's committed offset and what its map, if there is one, says is clear above it.
    /// Offsets already charged that are clear by this become so now; see [`is_pending`](Self::is_pending).
    pub fn start(&mut self, committed: Offset, map: Option<Map>) {
        self.floor = Some(self.floor.map_or(committed, |floor| floor.max(committed)));
        self.restored = map.map(Map::into_clear).unwrap_or_default();
        for entry in &mut self.entries {
            let clear = entry.offset < committed || contains(&self.restored, entry.offset);
            if clear && !entry.clear {
                entry.clear = true;
                self.cleared += 1;
            }
        }
        self.advance();
    }

    /// Sets which offsets the store has, ascending: they are clear whenever they are delivered, or were.
    pub fn store_has(&mut self, offsets: Vec<Offset>) {
        for offset in &offsets {
            self.clear(*offset);
        }
        self.stored = offsets;
    }

    /// Whether an offset lies below something that an earlier assignment had cleared: its record was delivered then.
    pub fn was_delivered_before(&self, offset: Offset) -> bool {
        self.restored
            .last()
            .is_some_and(|range| offset < range.start)
    }

    /// The store has one more. True if it was pending.
    pub fn store_takes(&mut self, offset: Offset) -> bool {
        if let Err(place) = self.stored.binary_search(&offset) {
            self.stored.insert(place, offset);
        }
        self.clear(offset)
    }

    /// Takes note of a delivered offset, wanted or not.
    pub fn charge(&mut self, offset: Offset) -> Charge {
        if self.floor.is_some_and(|floor| offset < floor) {
            return Charge::Repeated;
        }
        let place = match self.entries.back() {
            Some(last) if offset <= last.offset => match self.position(offset) {
                Ok(_) => return Charge::Repeated,
                Err(place) => place,
            },
            _ => self.entries.len(),
        };
        let clear = contains(&self.restored, offset) || self.stored.binary_search(&offset).is_ok();
        self.charged += 1;
        self.entries.insert(place, Entry { offset, clear });
        if clear {
            self.cleared += 1;
            self.advance();
            return Charge::Restored;
        }
        Charge::Pending
    }

    /// Marks an offset clear. False if it was not pending.
    pub fn clear(&mut self, offset: Offset) -> bool {
        let Ok(place) = self.position(offset) else {
            return false;
        };
        let entry = &mut self.entries[place];
        if entry.clear {
            return false;
        }
        entry.clear = true;
        self.cleared += 1;
        if place == 0 {
            self.advance();
        }
        true
    }

    /// The lowest offset not clear; the one after the last charged if all are; `None` if nothing is known.
    pub fn frontier(&self) -> Option<Offset> {
        self.entries
            .front()
            .map(|entry| entry.offset)
            .or(self.floor)
    }

    /// Charged and not clear.
    pub fn is_pending(&self, offset: Offset) -> bool {
        self.position(offset)
            .is_ok_and(|place| !self.entries[place].clear)
    }

    /// How many offsets were charged.
    pub fn charged(&self) -> u64 {
        self.charged
    }

    /// How many of them are clear.
    pub fn cleared(&self) -> u64 {
        self.cleared
    }

    /// How many of them are pending.
    pub fn pending(&self) -> u64 {
        self.charged - self.cleared
    }

    /// What is clear above the frontier. `None` if nothing is, or if it has more ranges than `ranges_max`.
    pub fn map(&self, ranges_max: usize) -> Option<Map> {
        let base = self.frontier()?;
        let mut clear: Vec<ClearRange> = Vec::new();
        let mut open = false;
        for entry in &self.entries {
            match clear.last_mut() {
                Some(last) if open && entry.clear => last.end = entry.offset.next(),
                _ if entry.clear => clear.push(ClearRange::one(entry.offset)),
                _ => {}
            }
            open = entry.clear;
            if clear.len() > ranges_max {
                return None;
            }
        }
        let unseen = self.entries.back().map_or(base, |last| last.offset.next());
        for range in &self.restored {
            let range = ClearRange {
                start: range.start.max(unseen),
                end: range.end,
            };
            match clear.last_mut() {
                _ if range.start >= range.end => {}
                Some(last) if last.end == range.start => last.end = range.end,
                _ => clear.push(range),
            }
        }
        if clear.is_empty() || clear.len() > ranges_max {
            return None;
        }
        Some(Map::new(base, clear))
    }

    /// Whether what is clear above the frontier lies in more ranges than these.
    pub fn is_crowded(&self, ranges_max: usize) -> bool {
        let mut ranges = 0;
        let mut open = false;
        for entry in &self.entries {
            ranges += usize::from(entry.clear && !open);
            open = entry.clear;
            if ranges > ranges_max {
                return true;
            }
        }
        false
    }

    fn position(&self, offset: Offset) -> Result<usize, usize> {
        // Most logs have few gaps, so an entry lies as far from the first as its offset does, or a little before.
        let first = self.entries.front().map_or(offset, |entry| entry.offset);
        let distance = offset.0.saturating_sub(first.0);
        if let Ok(guess) = usize::try_from(distance)
            && self
                .entries
                .get(guess)
                .is_some_and(|entry| entry.offset == offset)
        {
            return Ok(guess);
        }
        self.entries
            .binary_search_by_key(&offset, |entry| entry.offset)
    }

    /// Forgets what is clear at the front.
    fn advance(&mut self) {
        while let Some(entry) = self.entries.front() {
            if !entry.clear {
                return;
            }
            let next = entry.offset.next();
            self.floor = Some(self.floor.map_or(next, |floor| floor.max(next)));
            self.entries.pop_front();
        }
    }
}

/// Whether one of these ascending ranges holds the offset.
fn contains(ranges: &[ClearRange], offset: Offset) -> bool {
    let place = ranges.partition_point(|range| range.end <= offset);
    ranges.get(place).is_some_and(|range| range.start <= offset)
}
