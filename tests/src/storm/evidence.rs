//! What the workers' own logs show: faults that did bite, and printed losses of membership.

use std::{collections::BTreeSet, fs, path::Path};

use argosy_events::catalogue::ORDER_EVENTS;
use serde::Deserialize;

use super::judge::Absence;

/// Counted over all instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// Claims refused because another instance owned the partition.
    pub claims_fenced: usize,
    /// Expired claims taken over.
    pub claims_taken_over: usize,
    /// Outcomes returned without calling.
    pub outcomes_recalled: usize,
    /// Memberships lost against the instance's will.
    pub memberships_lost: usize,
    /// Handlers that panicked.
    pub panics: usize,
}

#[derive(Deserialize)]
struct Line {
    event: Option<String>,
    at_ms: Option<u64>,
    partitions: Option<String>,
}

/// Reads all `*.log` of a folder. A line that is not JSON (a torn one of a killed process, a panic) is passed over.
///
/// # Errors
///
/// If a log cannot be read.
pub fn gather(logs: &Path, absence_before_ms: u64) -> anyhow::Result<(Evidence, Vec<Absence>)> {
    let mut evidence = Evidence::default();
    let mut absences = Vec::new();
    for entry in fs::read_dir(logs)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        read(&text, absence_before_ms, &mut evidence, &mut absences);
    }
    Ok((evidence, absences))
}

fn read(text: &str, before_ms: u64, evidence: &mut Evidence, absences: &mut Vec<Absence>) {
    for line in text
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
    {
        match line.event.as_deref() {
            Some("claim_fenced") => evidence.claims_fenced += 1,
            Some("claim_taken_over") => evidence.claims_taken_over += 1,
            Some("outcome_recalled") => evidence.outcomes_recalled += 1,
            Some("handler_panicked") => evidence.panics += 1,
            Some("membership_lost") => {
                evidence.memberships_lost += 1;
                let to_ms = line.at_ms.unwrap_or(0);
                let from_ms = to_ms.saturating_sub(before_ms);
                absences.push(Absence {
                    partitions: order_partitions(line.partitions.as_deref().unwrap_or_default()),
                    from: from_ms * 1_000_000,
                    to: (to_ms + 1_000) * 1_000_000,
                });
            }
            _ => {}
        }
    }
}

/// The partitions of the order topic in a list as the log has it, `topic/partition topic/partition`.
fn order_partitions(list: &str) -> BTreeSet<i32> {
    list.split_whitespace()
        .filter_map(|place| place.rsplit_once('/'))
        .filter(|(topic, _)| *topic == ORDER_EVENTS)
        .filter_map(|(_, partition)| partition.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_membership_is_an_absence_from_its_own_order_partitions() {
        let text = r#"torn {"event": "membership_l
{"event":"membership_lost","at_ms":50000,"partitions":"argosy.order-events.v1/3 argosy.order-events.v1/11 other.v1/4"}
{"event":"membership_lost","at_ms":60000}
{"event":"claim_fenced"}"#;
        let (mut evidence, mut absences) = (Evidence::default(), Vec::new());
        read(text, 30_000, &mut evidence, &mut absences);
        assert_eq!((evidence.memberships_lost, evidence.claims_fenced), (2, 1));
        let [known, unknown] = &*absences else {
            panic!("{absences:?}")
        };
        assert_eq!(known.partitions, BTreeSet::from([3, 11]));
        assert_eq!((known.from, known.to), (20_000_000_000, 51_000_000_000));
        assert!(unknown.partitions.is_empty());
    }
}
