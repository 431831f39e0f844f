//! What the workers' own logs show: faults that did bite, and printed losses of membership.

use std::{fs, path::Path};

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
                    let from_ms = to_ms.saturating_sub(absence_before_ms);
                    absences.push(Absence {
                        from: from_ms * 1_000_000,
                        to: (to_ms + 1_000) * 1_000_000,
                    });
                }
                _ => {}
            }
        }
    }
    Ok((evidence, absences))
}
