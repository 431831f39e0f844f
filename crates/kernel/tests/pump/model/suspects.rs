//! The suspects' part of the truth: who may run with others, who alone, and who not at all.

use argosy_kernel::{
    Action, Assignment, At, Death, Dispatch, Offset, Partition, RunEnd, Suspect, Waiting,
};

use super::{RECORDS, Shell, is_delivered};
use crate::world::{Act, End, millis};

/// Deaths after which a record is dead.
const DEATHS_MAX: u32 = 3;

impl Shell {
    /// What a new owner is told; what it was told before counts no more. One who is not asked any more is told nothing.
    pub(super) fn draw_suspects(
        &mut self,
        partition: Partition,
        assignment: Assignment,
    ) -> Vec<Suspect> {
        let asks = self.pump.held_back(partition) == Some(Waiting::Unassigned(assignment));
        if !asks {
            return Vec::new();
        }
        self.suspects.retain(|&(of, _), _| of != partition);
        let mut found = Vec::new();
        for offset in (0..RECORDS).filter(|&offset| is_delivered(offset)) {
            if self.chance(8) {
                let deaths = u32::try_from(self.draw(5)).expect("it is below 5");
                self.suspects.insert((partition, offset), deaths);
                found.push(Suspect {
                    offset: Offset(offset),
                    deaths,
                });
            }
        }
        found
    }

    /// A suspect runs alone, and nothing begins while one does.
    pub(super) fn judge_alone(&mut self, dispatch: &Dispatch<i64>) {
        let live = self.live();
        let alone = self.alone.filter(|(at, _)| live.contains(at));
        assert_eq!(alone, None, "something begins beside a suspect");
        for record in &dispatch.records {
            let place = (record.at.partition, record.at.offset.0);
            let deaths = self.suspects.remove(&place);
            assert_eq!(deaths.is_some(), dispatch.alone, "{place:?}: {deaths:?}");
            if let Some(deaths) = deaths {
                assert!(live.is_empty(), "a suspect runs beside others");
                assert_eq!(dispatch.records.len(), 1, "a suspect is handed over alone");
                assert!(deaths < DEATHS_MAX, "a condemned record runs");
                self.alone = Some((record.at, deaths));
                self.ran_alone += 1;
            }
        }
    }

    /// A run that was to be alone may find that it cannot be.
    pub(super) fn refuse_to_run_alone(&mut self, at: At) -> Option<End> {
        let (_, deaths) = self.alone.take_if(|(alone, _)| *alone == at)?;
        let is_current = self.assignment_of(at.partition) == at.assignment.0;
        if !is_current || !self.chance(20) {
            return None;
        }
        self.suspects.insert((at.partition, at.offset.0), deaths);
        Some(RunEnd::Deferred {
            cause: Waiting::Suspect,
            wait: millis(50),
        })
    }

    /// What is clear is suspected no more, should it ever be replayed.
    pub(super) fn forget_suspects(&mut self, partition: Partition, offsets: &[Offset]) {
        for offset in offsets {
            self.suspects.remove(&(partition, offset.0));
        }
    }

    pub(super) fn judge_condemned(&mut self, action: &Act) {
        if let Action::DeadLetter { at, cause, .. } = action
            && *cause == Death::Crashed
        {
            let place = (at.partition, at.offset.0);
            let deaths = self.suspects.get(&place);
            // A letter that is on its way outlives what its owner was told.
            let is_known = deaths.is_some_and(|&deaths| deaths >= DEATHS_MAX);
            assert!(is_known || self.condemned.contains(&place));
            self.condemned.insert(place);
        }
    }
}
