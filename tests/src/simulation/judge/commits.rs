//! Rules about commits: by the owner, never back, never past a record that is not clear.

use argosy_kernel::{Offset, Partition};

use super::{Judge, Rule};
use crate::simulation::{event::InstanceId, instance::Instance};

impl Judge {
    /// A pump asks for a commit.
    pub(crate) fn commits(
        &mut self,
        instance: &Instance,
        offsets: &[(Partition, Offset, Option<String>)],
    ) {
        for (partition, offset, metadata) in offsets {
            self.check_clear(*partition, *offset);
            if !instance.member.owned().contains(partition) {
                self.rule(Rule::OnlyOwnersCommit, || {
                    format!("{partition:?} is committed by who does not have it")
                });
            }
            let bytes = metadata.as_ref().map_or(0, String::len);
            if bytes > self.config.metadata_bytes_max {
                self.rule(Rule::BudgetsHold, || {
                    format!("a commit carries {bytes} bytes of metadata")
                });
            }
        }
    }

    /// The broker accepts a commit; `by_owner` says whether the group agrees that it is the owner's.
    pub(crate) fn committed(
        &mut self,
        id: InstanceId,
        partition: Partition,
        offset: Offset,
        by_owner: bool,
    ) {
        self.check_clear(partition, offset);
        if !by_owner {
            self.rule(Rule::OnlyOwnersCommit, || {
                format!(
                    "{partition:?} is committed by instance {}, not its owner",
                    id.0
                )
            });
        }
        let Some(truth) = self.partitions.get_mut(&partition) else {
            return;
        };
        let before = truth.accepted.0;
        truth.accepted.0 = before.max(offset);
        if offset < before {
            self.rule(Rule::CommitsOnlyGrow, || {
                format!("{partition:?} goes back from {} to {}", before.0, offset.0)
            });
        }
    }

    fn check_clear(&mut self, partition: Partition, offset: Offset) {
        let Some(truth) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Some(first) = truth.first_unclear_below(offset, &self.records) {
            self.rule(Rule::CommitPassesNothingUnclear, || {
                format!(
                    "{partition:?} is committed at {}, offset {} is not clear",
                    offset.0, first.0
                )
            });
        }
    }

    /// The group's word on who owns a partition; whether that is somebody else than the last owner.
    pub(crate) fn owner_is(&mut self, partition: Partition, owner: Option<InstanceId>) -> bool {
        let (Some(owner), Some(truth)) = (owner, self.partitions.get_mut(&partition)) else {
            return false;
        };
        let last = truth.last_owner.replace(owner);
        last.is_some_and(|last| last != owner)
    }
}
