//! Our reference at a supplier: readable by its order, unique by its event, the same in every run.

use sha2::{Digest, Sha256};

/// Of an order's id so many characters are kept; the digest tells longer ones apart.
const ORDER_ID_CHARS_MAX: usize = 100;
const DIGEST_BYTES: usize = 8;

/// The reference of one event's order at one supplier.
pub(crate) fn reference(order_id: &str, source: &str, event_id: &str, supplier: &str) -> String {
    let mut digest = Sha256::new();
    for part in [order_id, source, event_id, supplier] {
        // Lengths keep ("ab", "c") apart from ("a", "bc").
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let short: String = order_id.chars().take(ORDER_ID_CHARS_MAX).collect();
    let hex: String = digest
        .iter()
        .take(DIGEST_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{short}-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_pinned_so_that_no_build_changes_it() {
        let made = reference("1001", "shopify://lantern.example", "e-1", "acme");
        assert_eq!(made, "1001-6e70bb4d84f5d40a");
    }

    #[test]
    fn every_part_makes_another_reference() {
        let all = [
            reference("1001", "s", "e", "acme"),
            reference("1002", "s", "e", "acme"),
            reference("1001", "t", "e", "acme"),
            reference("1001", "s", "f", "acme"),
            reference("1001", "s", "e", "globex"),
            reference("1001", "se", "", "acme"),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_long_order_id_is_cut_at_a_character_and_still_told_apart() {
        let one = reference(&"ü".repeat(120), "s", "e", "acme");
        let other = reference(&"ü".repeat(121), "s", "e", "acme");
        assert_eq!(
            one.chars().count(),
            ORDER_ID_CHARS_MAX + 1 + 2 * DIGEST_BYTES
        );
        assert_ne!(one, other);
    }
}
