//! What the shell sees, held against the truth that it keeps.

use argosy_kernel::{
    Action, At, LaneKey, LaneState, Offset, Partition, RevokeNumber, Settle, StepNumber,
};

use super::{Owed, Shell, is_delivered, lane_of};
use crate::world::{Act, P0, P1, millis};

impl Shell {
    pub(super) fn carry_out(&mut self, action: Act) {
        self.judge_condemned(&action);
        match action {
            Action::TakeOwner {
                partition,
                assignment,
            } => {
                self.owed.push(Owed::Owner(partition, assignment));
            }
            Action::Run(dispatch) => {
                let rest: Vec<At> = dispatch.records.iter().map(|r| r.at).collect();
                self.judge_run(&rest);
                self.judge_alone(&dispatch);
                self.owed.push(Owed::Run(rest));
            }
            Action::Publish { at, .. } => self.owed.push(Owed::Publish(at)),
            Action::DeadLetter { at, .. } => self.owed.push(Owed::DeadLetter(at)),
            Action::Settled {
                at, step, settle, ..
            } => self.settled(at, step, settle),
            Action::Commit { commit, offsets } => {
                self.judge_commit(&offsets);
                self.owed.push(Owed::Commit(commit, self.now, offsets));
            }
            Action::LetGo(revoke) => self.let_go(revoke),
            Action::HoldIntake(partition) => assert!(self.held.insert(partition)),
            Action::ResumeIntake(partition) => assert!(self.held.remove(&partition)),
            Action::Leave => {
                assert!(self.live().is_empty() && !self.left);
                self.left = true;
            }
            Action::Abort { at, .. } => {
                let known = self
                    .owed
                    .iter()
                    .any(|owed| matches!(owed, Owed::Run(rest) if rest.contains(&at)));
                assert!(known, "aborted what does not run");
            }
            Action::Waits { .. } | Action::MapIgnored { .. } => {}
            Action::ForgetSuspects { partition, offsets } => {
                self.forget_suspects(partition, &offsets);
            }
            Action::Park(write) => self.owe_park(write),
            Action::LoadParked(load) => self.owed.push(Owed::Load(load)),
        }
    }

    pub(super) fn assignment_of(&self, partition: Partition) -> u64 {
        let mut assigned = self.pump.assigned();
        let found = assigned.find(|(other, _)| *other == partition);
        found.map_or(0, |(_, assignment)| assignment.0)
    }

    /// One live run per key; nothing of a partition that is asked back.
    fn judge_run(&self, rest: &[At]) {
        let lane = (rest[0].partition, lane_of(rest[0].offset.0));
        for at in self.live() {
            let other = (at.partition, lane_of(at.offset.0));
            assert_ne!(other, lane, "two live runs of one key");
        }
        let held = self.hold_of(lane.0, &lane.1);
        for at in rest {
            assert!(
                held.is_none_or(|held| at.offset.0 <= held),
                "{} runs behind its hold",
                at.offset.0
            );
            assert_eq!(lane_of(at.offset.0), lane.1, "a dispatch of two keys");
            let asked_back = self.revokes.values().flatten().any(|p| *p == at.partition);
            assert!(!asked_back, "a dispatch of what is asked back");
        }
    }

    fn settled(&mut self, at: At, step: StepNumber, settle: Settle) {
        self.last_step += 1;
        assert_eq!(step.0, self.last_step);
        let current = self.assignment_of(at.partition);
        assert_eq!(at.assignment.0, current, "settled after its end");
        let lane = lane_of(at.offset.0);
        if matches!(settle, Settle::Dead(_))
            && self.holds_keys
            && !matches!(lane, LaneKey::Keyless(_))
        {
            let held = self.hold_of(at.partition, &lane);
            assert!(held >= Some(at.offset.0), "dead, and its key is not held");
        }
        // What no handler wants settles without its lane.
        if settle != Settle::Skipped("no handler") {
            for before in (0..at.offset.0).filter(|&before| is_delivered(before)) {
                if lane_of(before) == lane && before % 11 != 0 {
                    let known = self.settled.contains_key(&(at.partition, before));
                    assert!(known, "{} overtakes {before}", at.offset.0);
                }
            }
            // One that settled before, and was not known to, may come behind others that were parked meanwhile.
            let is_again = self.settled.contains_key(&(at.partition, at.offset.0));
            let place = (at.partition, lane);
            let before = self.lane_position.insert(place, at.offset.0);
            assert!(
                before.is_none_or(|before| before < at.offset.0) || is_again,
                "out of order"
            );
        }
        let place = (at.partition, at.offset.0);
        self.suspects.remove(&place);
        self.settled.insert(place, (step.0, false));
        // Should it be replayed, it is not suspected again.
        self.suspects.remove(&place);
    }

    /// One commit at a time; everything below a committed offset is settled and acknowledged.
    fn judge_commit(&mut self, offsets: &[(Partition, Offset, Option<String>)]) {
        // A commit that is out for ten seconds counts as failed; here it never reached the broker.
        let now = self.now;
        self.owed.retain(|owed| match owed {
            Owed::Commit(_, since, _) => {
                assert!(now.since(*since) >= millis(10_000), "two commits are out");
                false
            }
            _ => true,
        });
        for (partition, offset, metadata) in offsets {
            assert!(
                self.position.contains_key(partition),
                "a commit of what is not ours"
            );
            assert!(metadata.as_ref().is_none_or(|text| text.len() <= 4_096));
            let committed = self.committed.get(partition);
            let from = committed.map_or(0, |(offset, _)| *offset);
            assert!(offset.0 >= from, "a commit that goes back");
            for below in (from..offset.0).filter(|&below| is_delivered(below)) {
                let settled = self.settled.get(&(*partition, below));
                let clear = settled.is_some_and(|(_, acknowledged)| *acknowledged)
                    || self.rows.contains_key(&(*partition, below));
                assert!(clear, "{below} is not clear and committed by {offset:?}");
            }
        }
    }

    fn let_go(&mut self, revoke: RevokeNumber) {
        let partitions = self.revokes.remove(&revoke.0).expect("answered once");
        for at in self.live() {
            assert!(
                !partitions.contains(&at.partition),
                "let go with a live handler"
            );
        }
        for partition in partitions {
            self.forget(partition);
        }
    }

    pub(super) fn judge(&self) {
        let live = self.live().len();
        assert!(live <= 5, "{live} lanes run");
        let wake_at = self.pump.wake_at();
        assert!(wake_at.is_none_or(|wake_at| wake_at > self.now));
        for lane in self.pump.lanes() {
            if let LaneState::Waiting { until, .. } = lane.state {
                assert!(
                    wake_at.is_some_and(|wake_at| wake_at <= until),
                    "a wait without a wake-up"
                );
            }
        }
        let running = self
            .pump
            .lanes()
            .filter(|lane| matches!(lane.state, LaneState::Running { .. }));
        assert!(running.count() <= live);
        assert_eq!(self.pump.live_runs(P0) + self.pump.live_runs(P1), live);
    }
}
