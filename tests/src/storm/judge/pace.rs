//! How fast a run went on: silences, and recoveries after moments at which something struck. Figures, not verdicts.

use std::collections::{BTreeMap, HashMap};

use super::{Accepted, OPERATIONS, partition_of};
use crate::storm::receipts::Receipt;

/// The longest time without an applied call in a partition that had accepted work to do.
pub fn longest_silence(accepted: &[Accepted], receipts: &[Receipt]) -> f64 {
    let mut moments: BTreeMap<i32, Vec<(u64, i64)>> = BTreeMap::new();
    for event in accepted {
        let calls = i64::try_from(event.suppliers.len() * OPERATIONS.len()).unwrap_or(i64::MAX);
        moments
            .entry(partition_of(&event.key))
            .or_default()
            .push((event.at, calls));
    }
    for receipt in receipts
        .iter()
        .filter(|receipt| receipt.effect == "applied")
    {
        moments
            .entry(partition_of(&receipt.aggregate_key))
            .or_default()
            .push((receipt.answered_at, -1));
    }
    let mut longest = 0;
    for moments in moments.values_mut() {
        moments.sort_unstable();
        let mut open = 0;
        let mut since = 0;
        for &(at, change) in &*moments {
            if open > 0 && change < 0 {
                longest = longest.max(at.saturating_sub(since));
            }
            if change < 0 || open <= 0 {
                since = at;
            }
            open += change;
        }
    }
    longest as f64 / 1e9
}

/// For each moment, the seconds until each partition that had work at it applied a call that came after it.
pub fn resumptions(accepted: &[Accepted], receipts: &[Receipt], moments: &[u64]) -> Vec<f64> {
    let mut calls: BTreeMap<i32, Vec<&Receipt>> = BTreeMap::new();
    for receipt in receipts
        .iter()
        .filter(|receipt| receipt.effect == "applied")
    {
        let partition = partition_of(&receipt.aggregate_key);
        calls.entry(partition).or_default().push(receipt);
    }
    let accepted_at: HashMap<(&str, i64), u64> = accepted
        .iter()
        .map(|event| ((&*event.key, event.sequence), event.at))
        .collect();
    let was_open = |receipt: &Receipt, moment: u64| {
        accepted_at
            .get(&(&*receipt.aggregate_key, receipt.sequence))
            .is_some_and(|at| *at <= moment)
    };
    let resumed = |moment: &u64| {
        let by_partition = calls.values().filter_map(|calls| {
            let later = || calls.iter().filter(|call| call.received_at >= *moment);
            // A call after the moment, for what was accepted before it, is the work that was there.
            later()
                .any(|call| was_open(call, *moment))
                .then(|| later().map(|call| call.answered_at).min())?
        });
        let last = by_partition.max().unwrap_or(*moment);
        last.saturating_sub(*moment) as f64 / 1e9
    };
    moments.iter().map(resumed).collect()
}

/// For each moment, the seconds until everything accepted before it was applied: the backlog, and whatever struck while
/// it was worked off.
pub fn backlogs_cleared(accepted: &[Accepted], receipts: &[Receipt], moments: &[u64]) -> Vec<f64> {
    let mut done_at: HashMap<(&str, i64), u64> = HashMap::new();
    for receipt in receipts
        .iter()
        .filter(|receipt| receipt.effect == "applied")
    {
        let done = done_at
            .entry((&receipt.aggregate_key, receipt.sequence))
            .or_default();
        *done = (*done).max(receipt.answered_at);
    }
    let cleared = |moment: &u64| {
        let before = accepted.iter().filter(|event| event.at <= *moment);
        let last = before
            .filter_map(|event| done_at.get(&(&*event.key, event.sequence)))
            .max()
            .copied()
            .unwrap_or(0);
        last.saturating_sub(*moment) as f64 / 1e9
    };
    moments.iter().map(cleared).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{accepted, receipt},
        *,
    };

    const SECOND: u64 = 1_000_000_000;

    /// A key of another partition than `k`.
    fn elsewhere() -> String {
        (0..100)
            .map(|n| n.to_string())
            .find(|key| partition_of(key) != partition_of("k"))
            .unwrap()
    }

    #[test]
    fn silence_counts_only_while_there_is_work() {
        let events = [Accepted {
            at: 1_000_000_000,
            ..accepted("k", 1)
        }];
        let receipts = [
            receipt("k", 1, "a", "draft", 0, 4_000_000_000),
            receipt("k", 1, "a", "confirm", 0, 5_000_000_000),
        ];
        assert!((longest_silence(&events, &receipts) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn work_is_resumed_when_the_last_partition_with_work_applies_a_call_that_came_later() {
        let other = elsewhere();
        let events = [accepted("k", 1), accepted(&other, 1)];
        let calls = [
            // Answered after the strike at 10, but on its way before.
            receipt("k", 1, "a", "draft", 9 * SECOND, 11 * SECOND),
            receipt("k", 1, "a", "confirm", 14 * SECOND, 15 * SECOND),
            receipt(&other, 1, "a", "draft", 11 * SECOND, 12 * SECOND),
            receipt(&other, 1, "a", "confirm", 90 * SECOND, 91 * SECOND),
        ];
        assert_eq!(resumptions(&events, &calls, &[10 * SECOND]), [5.0]);
        assert_eq!(backlogs_cleared(&events, &calls, &[10 * SECOND]), [81.0]);
        // Nothing was left to do at 92.
        assert_eq!(resumptions(&events, &calls, &[92 * SECOND]), [0.0]);
    }

    #[test]
    fn a_partition_without_work_at_the_strike_has_nothing_to_resume() {
        let later = Accepted {
            at: 50 * SECOND,
            ..accepted("k", 1)
        };
        let calls = [receipt("k", 1, "a", "draft", 60 * SECOND, 61 * SECOND)];
        assert_eq!(resumptions(&[later], &calls, &[10 * SECOND]), [0.0]);
    }
}
