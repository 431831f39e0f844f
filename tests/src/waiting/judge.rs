//! The verdict, from what was seen outside.

use std::ops::Range;

use super::{
    load::{Entries, Kind},
    once::once_in_order,
    watch::{Left, Seen},
};
use crate::storm::receipts::Receipt;

/// Of their rate in the baseline, what healthy keys keep.
const HEALTHY_LEAST_PERCENT: f64 = 95.0;

const FRONTIER_AGE_MAX_MS: u64 = 60_000;

/// The budget of a worker's resident memory.
const RESIDENT_MAX_KIB: u64 = 512 * 1_024;

/// Work done longer than this before the kill is not done again.
const RERUN_AGE_MAX_MS: u64 = 2_000;

/// From the kill until healthy keys have caught up: the session timeout, and what came meanwhile.
const RECOVERED_WITHIN_S: usize = 25;

/// Rates are judged over so many seconds.
const STRETCH_S: usize = 60;
const STRETCH_LEAST_S: usize = 10;

const TOLD_MAX: usize = 30;

const SECOND_NS: u64 = 1_000_000_000;

/// All that is judged. Times are numbers of seconds.
pub(super) struct Case<'a> {
    pub(super) baseline: Range<usize>,
    pub(super) outage: Range<usize>,
    pub(super) killed: usize,
    pub(super) seen: &'a Seen,
    pub(super) book: &'a Entries,
    pub(super) receipts: &'a [Receipt],
    pub(super) drained: bool,
    pub(super) left: Left,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) violations: Vec<String>,
    pub(super) baseline: f64,
    pub(super) healthy_percent: Vec<f64>,
    pub(super) healthy_least_percent: f64,
    pub(super) frontier_age_max_ms: u64,
    pub(super) resident_max_kib: u64,
    pub(super) parked_max: i64,
    pub(super) recovered_s: Option<usize>,
    pub(super) reruns: usize,
    pub(super) oldest_rerun_ms: u64,
}

pub(super) fn judge(case: &Case<'_>) -> Findings {
    let mut found = Findings::default();
    healthy(case, &mut found);
    limits(case, &mut found);
    reruns(case, &mut found);
    let asked = case.book.last.iter();
    let asked = asked.filter(|(key, _)| Kind::of(key) != Some(Kind::Calm));
    let asked = asked.map(|(key, &last)| (&**key, last)).collect();
    found
        .violations
        .extend(once_in_order(&asked, case.receipts));
    let Left {
        parked,
        dead_letters,
        uncommitted,
    } = case.left;
    if !case.drained {
        let owed = case.book.published() - case.seen.done.len();
        found.violation(format!("{owed} records were not done in time"));
    }
    if parked + dead_letters + uncommitted > 0 {
        found.violation(format!(
            "in the end {parked} rows are parked, {dead_letters} dead letters written, {uncommitted} records not committed"
        ));
    }
    let told = found.violations.len();
    if told > TOLD_MAX {
        found.violations.truncate(TOLD_MAX);
        found
            .violations
            .push(format!("… and {} more", told - TOLD_MAX));
    }
    found
}

