//! The bytes of a slots file: a header with the instance, then slots of a fixed size, each with its checksum.
//!
//! Invariant: whatever the bytes are, reading ends, and gives only what was written whole.

use std::sync::Arc;

use argosy_store::{LeftRecord, LeftRunning, limits::LEFT_RECORDS_MAX};
use uuid::Uuid;

pub(super) const HEADER_BYTES: usize = 64;
pub(super) const SLOT_BYTES: usize = 320;
/// A longer file is not ours.
pub(super) const FILE_BYTES_MAX: usize = HEADER_BYTES + LEFT_RECORDS_MAX * SLOT_BYTES;

/// Over the beginning of a slot, it empties it.
pub(super) const EMPTY: [u8; CHECKSUM_BYTES] = [0; CHECKSUM_BYTES];

/// The last byte is the version of this form.
const MAGIC: [u8; 8] = *b"argslot\x01";
const CHECKSUM_BYTES: usize = 8;
const TOPIC_AT: usize = 22;

/// The header of an instance's file.
pub(super) fn header(instance: Uuid) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[8..16].copy_from_slice(&MAGIC);
    bytes[16..32].copy_from_slice(instance.as_bytes());
    sign(&mut bytes);
    bytes
}

/// A record's slot; `None` if its topic has a longer name than a broker takes.
pub(super) fn slot(record: &LeftRecord) -> Option<[u8; SLOT_BYTES]> {
    let mut bytes = [0; SLOT_BYTES];
    let topic = record.topic.as_bytes();
    bytes[8..16].copy_from_slice(&record.offset.to_le_bytes());
    bytes[16..20].copy_from_slice(&record.partition.to_le_bytes());
    bytes[20] = u8::from(record.alone);
    bytes[21] = u8::try_from(topic.len()).ok()?;
    bytes
        .get_mut(TOPIC_AT..TOPIC_AT + topic.len())?
        .copy_from_slice(topic);
    sign(&mut bytes);
    Some(bytes)
}

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It was never begun, or was emptied.
    Empty,
    /// It is not a file of this form: cut off, damaged, or of another build.
    Unreadable,
    /// What its instance was running, and how many of its slots cannot be read.
    Running { left: LeftRunning, torn: usize },
}

/// Reads a worker's file.
pub(super) fn read(worker: &str, bytes: &[u8]) -> Content {
    if bytes.is_empty() {
        return Content::Empty;
    }
    let Some((header, slots)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Content::Unreadable;
    };
    if bytes.len() > FILE_BYTES_MAX || !is_signed(header) || header[8..16] != MAGIC {
        return Content::Unreadable;
    }
    let Ok(instance) = Uuid::from_slice(&header[16..32]) else {
        return Content::Unreadable;
    };
    let mut records = Vec::new();
    let mut torn = 0;
    for slot in slots.chunks(SLOT_BYTES) {
        let is_empty = slot.iter().take(CHECKSUM_BYTES).all(|byte| *byte == 0);
        match record(slot) {
            _ if is_empty => {}
            Some(record) => records.push(record),
            None => torn += 1,
        }
    }
    Content::Running {
        left: LeftRunning {
            worker: Arc::from(worker),
            instance,
            records,
        },
        torn,
    }
}

fn record(slot: &[u8]) -> Option<LeftRecord> {
    if slot.len() != SLOT_BYTES || !is_signed(slot) {
        return None;
    }
    let topic = slot.get(TOPIC_AT..TOPIC_AT + usize::from(slot[21]))?;
    Some(LeftRecord {
        topic: Arc::from(std::str::from_utf8(topic).ok()?),
        partition: i32::from_le_bytes(slot[16..20].try_into().ok()?),
        offset: i64::from_le_bytes(slot[8..16].try_into().ok()?),
        alone: match slot[20] {
            0 => false,
            1 => true,
            _ => return None,
        },
    })
}

fn sign(bytes: &mut [u8]) {
    let (checksum, rest) = bytes.split_at_mut(CHECKSUM_BYTES);
    checksum.copy_from_slice(&checksum_of(rest));
}

fn is_signed(bytes: &[u8]) -> bool {
    let (checksum, rest) = bytes.split_at(CHECKSUM_BYTES);
    checksum == checksum_of(rest)
}

/// FNV-1a: it has to find what was torn, not what was forged. Never zero, which stands for an empty slot.
fn checksum_of(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let folded = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    folded.max(1).to_le_bytes()
}
