//! Keys of rows: hashes of their identities, so that a text of any length and content fits an index.

use sha2::{Digest, Sha256};

use crate::{EffectId, EventKey};

/// Of an event, whoever handles it. Rows are compared by their texts as well, so a collision costs time alone.
pub(super) type EventHash = [u8; 16];

/// Of an effect; the identity itself, so it has full length.
pub(super) type Identity = [u8; 32];

pub(super) fn event_hash(source: &str, event: &str) -> EventHash {
    half(digest(&[source, event]))
}

pub(super) fn text_hash(text: &str) -> EventHash {
    half(digest(&[text]))
}

pub(super) fn bytes_hash(bytes: &[u8]) -> EventHash {
    half(bytes_identity(bytes))
}

/// Of full length, so that it is the bytes' name.
pub(super) fn bytes_identity(bytes: &[u8]) -> Identity {
    Sha256::digest(bytes).into()
}

pub(super) fn identity(id: &EffectId) -> Identity {
    let EventKey {
        worker,
        source,
        event,
    } = &id.of;
    digest(&[worker, source, event, &id.name, &id.key])
}

/// Where an effect's row lies. Batches are sorted by it, so that two of them never wait for each other in a ring.
pub(super) fn place(id: &EffectId) -> (EventHash, Identity) {
    (event_hash(&id.of.source, &id.of.event), identity(id))
}

/// Each part has its length before it, so that no two lists of parts are the same bytes.
fn digest(parts: &[&str]) -> Identity {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

fn half(hash: Identity) -> EventHash {
    let mut half = EventHash::default();
    half.copy_from_slice(&hash[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(event_hash("ab", "c"), event_hash("a", "bc"));
        assert_ne!(event_hash("", "ab"), event_hash("ab", ""));
    }
}
