//! What happened, line by line: the last lines are kept for a failing seed, all of them make up its digest.

use std::{collections::VecDeque, fmt};

use argosy_kernel::{Action, At, Input, Partition, RunEnd, Time};

use super::event::{InstanceId, PumpAction, PumpInput};

/// Lines kept for the report of a failing seed.
const LINES_MAX: usize = 120;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) at: Time,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) verb: &'static str,
    pub(crate) partition: Option<Partition>,
    pub(crate) number: i64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.6} ", self.at.0.as_secs_f64())?;
        match self.instance {
            Some(instance) => write!(f, "i{:<3}", instance.0)?,
            None => f.write_str("    ")?,
        }
        write!(f, " {}", self.verb)?;
        if let Some(partition) = self.partition {
            write!(f, " {}/{}", partition.topic.0, partition.number)?;
        }
        if self.number >= 0 {
            write!(f, " {}", self.number)?;
        }
        Ok(())
    }
}

/// The log of one seed.
#[derive(Debug)]
pub(crate) struct ActionLog {
    lines: VecDeque<Line>,
    digest: u64,
    trace: Option<Vec<String>>,
}

impl ActionLog {
    /// An empty log; `traced` keeps every line.
    pub(crate) fn new(traced: bool) -> Self {
        Self {
            lines: VecDeque::with_capacity(LINES_MAX),
            digest: 0xCBF2_9CE4_8422_2325,
            trace: traced.then(Vec::new),
        }
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, line: Line) {
        self.mix(line.at.0.as_nanos() as u64);
        self.mix(
            line.instance
                .map_or(u64::MAX, |instance| u64::from(instance.0)),
        );
        for byte in line.verb.bytes() {
            self.mix(u64::from(byte));
        }
        let place = line.partition.map_or(0, |partition| {
            (u64::from(partition.topic.0) << 32) | u64::from(partition.number as u32)
        });
        self.mix(place);
        self.mix(line.number as u64);
        if let Some(trace) = &mut self.trace {
            trace.push(line.to_string());
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Tells two different logs apart.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// All lines if they were traced, else the last ones.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.trace
            .unwrap_or_else(|| self.lines.iter().map(Line::to_string).collect())
    }

    /// FNV-1a over whole words.
    fn mix(&mut self, word: u64) {
        self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01B3);
    }
}

/// An input's verb, place and number.
pub(crate) fn describe_input(input: &PumpInput) -> (&'static str, Option<Partition>, i64) {
    match input {
        Input::Records(records) => (
            "< records",
            records.first().map(|record| record.partition),
            records.first().map_or(-1, |record| record.offset.0),
        ),
        Input::Assigned {
            assignment,
            partitions,
        } => (
            "< assigned",
            partitions.first().copied(),
            assignment.0 as i64,
        ),
        Input::Owned {
            partition, epoch, ..
        } => ("< owned", Some(*partition), epoch.0),
        Input::NotOwned { partition, .. } => ("< not owned", Some(*partition), -1),
        Input::RevokeAsked { revoke, partitions } => (
            "< revoke asked",
            partitions.first().copied(),
            revoke.0 as i64,
        ),
        Input::Lost { partitions } => ("< lost", partitions.first().copied(), -1),
        Input::Finished { at, end } => place(finish_verb(end), at),
        Input::Published { at, result: Ok(()) } => place("< published", at),
        Input::Published { at, .. } => place("< not published", at),
        Input::DeadLettered { at, result: Ok(()) } => place("< dead-lettered", at),
        Input::DeadLettered { at, .. } => place("< not dead-lettered", at),
        Input::CommitEnded { commit, .. } => ("< commit ended", None, commit.0 as i64),
        Input::Parked {
            partition,
            park,
            result,
            ..
        } => {
            let verb = if result.is_ok() {
                "< parked"
            } else {
                "< not parked"
            };
            (verb, Some(*partition), park.0 as i64)
        }
        Input::ParkedLoaded {
            partition,
            load,
            result,
            ..
        } => {
            let verb = if result.is_ok() {
                "< loaded"
            } else {
                "< not loaded"
            };
            (verb, Some(*partition), load.0 as i64)
        }
        Input::PlanSteps {
            partition, steps, ..
        } => ("< plan steps", Some(*partition), steps.len() as i64),
        Input::StepsAcknowledged(step) => ("< steps acknowledged", None, step.0 as i64),
        Input::Shutdown => ("< shutdown", None, -1),
        Input::Tick => ("< tick", None, -1),
    }
}

fn finish_verb<X>(end: &RunEnd<X>) -> &'static str {
    match end {
        RunEnd::Done { emits: None } => "< finished done",
        RunEnd::Done { .. } => "< finished done with events",
        RunEnd::Skipped(_) => "< finished skipped",
        RunEnd::Failed { .. } => "< finished failed",
        RunEnd::Deferred { .. } => "< finished deferred",
        RunEnd::Dead { .. } => "< finished dead",
        RunEnd::Dropped { .. } => "< finished dropped",
        RunEnd::Fenced => "< finished fenced",
    }
}

/// An action's verb, place and number.
pub(crate) fn describe_action(action: &PumpAction) -> (&'static str, Option<Partition>, i64) {
    match action {
        Action::TakeOwner { partition, .. } => ("> take owner", Some(*partition), -1),
        Action::Run(dispatch) => match dispatch.records.first() {
            Some(first) => place("> run", &first.at),
            None => ("> run nothing", None, -1),
        },
        Action::Abort { at, .. } => place("> abort", at),
        Action::Publish { at, .. } => place("> publish", at),
        Action::DeadLetter { at, .. } => place("> dead-letter", at),
        Action::Waits { at, .. } => place("> waits", at),
        Action::Park(write) => ("> park", Some(write.partition), write.park.0 as i64),
        Action::LoadParked(load) => ("> load", Some(load.partition), load.load.0 as i64),
        Action::Settled { at, .. } => place("> settled", at),
        Action::Commit { offsets, .. } => (
            "> commit",
            offsets.first().map(|(partition, ..)| *partition),
            offsets.first().map_or(-1, |(_, offset, _)| offset.0),
        ),
        Action::ForgetSuspects { partition, offsets } => {
            ("> forget suspects", Some(*partition), offsets.len() as i64)
        }
        Action::HoldIntake(partition) => ("> hold intake", Some(*partition), -1),
        Action::ResumeIntake(partition) => ("> resume intake", Some(*partition), -1),
        Action::LetGo(revoke) => ("> let go", None, revoke.0 as i64),
        Action::Leave => ("> leave", None, -1),
        Action::MapIgnored { partition, .. } => ("> map ignored", Some(*partition), -1),
    }
}

fn place(verb: &'static str, at: &At) -> (&'static str, Option<Partition>, i64) {
    (verb, Some(at.partition), at.offset.0)
}
