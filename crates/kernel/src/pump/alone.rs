//! Records that were running when a process died: suspects, which run with nothing beside them.
//!
//! Invariant: while a suspect runs, nothing else does in the whole instance, so that a death then is its own. One that
//! has died so often enough is dead without a run; one whose run ends, however it ends, is a suspect no more.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::{
    Action, At, Pump,
    lane::{Letter, Next, State},
    lanes::LaneIndex,
};
use crate::{
    cause::{Death, Waiting},
    ids::{Offset, Partition, Time},
};

/// Others have at least so long between two suspects.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// A record that was running when a process died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Its position.
    pub offset: Offset,
    /// How often a process died while it ran alone.
    pub deaths: u32,
}

/// The suspects of one partition.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// By offset, with their deaths.
    open: BTreeMap<Offset, u32>,
    /// Those that the store knows of, and whether their record waits there too.
    stored: BTreeMap<Offset, bool>,
    /// None of them runs before.
    from: Time,
}

impl Suspects {
    pub(super) fn has(&self, offset: Offset) -> bool {
        // Healthy records come here: without suspects this costs nothing.
        !self.open.is_empty() && self.open.contains_key(&offset)
    }

    /// Its record waits in the store now, whatever the group passes.
    pub(super) fn enter_store(&mut self, offset: Offset) {
        if let Some(is_row) = self.stored.get_mut(&offset) {
            *is_row = true;
        }
    }

    /// It is settled.
    pub(super) fn acquit(&mut self, offset: Offset) {
        self.open.remove(&offset);
    }
}

/// A lane whose head is a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    at: At,
    lane: LaneIndex,
}

/// Whose turn it is to run alone, in the whole instance.
#[derive(Debug, Default)]
pub(super) struct Alone {
    /// Suspects whose time has come.
    line: VecDeque<Turn>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Others run; the next suspect is not before then.
    Open { from: Time },
    /// Nothing else begins, and when nothing runs any more, it does.
    Quiet { turn: Turn, since: Time },
    /// It runs.
    Runs {
        turn: Turn,
        deaths: u32,
        since: Time,
    },
}

impl Default for Stage {
    fn default() -> Self {
        Self::Open {
            from: Time::default(),
        }
    }
}

