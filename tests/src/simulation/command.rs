//! `cargo simulate`: many seeds on several threads, a report for people and one line for machines.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde::Serialize;

use super::{Coverage, Outcome, Violation, simulate};
use crate::suite::Verdict;

/// Seeds that fail before the rest is not looked at any more.
const FAILURES_MAX: usize = 5;
/// Seeds from which on the required coverage is a condition.
const COVERED_BY_SEEDS: u64 = 1_000;
/// Seeds between two lines of progress.
const PROGRESS_EVERY: u64 = 500;

/// Runs the pumps against models of broker, store and vendor under a seeded scheduler, one world per seed.
///
/// Each world freezes, kills and restarts its parts as its seed says, and is judged at every step by a truth kept
/// outside the pumps. Exit status: 0 all rules held; 1 a rule was broken; 2 the seeds did not meet what a thousand
/// must. The last line of stdout is one JSON object; everything else goes to stderr.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "simulate",
    after_help = "Examples:\n  cargo simulate --seeds 10000\n  cargo simulate --seeds 1 --from 4711 --trace   (a failing seed again, line by line)"
)]
pub struct SimulateOptions {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    pub seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    pub from: u64,
    /// Print every line of the action log (with one seed).
    #[arg(long)]
    pub trace: bool,
    /// Print one line per seed with the digest of its action log.
    #[arg(long)]
    pub digest: bool,
    /// Print nothing but the last line of JSON.
    #[arg(long)]
    pub json: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
}

/// What many seeds showed; the last line on stdout.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Seeds run.
    pub seeds: u64,
    /// The first one.
    pub from: u64,
    /// Seeds that broke a rule, with the rule and the command that repeats it.
    pub failures: Vec<Failure>,
    /// Required things that never occurred; a fault only from a thousand seeds on.
    pub missing: Vec<&'static str>,
    /// All counts.
    pub coverage: Coverage,
    /// All digests in one: equal for equal seeds and builds.
    pub digest: String,
    #[serde(skip)]
    quiet: bool,
}

/// A seed that broke a rule.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
    /// How to see it again.
    pub repeat: String,
    /// The end of its action log.
    #[serde(skip)]
    pub lines: Vec<String>,
}

impl Report {
    /// Says what was found, in lines for people.
    pub fn tell(&self, say: &dyn Fn(&str)) {
        if self.quiet {
            return;
        }
        for failure in &self.failures {
            for line in &failure.lines {
                say(line);
            }
            let Violation { rule, detail } = &failure.violation;
            say(&format!("seed {} broke a rule: {rule}", failure.seed));
            say(&format!("  {detail}"));
            say(&format!("  again: {}", failure.repeat));
        }
        for (name, count) in self.coverage.counts() {
            say(&format!("{count:>12} {}", name.replace('_', " ")));
        }
        for name in &self.missing {
            say(&format!("never met: {}", name.replace('_', " ")));
        }
    }
}

impl Verdict for Report {
    fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }

    fn exit_code(&self) -> u8 {
        if !self.failures.is_empty() {
            1
        } else if self.seeds >= COVERED_BY_SEEDS && !self.missing.is_empty() {
            2
        } else {
            0
        }
    }
}

/// Runs the seeds; `say` gets lines for people.
pub fn simulate_seeds(options: &SimulateOptions, say: &(dyn Fn(&str) + Sync)) -> Report {
    let next = AtomicU64::new(options.from);
    let end = options.from.saturating_add(options.seeds);
    let found = Mutex::new(Found::default());
    let threads = options.threads.max(1);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run_seeds(&next, end, options, &found, say));
        }
    });
    let found = found
        .into_inner()
        .expect("a panic inside a seed is caught and reported");
    found.report(options)
}

/// What the threads have found so far.
#[derive(Debug, Default)]
struct Found {
    coverage: Coverage,
    failures: Vec<Failure>,
    seeds: u64,
    digest: u64,
}

impl Found {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.coverage.add(&outcome.coverage);
        // Threads finish in any order, so the digests are combined by an operation that has none.
        self.digest = self
            .digest
            .wrapping_add(outcome.digest ^ outcome.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        if let Some(violation) = outcome.violation {
            self.failures.push(Failure {
                seed: outcome.seed,
                violation,
                repeat: format!("cargo simulate --seeds 1 --from {} --trace", outcome.seed),
                lines: outcome.lines,
            });
        }
    }

    fn report(mut self, options: &SimulateOptions) -> Report {
        self.failures.sort_by_key(|failure| failure.seed);
        Report {
            seeds: self.seeds,
            from: options.from,
            missing: self.coverage.missing(),
            failures: self.failures,
            coverage: self.coverage,
            digest: format!("{:016x}", self.digest),
            quiet: options.json,
        }
    }
}

fn run_seeds(
    next: &AtomicU64,
    end: u64,
    options: &SimulateOptions,
    found: &Mutex<Found>,
    say: &(dyn Fn(&str) + Sync),
) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let outcome = simulate(seed, options.trace, None);
        if options.digest {
            say(&format!("seed {seed}: {:016x}", outcome.digest));
        }
        if options.trace {
            for line in &outcome.lines {
                say(line);
            }
        }
        let mut found = found.lock().expect("a panic inside a seed is caught");
        found.add(outcome);
        if found.failures.len() >= FAILURES_MAX {
            next.store(end, Ordering::Relaxed);
        }
        if found.seeds.is_multiple_of(PROGRESS_EVERY) && !options.json {
            say(&format!(
                "{} of {} seeds, {} failed",
                found.seeds,
                options.seeds,
                found.failures.len()
            ));
        }
    }
}