/// Healthy keys keep their rate, but for the time from the kill until they have caught up.
fn healthy(case: &Case<'_>, found: &mut Findings) {
    let length = case.outage.end + 1;
    let began = case.seen.began;
    let done = case.seen.done.iter();
    let healthy = done.filter(|(event, _)| Kind::of(event) != Some(Kind::Waits));
    let done = per_second(healthy.map(|(_, done)| done.at), began, length);
    let published = per_second(case.book.healthy.iter().copied(), began, length);
    found.baseline = rate(&done, &case.baseline);
    let (mut owed, mut recovered) = (0_i64, None);
    for second in 0..case.outage.end {
        owed += published[second] - done[second];
        if second > case.killed && recovered.is_none() && (owed as f64) < found.baseline {
            recovered = Some(second + 1);
        }
    }
    found.recovered_s = recovered.map(|recovered| recovered - case.killed);
    if found
        .recovered_s
        .is_none_or(|seconds| seconds > RECOVERED_WITHIN_S)
    {
        found.violation(format!(
            "healthy keys had not caught up {RECOVERED_WITHIN_S} s after the kill: {:?}",
            found.recovered_s
        ));
    }
    let again = recovered.unwrap_or(case.outage.end);
    let stretches =
        stretches(case.outage.start..case.killed).chain(stretches(again..case.outage.end));
    for stretch in stretches {
        let percent = 100.0 * rate(&done, &stretch) / found.baseline;
        if percent.is_nan() || percent < HEALTHY_LEAST_PERCENT {
            found.violation(format!(
                "healthy keys had {percent:.1} % of their rate in seconds {stretch:?}"
            ));
        }
        found.healthy_percent.push((percent * 10.0).round() / 10.0);
    }
    let least = found.healthy_percent.iter().copied().reduce(f64::min);
    found.healthy_least_percent = least.unwrap_or_default();
    if least.is_none() {
        found.violation("no stretch of the outage was long enough to be judged".to_owned());
    }
}

/// The frontier stays young and memory in its budget, from the baseline to the outage's end; and rows were parked.
fn limits(case: &Case<'_>, found: &mut Findings) {
    let seconds = &case.seen.seconds[case.baseline.start..case.outage.end];
    for second in seconds {
        found.frontier_age_max_ms = found.frontier_age_max_ms.max(second.frontier_age_ms);
    }
    // What comes out of the store in the end counts too.
    for second in &case.seen.seconds {
        found.resident_max_kib = found.resident_max_kib.max(second.resident_kib);
        found.parked_max = found.parked_max.max(second.parked.unwrap_or(0));
    }
    if found.frontier_age_max_ms >= FRONTIER_AGE_MAX_MS {
        let age = found.frontier_age_max_ms;
        found.violation(format!("the frontier was {age} ms old"));
    }
    if found.resident_max_kib > RESIDENT_MAX_KIB {
        let resident = found.resident_max_kib / 1_024;
        found.violation(format!("the worker's resident memory was {resident} MiB"));
    }
    if found.parked_max == 0 {
        found.violation("nothing was parked: the outage shows nothing".to_owned());
    }
}

fn reruns(case: &Case<'_>, found: &mut Findings) {
    found.reruns = case.seen.reruns.len();
    for (event, done) in &case.seen.reruns {
        let age = case.seen.killed_at.saturating_sub(done.at) / 1_000_000;
        found.oldest_rerun_ms = found.oldest_rerun_ms.max(age);
        if age > RERUN_AGE_MAX_MS || done.at > case.seen.killed_at {
            found.violation(format!(
                "event {event}, done {age} ms before the kill by {}, ran again",
                done.process
            ));
        }
    }
}

impl Findings {
    fn violation(&mut self, sentence: String) {
        self.violations.push(sentence);
    }
}

fn per_second(moments: impl Iterator<Item = u64>, began: u64, length: usize) -> Vec<i64> {
    let mut counts = vec![0; length];
    for at in moments {
        let second = usize::try_from(at.saturating_sub(began) / SECOND_NS).unwrap_or(usize::MAX);
        if let Some(count) = counts.get_mut(second) {
            *count += 1;
        }
    }
    counts
}

fn rate(counts: &[i64], seconds: &Range<usize>) -> f64 {
    let sum: i64 = counts[seconds.clone()].iter().sum();
    sum as f64 / seconds.len() as f64
}

/// Cuts a time into stretches; one that is too short to be judged goes with the one before it, or not at all.
fn stretches(of: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let count = (of.len() / STRETCH_S).max(usize::from(of.len() >= STRETCH_LEAST_S));
    let start = of.start;
    let length = of.len();
    (0..count).map(move |n| start + length * n / count..start + length * (n + 1) / count)
}

#[cfg(test)]
mod tests;
