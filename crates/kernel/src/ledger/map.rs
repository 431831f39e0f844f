//! The map: what is clear above the frontier, as text in a commit's metadata.
//!
//! One encoding: `a1.` and base64url of a checksum, the base offset, and run lengths (pending, clear, pending,
//! clear, …) from the base on. The checksum also covers version, group, topic and partition, so that no other
//! group's map is ever taken for ours. A map only saves repeated runs: whatever is wrong with it, it is ignored.

use std::{error::Error, fmt};

use super::text::{self, Checksum};
use crate::ids::Offset;

/// The version, as it stands before every map.
const PREFIX: &str = "a1.";

/// Offsets from `start` up to, not including, `end`, all clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearRange {
    /// The first.
    pub start: Offset,
    /// The one after the last.
    pub end: Offset,
}

impl ClearRange {
    /// A range of one offset.
    pub(super) fn one(offset: Offset) -> Self {
        Self {
            start: offset,
            end: offset.next(),
        }
    }
}

/// Whose map it is.
#[derive(Clone, Copy, Debug)]
pub struct MapIdentity<'a> {
    /// The consumer group.
    pub group: &'a str,
    /// The topic's name.
    pub topic: &'a str,
    /// The partition's number.
    pub partition: i32,
}

/// Why a map is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapFault {
    /// It is longer than we ever write one.
    TooLong,
    /// It is not in our format, or of another version.
    Foreign,
    /// It is in our format, and cut off or garbled.
    Malformed,
    /// It is damaged, or of another group, topic or partition.
    Checksum,
    /// It belongs to another committed offset.
    Base,
}

impl MapFault {
    /// The fault's name, as it stands in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
            Self::Checksum => "checksum",
            Self::Base => "base",
        }
    }
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than any map of ours",
            Self::Foreign => "not a map of this version",
            Self::Malformed => "cut off or garbled",
            Self::Checksum => "damaged, or of another group, topic or partition",
            Self::Base => "made for another committed offset",
        })
    }
}

impl Error for MapFault {}

/// What is clear above a base offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    base: Offset,
    /// Ascending, apart from each other, none empty.
    clear: Vec<ClearRange>,
}

impl Map {
    /// A map of ascending, disjoint, non-empty ranges at or above the base.
    pub(super) fn new(base: Offset, clear: Vec<ClearRange>) -> Self {
        Self { base, clear }
    }

    /// The offset it was committed with.
    pub fn base(&self) -> Offset {
        self.base
    }

    /// What is clear, ascending.
    pub fn clear(&self) -> &[ClearRange] {
        &self.clear
    }

    pub(super) fn into_clear(self) -> Vec<ClearRange> {
        self.clear
    }

    /// The most ranges that could ever be written into so many bytes.
    pub fn ranges_max(bytes_max: usize) -> usize {
        text::bytes_in(bytes_max.saturating_sub(PREFIX.len())) / 2
    }

    /// The map as text; `None` if that is longer than `bytes_max`.
    pub fn encode(&self, identity: MapIdentity<'_>, bytes_max: usize) -> Option<String> {
        let payload_max = text::bytes_in(bytes_max.checked_sub(PREFIX.len())?);
        let mut runs = Vec::new();
        text::write_number(u64::try_from(self.base.0).ok()?, &mut runs);
        let mut cursor = self.base;
        for range in &self.clear {
            text::write_number(range.start.0.abs_diff(cursor.0), &mut runs);
            text::write_number(range.end.0.abs_diff(range.start.0), &mut runs);
            cursor = range.end;
            if runs.len() + 4 > payload_max {
                return None;
            }
        }
        let mut payload = checksum(identity, &runs).to_vec();
        payload.append(&mut runs);
        let mut metadata = String::with_capacity(PREFIX.len() + payload.len() * 4 / 3 + 1);
        metadata.push_str(PREFIX);
        text::write(&payload, &mut metadata);
        Some(metadata)
    }

    /// The map in this metadata, if it is ours and of this committed offset.
    pub fn decode(
        metadata: &str,
        identity: MapIdentity<'_>,
        committed: Offset,
        bytes_max: usize,
    ) -> Result<Self, MapFault> {
        let encoded = metadata.strip_prefix(PREFIX).ok_or(MapFault::Foreign)?;
        if metadata.len() > bytes_max {
            return Err(MapFault::TooLong);
        }
        let payload = text::read(encoded).ok_or(MapFault::Malformed)?;
        let (claimed, runs) = payload
            .split_first_chunk::<4>()
            .ok_or(MapFault::Malformed)?;
        if *claimed != checksum(identity, runs) {
            return Err(MapFault::Checksum);
        }
        let map = read_runs(runs).ok_or(MapFault::Malformed)?;
        if map.base != committed {
            return Err(MapFault::Base);
        }
        Ok(map)
    }
}

/// The map that these run lengths describe; `None` if they describe none.
fn read_runs(mut runs: &[u8]) -> Option<Map> {
    let base = Offset(i64::try_from(text::read_number(&mut runs)?).ok()?);
    let mut clear = Vec::with_capacity(runs.len() / 2);
    let mut cursor = base;
    while !runs.is_empty() {
        let start = after(cursor, text::read_number(&mut runs)?)?;
        let end = after(start, text::read_number(&mut runs)?)?;
        // Only the very first run may be empty: the base itself can be clear before it is delivered again.
        let apart = start > cursor || clear.is_empty();
        if !apart || end == start {
            return None;
        }
        clear.push(ClearRange { start, end });
        cursor = end;
    }
    Some(Map { base, clear })
}

fn after(offset: Offset, count: u64) -> Option<Offset> {
    let count = i64::try_from(count).ok()?;
    offset.0.checked_add(count).map(Offset)
}

/// The checksum over whose map it is and what it says. Lengths go before names, so that no two identities meet.
fn checksum(identity: MapIdentity<'_>, runs: &[u8]) -> [u8; 4] {
    let length = |text: &str| (text.len() as u64).to_be_bytes();
    Checksum::new()
        .with(PREFIX.as_bytes())
        .with(&length(identity.group))
        .with(identity.group.as_bytes())
        .with(&length(identity.topic))
        .with(identity.topic.as_bytes())
        .with(&identity.partition.to_be_bytes())
        .with(runs)
        .value()
        .to_be_bytes()
}
