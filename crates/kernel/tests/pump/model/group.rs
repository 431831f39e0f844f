//! The group's part of the truth: partitions come, are asked back, and are lost.

use argosy_kernel::{Assignment, Input, Partition, RevokeNumber};

use super::{Owed, Shell};
use crate::world::{P0, P1};

impl Shell {
    /// Assigns what is not assigned.
    pub(super) fn rebalance(&mut self) {
        let missing: Vec<Partition> = [P0, P1]
            .into_iter()
            .filter(|p| !self.position.contains_key(p))
            .collect();
        if missing.is_empty() || self.left {
            return;
        }
        self.assignment += 1;
        for &partition in &missing {
            let from = self
                .committed
                .get(&partition)
                .map_or(0, |(offset, _)| *offset);
            self.position.insert(partition, from);
            self.held.remove(&partition);
            // A revoke that still waits for others no longer means this one: it was lost meanwhile.
            for asked in self.revokes.values_mut() {
                asked.retain(|other| *other != partition);
            }
            self.lane_position
                .retain(|(other, _), _| *other != partition);
        }
        let assignment = Assignment(self.assignment);
        self.on(Input::Assigned {
            assignment,
            partitions: missing,
        });
    }

    /// A partition is no longer this instance's: a commit of it that is out will not be taken.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.position.remove(&partition);
        for owed in &mut self.owed {
            if let Owed::Commit(_, _, offsets) = owed {
                offsets.retain(|(other, ..)| *other != partition);
            }
        }
    }

    pub(super) fn revoke_or_lose(&mut self) {
        let some: Vec<Partition> = [P0, P1].into_iter().filter(|_| self.draw(2) == 0).collect();
        if self.draw(2) == 0 {
            for partition in &some {
                self.forget(*partition);
            }
            self.on(Input::Lost { partitions: some });
            return;
        }
        self.revoke += 1;
        self.revokes.insert(self.revoke, some.clone());
        self.on(Input::RevokeAsked {
            revoke: RevokeNumber(self.revoke),
            partitions: some,
        });
    }
}
