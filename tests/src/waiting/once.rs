//! Every effect once, and those of a key in order, by the suppliers' receipts.
//!
//! Invariant: nothing is excused.

use std::collections::{BTreeMap, HashMap};

use crate::storm::receipts::Receipt;

/// An event's key and number.
pub(crate) fn place(event: &str) -> Option<(&str, u64)> {
    let (key, number) = event.rsplit_once('.')?;
    Some((key, number.parse().ok()?))
}

/// What is wrong. `asked` says how many events each key has, each with one effect and numbered from 1.
pub(crate) fn once_in_order(asked: &BTreeMap<&str, u64>, receipts: &[Receipt]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut applied: Vec<(&str, u64, u64)> = Vec::new();
    for receipt in receipts {
        let event = receipt.our_reference.as_deref().and_then(place);
        match (event, &*receipt.effect) {
            (Some((key, number)), "applied") => applied.push((key, number, receipt.received_at)),
            (Some(_), _) => {}
            (None, _) => wrong.push(format!("a receipt of no event: {receipt:?}")),
        }
    }
    applied.sort_by_key(|&(_, _, at)| at);
    let mut by_key: HashMap<&str, Vec<u64>> = HashMap::new();
    for (key, number, _) in applied {
        by_key.entry(key).or_default().push(number);
    }
    for (&key, &last) in asked {
        let numbers = by_key.remove(key).unwrap_or_default();
        if !numbers.iter().copied().eq(1..=last) {
            wrong.push(format!(
                "key {key} has events 1 to {last}; applied, in order: {numbers:?}"
            ));
        }
    }
    for key in by_key.keys() {
        wrong.push(format!("nobody asked for an effect of key {key}"));
    }
    wrong
}
