//! What happens where there is no more room, or no more store: parked rows past their limits, PostgreSQL away, and disks
//! that are full. Nothing is lost, everybody says why they wait, and all heals by itself.

mod disk;
mod parked;
mod poster;
mod servers;

use std::time::Duration;

use serde_json::{Value, json};

use crate::suite::{Folder, Verdict};

/// Which half of the suite runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The limits of parked keys and bytes.
    Parked,
    /// The servers.
    Servers,
}

/// What the suite is asked.
#[derive(Clone, Debug)]
pub struct LimitsSettings {
    /// Decides keys and pauses.
    pub seed: u64,
    /// How long each server is away, or its disk full.
    pub away: Duration,
    /// Which part; both without it.
    pub only: Option<Part>,
    /// Where data and logs go.
    pub folder: Folder,
}

/// What was found.
#[derive(Debug)]
pub struct LimitsReport {
    violations: Vec<String>,
    seen: Vec<(&'static str, Value)>,
    seed: u64,
}

impl LimitsReport {
    fn note(&mut self, name: &'static str, seen: Value) {
        crate::suite::progress(&format!("limits: {name}: {seen}"));
        self.seen.push((name, seen));
    }

    fn expect(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            let violation = otherwise.into();
            crate::suite::progress(&format!("limits: VIOLATED: {violation}"));
            self.violations.push(violation);
        }
    }
}

impl Verdict for LimitsReport {
    fn to_json(&self) -> Value {
        let seen: serde_json::Map<String, Value> = self
            .seen
            .iter()
            .map(|(name, seen)| ((*name).to_owned(), seen.clone()))
            .collect();
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "violations": self.violations,
            "seed": self.seed,
            "seen": seen,
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// Why something is not so, without the way by which it was found out.
fn why<T>(found: &anyhow::Result<T>) -> String {
    found
        .as_ref()
        .err()
        .map(|error| format!("{error:#}"))
        .unwrap_or_default()
}

/// Runs and judges.
///
/// # Errors
///
/// If the grounds cannot be started, a disk cannot be mounted (that needs root), or a server does not come back.
pub async fn run(settings: LimitsSettings) -> anyhow::Result<LimitsReport> {
    let mut report = LimitsReport {
        violations: Vec::new(),
        seen: Vec::new(),
        seed: settings.seed,
    };
    let path = settings.folder.path().to_path_buf();
    if settings.only != Some(Part::Servers) {
        let folder = Folder::prepare(Some(path.join("parked")), "limits")?;
        parked::run(folder, &mut report).await?;
    }
    if settings.only != Some(Part::Parked) {
        let folder = Folder::prepare(Some(path.join("servers")), "limits")?;
        servers::run(folder, &settings, &mut report).await?;
    }
    if report.violations.is_empty() {
        settings.folder.remove()?;
    }
    Ok(report)
}
