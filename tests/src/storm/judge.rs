//! The verdict, from outside only: what was accepted, what the vendors' receipts say, when.
//!
//! Nothing here knows of partitions' owners, stores or logs, except for the printed losses of membership, around
//! which two calls of one key of a lost partition may overlap.

mod pace;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use argosy_events::{
    catalogue::{ORDER_EVENTS, topic},
    murmur2::partition_for,
};

use super::receipts::Receipt;
use crate::poisoned_orders::Way;

pub use pace::{backlogs_cleared, longest_silence, resumptions};

/// An accepted order event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The order.
    pub key: String,
    /// Its version; consecutive from 1 within a key.
    pub sequence: i64,
    /// Its suppliers.
    pub suppliers: Vec<String>,
    /// When the gateway answered 202, ns since 1970.
    pub at: u64,
    /// How it is poison, if it is.
    pub poison: Option<Way>,
}

/// A stretch of time in which an instance may have been a member no more without knowing it, ns since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The partitions of the order topic that it lost.
    pub partitions: BTreeSet<i32>,
    /// From.
    pub from: u64,
    /// To.
    pub to: u64,
}

/// What is wrong. Empty lists mean that the run holds.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Each is a sentence.
    pub violations: Vec<String>,
    /// Applied receipts.
    pub applied: usize,
    /// Repeats that vendors recognised.
    pub repeats: usize,
    /// Overlaps of one key's calls that a printed loss of membership explains.
    pub excused_overlaps: usize,
}

/// The two calls per supplier.
pub const OPERATIONS: [&str; 2] = ["draft", "confirm"];

/// Violations told at most; more only count.
const TOLD_MAX: usize = 50;

/// Where the order topic has this key.
pub fn partition_of(key: &str) -> i32 {
    partition_for(key.as_bytes(), partitions())
}

fn partitions() -> i32 {
    topic(ORDER_EVENTS)
        .expect("the catalogue has the order topic")
        .partitions
}

/// Judges a whole run.
pub fn judge(accepted: &[Accepted], receipts: &[Receipt], absences: &[Absence]) -> Judgement {
    let mut verdict = Judgement::default();
    let mut tell = Teller {
        violations: Vec::new(),
        untold: 0,
    };
    let mut counted: HashMap<(&str, i64, &str, &str), usize> = HashMap::new();
    let mut by_key: BTreeMap<&str, Vec<&Receipt>> = BTreeMap::new();
    for receipt in receipts {
        match receipt.effect.as_str() {
            "applied" => {
                verdict.applied += 1;
                let place = (
                    &*receipt.aggregate_key,
                    receipt.sequence,
                    &*receipt.vendor,
                    &*receipt.operation,
                );
                *counted.entry(place).or_default() += 1;
                by_key
                    .entry(&receipt.aggregate_key)
                    .or_default()
                    .push(receipt);
            }
            "repeat" => verdict.repeats += 1,
            other => tell.violation(format!(
                "a receipt says `{other}`, neither applied nor repeat"
            )),
        }
    }
    for event in accepted.iter().filter(|event| event.poison.is_none()) {
        for supplier in &event.suppliers {
            for operation in OPERATIONS {
                let times = counted
                    .remove(&(&*event.key, event.sequence, &**supplier, operation))
                    .unwrap_or(0);
                if times != 1 {
                    let Accepted { key, sequence, .. } = event;
                    tell.violation(format!("order {key} event {sequence}: {operation} at {supplier} applied {times} times"));
                }
            }
        }
    }
    for ((key, sequence, vendor, operation), times) in counted {
        tell.violation(format!("nobody asked for order {key} event {sequence}: {operation} at {vendor} applied {times} times"));
    }
    for (key, mut calls) in by_key {
        calls.sort_by_key(|receipt| receipt.received_at);
        one_after_the_other(key, &calls, absences, &mut verdict, &mut tell);
    }
    if tell.untold > 0 {
        tell.violations.push(format!("… and {} more", tell.untold));
    }
    verdict.violations = tell.violations;
    verdict
}

/// Applied calls of a key: sequences never decrease, a draft comes before its confirmation, and no two overlap.
fn one_after_the_other(
    key: &str,
    calls: &[&Receipt],
    absences: &[Absence],
    verdict: &mut Judgement,
    tell: &mut Teller,
) {
    let partition = partition_of(key);
    let absent = |from: u64, to: u64| {
        absences
            .iter()
            .filter(|away| away.partitions.contains(&partition))
            .any(|away| from <= away.to && to >= away.from)
    };
    for pair in calls.windows(2) {
        let [before, after] = pair else { continue };
        if after.sequence < before.sequence {
            tell.violation(format!(
                "order {key}: event {} was applied after event {}",
                after.sequence, before.sequence
            ));
        }
        let same_order = (before.sequence, &before.vendor) == (after.sequence, &after.vendor);
        if same_order && before.operation == "confirm" && after.operation == "draft" {
            tell.violation(format!(
                "order {key} event {}: confirmed at {} before it was drafted",
                after.sequence, after.vendor
            ));
        }
        if after.received_at < before.answered_at {
            if absent(before.received_at, after.answered_at) {
                verdict.excused_overlaps += 1;
            } else {
                tell.violation(format!(
                    "order {key}: two calls overlap ({} and {})",
                    before.operation, after.operation
                ));
            }
        }
    }
}

