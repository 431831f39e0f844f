//! Rules about parked records: clear only once the store has them, buried only once their settlement is told.

use argosy_kernel::{Offset, Partition};

use super::{Judge, Rule};
use crate::simulation::{event::Purpose, plan::RecordId};

impl Judge {
    /// The store has these records, and whoever asked may learn of it.
    pub(crate) fn parked(&mut self, rows: &[RecordId]) {
        for record in rows {
            self.records[record.index()].is_parked = true;
        }
    }

    /// The store died: what it had made durable it has, though nobody was told.
    pub(crate) fn may_be_parked(&mut self, purpose: &Purpose, is_durable: bool) {
        if let Purpose::Park { rows, .. } = purpose
            && is_durable
        {
            self.parked(rows);
        }
    }

    /// A pump makes tombstones of rows that settled, and forgets those that the group has passed.
    pub(crate) fn buries(
        &mut self,
        partition: Partition,
        settled: &[Offset],
        passed: Option<Offset>,
    ) {
        let Some(truth) = self.partitions.get(&partition) else {
            return;
        };
        let untold = settled.iter().copied().find(|offset| {
            let record = truth.records.iter().find(|(at, _)| at == offset);
            record.is_none_or(|(_, record)| self.records[record.index()].clear.is_none())
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
