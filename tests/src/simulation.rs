//! The simulation: pumps with the real effect protocol against models of broker, store and vendor, under one seeded
//! scheduler that freezes, kills and restarts them, judged at every step by a truth kept outside.
//!
//! A seed alone decides what happens: the same seed gives the same action log, on every machine.

mod action_log;
mod agenda;
mod command;
mod coverage;
mod event;
mod foreign;
mod instance;
mod judge;
mod plan;
mod run;
mod world;

pub use self::{
    command::{Failure, Report, SimulateOptions, simulate_seeds},
    coverage::Coverage,
    judge::{Rule, Violation},
};

use self::{
    event::{PumpAction, PumpInput},
    plan::Plan,
    world::World,
};

/// Changes what a pump answered, to see whether the judge notices.
pub(crate) type Meddle = fn(&PumpInput, &mut Vec<PumpAction>);

/// What one seed showed.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The seed.
    pub(crate) seed: u64,
    /// The first broken rule, if one was.
    pub(crate) violation: Option<Violation>,
    /// What it met.
    pub(crate) coverage: Coverage,
    /// Tells its action log from every other.
    pub(crate) digest: u64,
    /// The last lines of its action log; all of them, if they were traced.
    pub(crate) lines: Vec<String>,
}

/// Runs one seed; `traced` keeps its whole action log.
pub(crate) fn simulate(seed: u64, traced: bool, meddle: Option<Meddle>) -> Outcome {
    let mut world = World::new(Plan::new(seed), traced, meddle);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run())).err();
    let (mut judge, coverage, log) = world.into_parts();
    if let Some(panic) = panic {
        judge.rule(Rule::NoPanic, || describe_panic(panic.as_ref()));
    }
    let digest = log.digest();
    let violation = judge.into_violation();
    Outcome {
        seed,
        lines: if traced || violation.is_some() {
            log.into_lines()
        } else {
            Vec::new()
        },
        violation,
        coverage,
        digest,
    }
}

fn describe_panic(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

#[cfg(test)]
mod tests;
