//! Takes events in: writes them and their `accepted` step to the broker, as one.
//!
//! Invariant: `Ok` means that the broker acknowledged every event and the step. Anything else but a refusal for good
//! means unknown, and is mended by sending the same events again.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use argosy_broker::{BrokerError, Message, Producer};
use argosy_events::{
    Envelope, Payload, Validated, catalogue,
    fleet::v1::{Entry, State, Step, TimelineBatch, step},
};
use bytes::Bytes;
use uuid::Uuid;

use crate::{clock, problem::Problem, telemetry};

/// The worker's name in the gateway's own steps.
pub(crate) const WORKER: &str = "gateway";

/// The content type of what is written, whatever came in.
const PROTOBUF: &str = "application/protobuf";

/// An event to take in: checked, and re-encoded.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) envelope: Envelope,
    pub(crate) body: Validated,
}

/// See the module page.
pub(crate) struct Intake {
    producer: Arc<dyn Producer>,
    instance: Uuid,
    number: AtomicI64,
}

impl Intake {
    pub(crate) fn new(producer: Arc<dyn Producer>) -> Self {
        Self {
            producer,
            instance: Uuid::new_v4(),
            number: AtomicI64::new(0),
        }
    }

    /// Resolves when the broker has acknowledged all of it. The layer around the request bounds the wait.
    pub(crate) async fn take_in(&self, arrivals: &[Arrival]) -> Result<(), Problem> {
        let mut messages: Vec<Message> = arrivals.iter().map(message).collect();
        messages.push(self.accepted(arrivals, clock::wall_ms()));
        let errors: Vec<BrokerError> = self
            .producer
            .send(messages)
            .await
            .into_iter()
            .filter_map(Result::err)
            .collect();
        let Some(first) = errors.first() else {
            arrivals.iter().for_each(|arrival| {
                telemetry::EventAccepted {
                    envelope: &arrival.envelope,
                }
                .emit()
            });
            return Ok(());
        };
        // Only when nothing at all was enqueued is it certain that nothing was taken in.
        if errors.len() == arrivals.len() + 1
            && errors.iter().all(|error| *error == BrokerError::QueueFull)
        {
            telemetry::Overloaded { at: "producer" }.emit();
            return Err(Problem::overloaded());
        }
        // What is refused for good is refused the next time too: nobody is told to send it again.
        if let Some(error) = errors
            .iter()
            .find(|error| matches!(error, BrokerError::Rejected(_)))
        {
            telemetry::IntakeRejected { error }.emit();
            return Err(Problem::rejected());
        }
        telemetry::IntakeUnknown { error: first }.emit();
        Err(Problem::unknown())
    }

    /// The steps of one request, as a record.
    fn accepted(&self, arrivals: &[Arrival], now_ms: i64) -> Message {
        let entries = arrivals
            .iter()
            .map(|arrival| self.entry(arrival, now_ms))
            .collect();
        let batch = TimelineBatch {
            instance: self.instance.to_string(),
            entries,
        };
        let envelope = Envelope::new_flow("argosy://gateway", TimelineBatch::TYPE, "", now_ms);
        Message {
            topic: catalogue::TIMELINES.into(),
            partition: None,
            key: None,
            value: Some(batch.encode()),
            headers: envelope.headers(),
        }
    }

    fn entry(&self, Arrival { envelope, body }: &Arrival, now_ms: i64) -> Entry {
        let accepted = step::Kind::Accepted(step::Accepted {});
        Entry {
            number: self.number.fetch_add(1, Ordering::Relaxed) + 1,
            correlation_id: envelope.correlation_id.to_string(),
            source: envelope.source.to_string(),
            id: envelope.id.to_string(),
            r#type: envelope.event_type.to_string(),
            worker: WORKER.to_owned(),
            topic: body.topic.to_owned(),
            // Where it lies is known only after this was sent with it.
            partition: -1,
            offset: -1,
            state: State::Accepted.into(),
            steps: vec![Step {
                at_ms: now_ms,
                kind: Some(accepted),
            }],
        }
    }
}

fn message(Arrival { envelope, body }: &Arrival) -> Message {
    let envelope = Envelope {
        content_type: Some(PROTOBUF.into()),
        ..envelope.clone()
    };
    Message {
        topic: body.topic.into(),
        partition: None,
        key: (!body.key.is_empty()).then(|| Bytes::copy_from_slice(body.key.as_bytes())),
        value: Some(body.body.clone()),
        headers: envelope.headers(),
    }
}
