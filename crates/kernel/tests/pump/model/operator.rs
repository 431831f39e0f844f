//! The operator: wants dead records replayed and holds ended, by plan steps that the store keeps.

use argosy_kernel::{
    Assignment, Input, LaneKey, Offset, Partition, PlanStep, PlanStepKind, PlanStepNumber,
};

use super::{Shell, lane_of};
use crate::world::{P0, P1};

impl Shell {
    /// Asks for something, or the owner asks what is due.
    pub(super) fn operate(&mut self) {
        match self.draw(3) {
            0 => self.want_replay(),
            1 => self.want_release(),
            _ => self.poll_steps(),
        }
    }

    fn want_replay(&mut self) {
        let letters = self.letters.iter().filter(|(_, is_dead)| **is_dead);
        let letters: Vec<_> = letters.map(|(&place, _)| place).collect();
        if letters.is_empty() {
            return;
        }
        let (partition, offset) = letters[self.draw(letters.len() as u64) as usize];
        self.want(partition, offset, PlanStepKind::Replay { bytes: 10 });
    }

    fn want_release(&mut self) {
        let holds: Vec<_> = self
            .holds
            .iter()
            .map(|((of, _), &offset)| (*of, offset))
            .collect();
        if holds.is_empty() {
            return;
        }
        let (partition, offset) = holds[self.draw(holds.len() as u64) as usize];
        self.want(partition, offset, PlanStepKind::Release);
    }

    fn want(&mut self, partition: Partition, offset: i64, kind: PlanStepKind) {
        let mut open = self.steps.values();
        if open.any(|(of, step)| *of == partition && step.offset.0 == offset) {
            return;
        }
        self.step += 1;
        let step = PlanStep {
            number: PlanStepNumber(self.step),
            lane: lane_of(offset),
            offset: Offset(offset),
            kind,
        };
        self.steps.insert(self.step, (partition, step));
    }

    /// What is due is told to whoever has the partition now, however often.
    pub(super) fn poll_steps(&mut self) {
        let partition = if self.draw(2) == 0 { P0 } else { P1 };
        let steps: Vec<PlanStep> = self
            .steps
            .values()
            .filter(|(of, _)| *of == partition)
            .map(|(_, step)| step.clone())
            .collect();
        let assignment = Assignment(self.assignment_of(partition));
        self.on(Input::PlanSteps {
            partition,
            assignment,
            steps,
        });
    }

    /// True if the step was open.
    pub(super) fn close_step(&mut self, number: PlanStepNumber) -> bool {
        self.steps.remove(&number.0).is_some()
    }

    /// Ends every hold, as somebody does in the end.
    pub(super) fn release_all(&mut self) {
        let holds: Vec<_> = self
            .holds
            .iter()
            .map(|((of, _), &offset)| (*of, offset))
            .collect();
        for (partition, offset) in holds {
            self.want(partition, offset, PlanStepKind::Release);
        }
        self.poll_steps();
    }

    /// Where a key is held, if it is.
    pub(super) fn hold_of(&self, partition: Partition, lane: &LaneKey) -> Option<i64> {
        self.holds.get(&(partition, lane.clone())).copied()
    }
}
