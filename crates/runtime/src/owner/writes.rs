//! What a settlement waits for: emitted events and dead letters, acknowledged by the broker.

use std::sync::Arc;

use argosy_events::fleet::v1::State;
use argosy_kernel::{At, Death, Epoch, Input, WriteFault};

use super::Owner;
use crate::{
    clock,
    dead_letter::{self, Obituary},
    delivered::{Body, Residue},
    emit::fault_of,
    telemetry,
    timeline::{Steps, entry},
};

impl Owner {
    pub(super) fn publish(&self, at: At, body: Body, emits: Residue) {
        let inbox = self.parts.shop.inbox.clone();
        let Residue::Emits(events) = emits else {
            inbox.tell(Input::Published { at, result: Ok(()) });
            return;
        };
        // Enqueued in this very turn, so that the events of one lane leave in order.
        let sending = self
            .parts
            .producer
            .send(events.iter().map(|event| event.message.clone()).collect());
        let timelines = self.parts.shop.timelines.clone();
        let worker = self.parts.worker.name();
        let writing = async move {
            let results = sending.await;
            let result = fault_of(&results);
            match result {
                Ok(()) => {
                    let steps = events.iter().map(Steps::emitted).collect();
                    timelines.tell(entry(worker, &body, State::Running, steps));
                }
                Err(_) => {
                    let errors: Vec<_> = results
                        .iter()
                        .filter_map(|result| result.as_ref().err())
                        .take(3)
                        .collect();
                    telemetry::emit_write_failed(&format!("{errors:?}"));
                }
            }
            inbox.tell(Input::Published { at, result });
        };
        self.parts.tracker.spawn_on(writing, &self.parts.handlers);
    }

    pub(super) fn write_dead_letter(
        &mut self,
        at: At,
        body: Body,
        cause: Death,
        attempts: u32,
        residue: Option<&Residue>,
    ) {
        if dead_letter::is_letter(&body) {
            telemetry::letter_not_written(cause.name(), &body.delivery);
            let inbox = &self.parts.shop.inbox;
            inbox.tell(Input::DeadLettered { at, result: Ok(()) });
            return;
        }
        let fault = match residue {
            Some(Residue::Fault(fault)) => Some(Arc::clone(fault)),
            Some(Residue::Emits(_)) | None => None,
        };
        let last_failure_ms = fault
            .as_ref()
            .map_or_else(clock::wall_ms, |fault| fault.at_ms);
        let message = dead_letter::message(
            &body,
            &Obituary {
                worker: self.parts.worker.name(),
                cause,
                attempts,
                fault: fault.as_deref(),
                first_failure_ms: self
                    .first_failures
                    .get(&at)
                    .copied()
                    .unwrap_or(last_failure_ms),
                last_failure_ms,
                epoch: self.epochs.get(&at.partition).copied().unwrap_or(Epoch(0)),
            },
        );
        let sending = self.parts.producer.send(vec![message]);
        let inbox = self.parts.shop.inbox.clone();
        let writing = async move {
            let result = match sending.await.pop() {
                Some(Ok(_)) => {
                    let from = &body.delivery.from;
                    telemetry::dead_letter_written(
                        cause.name(),
                        &from.topic,
                        from.partition,
                        body.delivery.offset,
                    );
                    Ok(())
                }
                Some(Err(error)) => {
                    telemetry::dead_letter_write_failed(&error);
                    fault_of::<()>(&[Err(error)])
                }
                None => Err(WriteFault::Unavailable),
            };
            inbox.tell(Input::DeadLettered { at, result });
        };
        self.parts.tracker.spawn_on(writing, &self.parts.handlers);
    }
}
