//! Rules about parked records: clear only once the store has them, buried only once their settlement is told.

use argosy_kernel::{Epoch, Offset, Partition};

use super::{Judge, Rule};

impl Judge {
    /// A pump makes tombstones of rows that settled, and forgets those that the group has passed.
    pub(crate) fn buries(
        &mut self,
        partition: Partition,
        epoch: Epoch,
        settled: &[Offset],
        passed: Option<Offset>,
    ) {
        let Some(truth) = self.partitions.get(&partition) else {
            return;
        };
        // What a former owner still asks for is refused; a replay by the newest one may owe a step of its own.
        let is_owner = self.newest_epochs.get(&partition) == Some(&epoch);
        let untold = settled.iter().copied().find(|offset| {
            let record = truth.records.iter().find(|(at, _)| at == offset);
            record.is_none_or(|(_, record)| {
                let truth = &self.records[record.index()];
                truth.clear.is_none() || (is_owner && truth.owes_step)
            })
        });
        let accepted = truth.accepted.0;
        if let Some(offset) = untold {
            self.rule(Rule::BuriedOnceTold, || {
                format!(
                    "{partition:?}@{} is buried, its step is not acknowledged",
                    offset.0
                )
            });
        }
        if let Some(passed) = passed.filter(|passed| *passed > accepted) {
            self.rule(Rule::BuriedOnceTold, || {
                format!(
                    "{partition:?}: tombstones below {} go, the group is at {}",
                    passed.0, accepted.0
                )
            });
        }
    }
}
