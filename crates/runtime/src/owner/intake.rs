//! Records on their way in: headers read once, foreign types skipped undecoded; and messages from runs and writers.

use std::sync::Arc;

use argosy_broker::Delivery;
use argosy_kernel::{At, Input, LaneKey, Offset, Record, RunEnd};

use super::{Owner, Told};
use crate::{
    clock,
    delivered::{Body, Delivered, Residue},
};

/// Why a record of a type without handler is skipped.
pub(super) const FOREIGN: &str = "no handler for its type";

impl Owner {
    pub(super) fn take_in(&mut self, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let received_ms = clock::wall_ms();
        let records = deliveries
            .into_iter()
            .filter_map(|delivery| self.record(delivery, received_ms))
            .collect();
        self.feed(Input::Records(records));
    }

    fn record(&self, delivery: Delivery, received_ms: i64) -> Option<Record<Body>> {
        let partition = self.partition(&delivery.from)?;
        let offset = Offset(delivery.offset);
        let lane = match &delivery.key {
            Some(key) => LaneKey::Key(Arc::from(key.as_ref())),
            None => LaneKey::Keyless(offset),
        };
        let bytes = delivery.bytes;
        let body = Arc::new(Delivered::read(
            delivery,
            received_ms,
            &self.parts.worker.handlers,
        ));
        // A record whose envelope cannot be read is not foreign: it is run, and dies as undecodable.
        let skip = (body.envelope.is_ok() && body.handler.is_none()).then_some(FOREIGN);
        Some(Record {
            partition,
            offset,
            lane,
            bytes,
            skip,
            body,
        })
    }

    /// A message of a run or a writer. What it says of a run that is no longer live is forgotten here.
    pub(super) fn hear(&mut self, input: Told) {
        match &input {
            Input::Finished { at, end } => {
                self.end_live(*at, end);
                if let RunEnd::Failed { .. } = end {
                    self.first_failures
                        .entry(*at)
                        .or_insert_with(clock::wall_ms);
                }
            }
            Input::Owned {
                partition, epoch, ..
            } => {
                self.epochs.insert(*partition, *epoch);
            }
            _ => {}
        }
        self.feed(input);
    }

    /// A run ended: the next record of its hand-over begins now, or none of them will.
    fn end_live(&mut self, at: At, end: &RunEnd<Residue>) {
        let Some(ended) = self.live.remove(&at) else {
            return;
        };
        let goes_on = matches!(end, RunEnd::Done { emits: None } | RunEnd::Skipped(_));
        let now = self.clock.now();
        for rest in ended.together.iter().filter(|rest| rest.offset > at.offset) {
            if !goes_on {
                self.live.remove(rest);
            } else if let Some(live) = self.live.get_mut(rest) {
                live.since = now;
            }
        }
    }
}
