//! Outcomes that nobody was told: the supplier accepts and does not answer, or the caller is killed or frozen between
//! claim and outcome. Judged from outside, by the suppliers' receipts; then resolved by hand, in both directions.
//!
//! `plan` says what is struck and what must come of it, `striking` strikes, `judge` compares, `resolving` resolves.

mod judge;
mod plan;
mod resolving;
mod striking;

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    judge::Came,
    plan::{Group, Strike},
    resolving::Resolutions,
};
use crate::{
    bad_input::kcat,
    grounds::{Grounds, Projected},
    storm::evidence::{self, Evidence},
    suite::{Folder, Verdict, progress},
};

const DEAD_LETTERS: &str = "argosy.dead-letters.v1";

/// Group after group begins so much later, so that they do not all start their processes at once.
const STAGGER: Duration = Duration::from_millis(400);

/// What came of all strikes.
#[derive(Debug)]
pub struct UnknownReport {
    /// Each is a sentence.
    pub violations: Vec<String>,
    seed: u64,
    /// How events ended, by strike and class.
    ends: BTreeMap<String, BTreeMap<&'static str, String>>,
    happened: usize,
    did_not_happen: usize,
    /// Events whose call was under way while their partition moved.
    moved: usize,
    evidence: Evidence,
    seconds: u64,
}

impl Verdict for UnknownReport {
    fn to_json(&self) -> Value {
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "seed": self.seed,
            "violations": self.violations,
            "ends": self.ends,
            "resolved": { "happened": self.happened, "did_not_happen": self.did_not_happen },
            "moved_by_rebalance": self.moved,
            "evidence": self.evidence,
            "seconds": self.seconds,
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// Strikes all groups of a seed, judges, resolves, and judges again.
///
/// # Errors
///
/// If the grounds cannot be started, or a strike does not hit.
pub async fn run(folder: Folder, seed: u64) -> anyhow::Result<UnknownReport> {
    let grounds =
        Grounds::start(folder.clone(), Projected::Yes, &format!("unknown://{seed}")).await?;
    let begun = Instant::now();
    let ran = run_on(&grounds, seed).await;
    let logs = folder.path().join("logs");
    let ran = ran.and_then(|mut report| {
        (report.evidence, _) = evidence::gather(&logs, 0)?;
        report.seconds = begun.elapsed().as_secs();
        Ok(report)
    });
    grounds.stop(
        !ran.as_ref()
            .is_ok_and(|report| report.violations.is_empty()),
    );
    ran
}

async fn run_on(grounds: &Grounds, seed: u64) -> anyhow::Result<UnknownReport> {
    let mut groups = plan::groups(seed);
    let faults: Vec<_> = groups.iter().flat_map(Group::faults).collect();
    grounds.script(&faults).await?;
    progress(&format!(
        "unknown-outcomes: {} groups are struck",
        groups.len()
    ));
    let striking = groups.iter_mut().zip(0..).map(|(group, n)| async move {
        tokio::time::sleep(STAGGER * n).await;
        striking::strike(grounds, group).await
    });
    let struck = try_join_all(striking).await?;
    let mut report = UnknownReport {
        violations: Vec::new(),
        seed,
        ends: BTreeMap::new(),
        happened: 0,
        did_not_happen: 0,
        moved: 0,
        evidence: Evidence::default(),
        seconds: 0,
    };
    judge_all(grounds, &groups, &mut report).await?;
    for (group, struck) in groups.iter().zip(&struck) {
        if group.strike == Strike::Rebalanced {
            report.moved = struck.moved;
        }
    }
    if report.moved == 0 {
        report
            .violations
            .push("no call was under way while its partition moved".to_owned());
    }
    progress("unknown-outcomes: what is ambiguous is resolved");
    let resolving = groups
        .iter()
        .map(|group| resolving::resolve(grounds, group));
    for resolutions in try_join_all(resolving).await? {
        let Resolutions {
            happened,
            did_not_happen,
            violations,
        } = resolutions;
        report.happened += happened;
        report.did_not_happen += did_not_happen;
        report.violations.extend(violations);
    }
    report
        .violations
        .extend(resolving::audit_faults(grounds, &groups).await?);
    applied_once_in_the_end(grounds, &groups, &mut report)?;
    drop(struck);
    Ok(report)
}

async fn judge_all(
    grounds: &Grounds,
    groups: &[Group],
    report: &mut UnknownReport,
) -> anyhow::Result<()> {
    let receipts = grounds.receipts()?;
    let letters = kcat::read(&grounds.bootstrap(), DEAD_LETTERS)?;
    let mut judged = 0;
    for group in groups {
        for case in &group.cases {
            let state = grounds.state(&group.name, &case.event).await?;
            let came = Came::of(group, case, state, &receipts, &letters);
            judged += came.causes.len();
            let faults = came.faults(case.must).into_iter();
            report.violations.extend(faults.map(|what| {
                format!(
                    "{} at supplier {}: {} {what}",
                    group.strike.name(),
                    case.class.name(),
                    case.event
                )
            }));
            let state = came.state.as_deref().unwrap_or("unknown");
            let told = format!(
                "{state}, applied {}, repeats {}",
                came.applied, came.repeats
            );
            let ends = report
                .ends
                .entry(group.strike.name().to_owned())
                .or_default();
            ends.insert(case.class.name(), told);
        }
    }
    if judged != letters.len() {
        report.violations.push(format!(
            "{} dead letters are nobody's",
            letters.len() - judged
        ));
    }
    Ok(())
}

/// Whatever happened to it, and whatever was said of it: an event that is done was applied once.
fn applied_once_in_the_end(
    grounds: &Grounds,
    groups: &[Group],
    report: &mut UnknownReport,
) -> anyhow::Result<()> {
    let receipts = grounds.receipts()?;
    for case in groups.iter().flat_map(|group| &group.cases) {
        let is_applied = |receipt: &&crate::grounds::Receipt| {
            receipt.our_reference == case.event && receipt.effect == "applied"
        };
        let applied = receipts.iter().filter(is_applied).count();
        if applied != 1 {
            report.violations.push(format!(
                "{}: applied {applied} times in the end",
                case.event
            ));
        }
    }
    Ok(())
}