struct Teller {
    violations: Vec<String>,
    untold: usize,
}

impl Teller {
    fn violation(&mut self, sentence: String) {
        if self.violations.len() < TOLD_MAX {
            self.violations.push(sentence);
        } else {
            self.untold += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn receipt(
        key: &str,
        sequence: i64,
        vendor: &str,
        operation: &str,
        from: u64,
        to: u64,
    ) -> Receipt {
        Receipt {
            received_at: from,
            answered_at: to,
            vendor: vendor.into(),
            operation: operation.into(),
            idempotency_key: None,
            our_reference: None,
            aggregate_key: key.into(),
            sequence,
            effect: "applied".into(),
        }
    }

    pub(super) fn accepted(key: &str, sequence: i64) -> Accepted {
        Accepted {
            key: key.into(),
            sequence,
            suppliers: vec!["a".into()],
            at: 0,
            poison: None,
        }
    }

    fn absence(partitions: impl IntoIterator<Item = i32>, from: u64, to: u64) -> Absence {
        Absence {
            partitions: partitions.into_iter().collect(),
            from,
            to,
        }
    }

    fn whole(key: &str, sequence: i64, from: u64) -> Vec<Receipt> {
        vec![
            receipt(key, sequence, "a", "draft", from, from + 1),
            receipt(key, sequence, "a", "confirm", from + 2, from + 3),
        ]
    }

    #[test]
    fn a_whole_run_holds() {
        let receipts = [whole("k", 1, 0), whole("k", 2, 10)].concat();
        let verdict = judge(&[accepted("k", 1), accepted("k", 2)], &receipts, &[]);
        assert!(verdict.violations.is_empty(), "{:?}", verdict.violations);
    }

    #[test]
    fn a_lost_effect_is_seen() {
        assert_eq!(
            judge(&[accepted("k", 1)], &whole("k", 1, 0)[..1], &[])
                .violations
                .len(),
            1
        );
    }

    #[test]
    fn a_doubled_effect_is_seen() {
        let receipts = [whole("k", 1, 0), whole("k", 1, 10)[..1].to_vec()].concat();
        assert!(
            !judge(&[accepted("k", 1)], &receipts, &[])
                .violations
                .is_empty()
        );
    }

    #[test]
    fn an_effect_that_nobody_asked_for_is_seen() {
        assert_eq!(judge(&[], &whole("k", 1, 0), &[]).violations.len(), 2);
    }

    #[test]
    fn an_inversion_is_seen() {
        let receipts = [whole("k", 2, 0), whole("k", 1, 10)].concat();
        assert!(
            !judge(&[accepted("k", 1), accepted("k", 2)], &receipts, &[])
                .violations
                .is_empty()
        );
    }

    #[test]
    fn an_overlap_is_seen_unless_a_membership_was_lost_then() {
        let receipts = [
            receipt("k", 1, "a", "draft", 0, 10),
            receipt("k", 1, "a", "confirm", 5, 12),
        ];
        assert_eq!(
            judge(&[accepted("k", 1)], &receipts, &[]).violations.len(),
            1
        );
        let excused = judge(
            &[accepted("k", 1)],
            &receipts,
            &[absence([partition_of("k")], 8, 9)],
        );
        assert!(excused.violations.is_empty());
        assert_eq!(excused.excused_overlaps, 1);
    }

    #[test]
    fn a_lost_membership_excuses_neither_other_partitions_nor_other_times() {
        let receipts = [
            receipt("k", 1, "a", "draft", 10, 20),
            receipt("k", 1, "a", "confirm", 15, 22),
        ];
        let own = partition_of("k");
        let others = (0..partitions()).filter(|partition| *partition != own);
        let absences = [
            absence(others, 0, 100),
            absence([], 0, 100),
            absence([own], 0, 9),
            absence([own], 23, 100),
        ];
        let verdict = judge(&[accepted("k", 1)], &receipts, &absences);
        assert_eq!(verdict.violations.len(), 1);
        assert_eq!(verdict.excused_overlaps, 0);
    }
}
