//! Names of events: UUIDs computed from what an event is, so that a repetition has the same name.
//!
//! Invariant: each part of a name stands behind its length, so two different lists of parts never share a name; each
//! kind of name has a namespace of its own, which never changes.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Namespace of emitted events' ids.
pub const EMITTED: Uuid = Uuid::from_u128(0x2b64_8d9f_0c1e_5f7a_8e35_94d1_6a0b_7c48);

/// Namespace of events taken in by webhook.
pub const DELIVERED: Uuid = Uuid::from_u128(0x9d3e_17a2_6b50_54c8_b1f4_0e82_d7c9_35a6);

/// What the id of an emitted event is made of.
#[derive(Clone, Copy, Debug)]
pub struct Emission<'a> {
    /// The worker that emits.
    pub worker: &'a str,
    /// Source of the event being handled.
    pub source: &'a str,
    /// Id of the event being handled.
    pub id: &'a str,
    /// Type of the emitted event.
    pub event_type: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its value.
    pub value: &'a [u8],
    /// How many events of the same content the run emitted before it.
    pub n: u32,
}

/// The id of an emitted event: the same for a second run that emits the same, another for other content.
pub fn emitted(of: &Emission<'_>) -> Uuid {
    let content = Sha256::digest(of.value);
    let parts = [of.worker, of.source, of.id, of.event_type, of.key].map(str::as_bytes);
    let tail: [&[u8]; 2] = [&content, &of.n.to_be_bytes()];
    named(EMITTED, parts.into_iter().chain(tail))
}

/// The id of the event that a webhook delivery is: a second delivery is the same event.
pub fn delivered(source: &str, delivery_id: &str) -> Uuid {
    named(DELIVERED, [source, delivery_id].map(str::as_bytes))
}

/// The id of a further event made of the same webhook delivery, by its type.
pub fn delivered_as(source: &str, delivery_id: &str, event_type: &str) -> Uuid {
    named(
        DELIVERED,
        [source, delivery_id, event_type].map(str::as_bytes),
    )
}

fn named<'a>(namespace: Uuid, parts: impl IntoIterator<Item = &'a [u8]>) -> Uuid {
    let mut name = Vec::new();
    for part in parts {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&namespace, &name)
}