impl Alone {
    /// Whether a suspect runs, or waits for quiet.
    pub(super) fn keeps_others_waiting(&self) -> bool {
        !matches!(self.stage, Stage::Open { .. })
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Runs { .. })
    }

    /// When the next suspect's turn begins, if time is all that it waits for.
    pub(super) fn next(&self) -> Option<Time> {
        match self.stage {
            Stage::Open { from } if !self.line.is_empty() => Some(from),
            _ => None,
        }
    }
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// What a new owner finds. What lies below the committed position and does not wait in the store is clear.
    pub(super) fn suspect(
        &mut self,
        partition: Partition,
        suspects: Vec<Suspect>,
        committed: Option<Offset>,
        rows: &BTreeSet<Offset>,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let mut found = Suspects {
            from: now.plus(self.config.suspect_wait),
            ..Suspects::default()
        };
        let mut passed = Vec::new();
        for Suspect { offset, deaths } in suspects {
            let is_row = rows.contains(&offset);
            if !is_row && committed.is_some_and(|committed| offset < committed) {
                passed.push(offset);
                continue;
            }
            found.open.insert(offset, deaths);
            found.stored.insert(offset, is_row);
        }
        assigned.suspects = found;
        self.forget_suspects(partition, passed);
    }

    /// The group has committed a position: what was suspect below it is forgotten, unless it waits in the store.
    pub(super) fn forget_passed_suspects(&mut self, partition: Partition) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some((accepted, _)) = &assigned.accepted else {
            return;
        };
        let below = assigned.suspects.stored.range(..accepted);
        let passed: Vec<Offset> = below
            .filter(|&(_, &is_row)| !is_row)
            .map(|(&offset, _)| offset)
            .collect();
        self.forget_suspects(partition, passed);
    }

    /// Rows are tombstones now: what was suspect among them is forgotten.
    pub(super) fn forget_buried_suspects(
        &mut self,
        partition: Partition,
        buried: impl Iterator<Item = Offset>,
    ) {
        let Some(assigned) = self.partitions.get(&partition) else {
            return;
        };
        let stored = &assigned.suspects.stored;
        let known = buried.filter(|offset| stored.contains_key(offset));
        let known: Vec<Offset> = known.collect();
        self.forget_suspects(partition, known);
    }

    fn forget_suspects(&mut self, partition: Partition, offsets: Vec<Offset>) {
        if offsets.is_empty() {
            return;
        }
        if let Some(assigned) = self.partitions.get_mut(&partition) {
            for offset in &offsets {
                assigned.suspects.stored.remove(offset);
                assigned.suspects.open.remove(offset);
            }
        }
        self.actions
            .push(Action::ForgetSuspects { partition, offsets });
    }

    /// Keeps a lane that is ready from being handed over if its head is a suspect; false if it is not.
    pub(super) fn set_aside(&mut self, partition: Partition, lane: LaneIndex, now: Time) -> bool {
        let Some(assigned) = self.partitions.get(&partition) else {
            return false;
        };
        let Some(head) = assigned.lanes.lane(lane).queue.front() else {
            return false;
        };
        if !assigned.suspects.has(head.offset) {
            return false;
        }
        let at = At {
            partition,
            assignment: assigned.assignment,
            offset: head.offset,
        };
        let from = assigned.suspects.from;
        let deaths = assigned.suspects.open.get(&at.offset).copied();
        let deaths = deaths.unwrap_or_default();
        if deaths >= self.config.deaths_max {
            let letter = Letter {
                cause: Death::Crashed,
                attempts: self.attempts(partition, lane).saturating_add(deaths),
                residue: None,
            };
            self.dead_letter(partition, lane, letter);
            return true;
        }
        let turn = Turn { at, lane };
        let wait = if now < from {
            from.since(now)
        } else {
            if !self.alone.line.contains(&turn) {
                self.alone.line.push_back(turn);
            }
            // It is called when its turn comes; until then it looks whether it still stands in line.
            self.config.suspect_wait
        };
        self.wait_here(partition, lane, Waiting::Suspect, wait, Next::Run, now);
        true
    }

    /// Whether nothing may be handed over now, but to the suspect whose turn it is.
    pub(super) fn lets_one_run_alone(&mut self, now: Time) -> bool {
        loop {
            match self.alone.stage {
                Stage::Open { from } if now < from => return false,
                Stage::Open { .. } => {
                    let Some(turn) = self.alone.line.pop_front() else {
                        return false;
                    };
                    self.alone.stage = Stage::Quiet { turn, since: now };
                }
                // Lost, given back or fenced meanwhile, or gone to the store.
                Stage::Quiet { turn, .. } if !self.may_run_alone(turn) => {
                    self.alone.stage = Stage::Open { from: now };
                }
                Stage::Quiet { .. } if self.running > 0 => return true,
                Stage::Quiet { turn, since } => {
                    self.run_alone(turn, since, now);
                    return true;
                }
                Stage::Runs { .. } if self.running > 0 => return true,
                Stage::Runs { since, .. } => {
                    // Others have as long as they were kept waiting, and at least one round.
                    let spent = now.since(since).min(self.config.suspect_wait);
                    let from = now.plus(spent.max(PAUSE_MIN));
                    self.alone.stage = Stage::Open { from };
                    return false;
                }
            }
        }
    }

    fn may_run_alone(&self, turn: Turn) -> bool {
        let Some(assigned) = self.partitions.get(&turn.at.partition) else {
            return false;
        };
        if assigned.assignment != turn.at.assignment || assigned.open_epoch().is_none() {
            return false;
        }
        let lane = assigned.lanes.lane(turn.lane);
        let waits = matches!(
            lane.state,
            State::Ready
                | State::Waiting {
                    cause: Waiting::Suspect,
                    next: Next::Run,
                    ..
                }
        );
        let head = lane.queue.front().map(|head| head.offset);
        let deaths = assigned.suspects.open.get(&turn.at.offset);
        waits
            && head == Some(turn.at.offset)
            && deaths.is_some_and(|&deaths| deaths < self.config.deaths_max)
    }

    fn run_alone(&mut self, turn: Turn, since: Time, now: Time) {
        let partition = turn.at.partition;
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(epoch) = assigned.open_epoch() else {
            return;
        };
        let deaths = assigned.suspects.open.remove(&turn.at.offset);
        assigned.lanes.leave_line(turn.lane);
        assigned.set_timer(&mut self.timers, partition, turn.lane, None);
        self.alone.stage = Stage::Runs {
            turn,
            deaths: deaths.unwrap_or_default(),
            since,
        };
        self.hand_over(partition, turn.lane, epoch, now);
    }

    /// A run that was to be alone did not begin: it is as suspect as before.
    pub(super) fn suspect_again(&mut self, at: At) {
        if let Stage::Runs { turn, deaths, .. } = self.alone.stage
            && turn.at == at
            && let Some(assigned) = self.partitions.get_mut(&at.partition)
        {
            assigned.suspects.open.insert(at.offset, deaths);
        }
    }
}
