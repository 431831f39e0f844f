//! What a storm came to: the verdict, whether it was a storm at all, and the figures.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::suite::Verdict;

use super::{
    StormSettings,
    aftermath::Aftermath,
    arena::Arena,
    evidence::{self, Evidence},
    hits,
    judge::{self, Judgement},
    load::Book,
    plan::Kind,
    receipts::Receipt,
};

/// One strike as it happened.
#[derive(Clone, Copy, Debug)]
pub struct Struck {
    /// What.
    pub kind: Kind,
    /// When, ns since 1970.
    pub at: u64,
    /// Applied calls owed at that moment.
    pub in_flight: usize,
}

/// See the module page.
#[derive(Debug)]
pub struct Report {
    /// What is wrong; empty if the run holds.
    pub violations: Vec<String>,
    /// Why the run shows nothing; empty if it was a storm.
    pub void: Vec<String>,
    /// All figures.
    pub figures: Value,
}

/// Recalled outcomes that a storm must have seen.
const RECALLED_MIN: usize = 10;

impl Report {
    /// Judges and counts.
    ///
    /// # Errors
    ///
    /// If the logs cannot be read.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one observation; they meet only here"
    )]
    pub(super) fn new(
        settings: &StormSettings,
        asked: usize,
        book: &Book,
        receipts: &[Receipt],
        struck: &[Struck],
        settled: bool,
        not_done: Vec<String>,
        lag: i64,
        cpu_seconds: &BTreeMap<String, f64>,
        arena: &Arena,
        aftermath: Option<&Aftermath>,
    ) -> anyhow::Result<Self> {
        let accepted = book.entries();
        let (evidence, absences) = evidence::gather(&arena.logs(), 30_000)?;
        let Judgement {
            mut violations,
            applied,
            repeats,
            excused_overlaps,
        } = judge::judge(&accepted, receipts, &absences);
        if !settled {
            violations.push("the fleet did not settle everything in time".to_string());
        }
        if lag != 0 {
            violations.push(format!("group orders has a lag of {lag}"));
        }
        violations.extend(not_done);
        violations.extend(aftermath.iter().flat_map(|after| after.violations.clone()));
        if evidence.panics > 0 && aftermath.is_none() {
            violations.push(format!("{} handlers panicked", evidence.panics));
        }
        violations.extend(arena.unexpected_ends().iter().cloned());
        let figures = json!({
            "seed": settings.seed,
            "protocol": settings.protocol.name(),
            "minutes": settings.length.as_secs_f64() / 60.0,
            "asked": asked,
            "accepted": accepted.len(),
            "applied": applied,
            "repeats_recognised": repeats,
            "overlaps_around_lost_membership": excused_overlaps,
            "longest_silence_s": round(judge::longest_silence(&accepted, receipts)),
            "effects_per_s": round(effects_per_second(receipts)),
            "faults": faults(struck, &accepted, receipts),
            "poison": aftermath.map(Aftermath::to_json),
            "evidence": evidence,
            "cpu_seconds": rounded(cpu_seconds, 1.0),
            "cpu_ms_per_effect": rounded(cpu_seconds, 1_000.0 / applied.max(1) as f64),
        });
        let void = if settings.calm {
            Vec::new()
        } else {
            void(settings, struck, &evidence)
        };
        Ok(Self {
            violations,
            void,
            figures,
        })
    }

    /// Did anything break?
    pub fn failed(&self) -> bool {
        !self.violations.is_empty()
    }
}

impl Verdict for Report {
    fn exit_code(&self) -> u8 {
        match (self.failed(), self.void.is_empty()) {
            (true, _) => 1,
            (false, false) => 2,
            (false, true) => 0,
        }
    }

    fn to_json(&self) -> Value {
        let verdict = match self.exit_code() {
            0 => "holds",
            1 => "violated",
            _ => "void",
        };
        json!({ "verdict": verdict, "violations": self.violations, "void": self.void, "figures": self.figures })
    }
}

/// A run that shows too little. In one minute each kind must strike once, and the rarer evidence is only printed.
fn void(settings: &StormSettings, struck: &[Struck], evidence: &Evidence) -> Vec<String> {
    let long = settings.length.as_secs() > 60;
    let times = if long { 3 } else { 1 };
    let mut void: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| hits(struck, *kind) < times)
        .map(|kind| {
            format!(
                "{} struck {} times with work in flight, {times} needed",
                kind.name(),
                hits(struck, kind)
            )
        })
        .collect();
    if long {
        if evidence.claims_fenced == 0 {
            void.push("no claim was refused by epoch".to_string());
        }
        if evidence.claims_taken_over == 0 {
            void.push("no expired claim was taken over".to_string());
        }
        if evidence.outcomes_recalled < RECALLED_MIN {
            void.push(format!(
                "{} outcomes were recalled, {RECALLED_MIN} needed",
                evidence.outcomes_recalled
            ));
        }
    }
    void
}

fn faults(struck: &[Struck], accepted: &[judge::Accepted], receipts: &[Receipt]) -> Value {
    let mut by_kind: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for strike in struck {
        by_kind
            .entry(strike.kind.name())
            .or_default()
            .push(strike.at);
    }
    let told = by_kind.into_iter().map(|(kind, moments)| {
        let resumed = spread(judge::resumptions(accepted, receipts, &moments));
        let cleared = spread(judge::backlogs_cleared(accepted, receipts, &moments));
        let told = json!({
            "struck": moments.len(),
            "resumed_median_s": resumed.0,
            "resumed_longest_s": resumed.1,
            "backlog_cleared_median_s": cleared.0,
            "backlog_cleared_longest_s": cleared.1,
        });
        (kind.to_string(), told)
    });
    Value::Object(told.collect())
}

/// Median and longest.
fn spread(mut seconds: Vec<f64>) -> (f64, f64) {
    seconds.sort_by(f64::total_cmp);
    let at = |index: usize| seconds.get(index).copied().map_or(0.0, round);
    (at(seconds.len() / 2), at(seconds.len().saturating_sub(1)))
}

/// Applied calls per second between the first and the last receipt.
fn effects_per_second(receipts: &[Receipt]) -> f64 {
    let applied = || {
        receipts
            .iter()
            .filter(|receipt| receipt.effect == "applied")
    };
    let first = applied()
        .map(|receipt| receipt.answered_at)
        .min()
        .unwrap_or(0);
    let last = applied()
        .map(|receipt| receipt.answered_at)
        .max()
        .unwrap_or(0);
    let seconds = (last - first) as f64 / 1e9;
    if seconds > 0.0 {
        applied().count() as f64 / seconds
    } else {
        0.0
    }
}

/// By process, and all together.
fn rounded(figures: &BTreeMap<String, f64>, factor: f64) -> Value {
    let sum: f64 = figures.values().sum();
    let all = [("all", sum)].into_iter();
    let each = figures
        .iter()
        .map(|(name, figure)| (name.as_str(), *figure));
    let told = each
        .chain(all)
        .map(|(name, figure)| (name.to_string(), round(figure * factor).into()));
    Value::Object(told.collect())
}

fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
