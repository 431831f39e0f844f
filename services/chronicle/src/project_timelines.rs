//! Projects a batch of timeline entries into the store's rows.

use std::sync::Arc;

use argosy_events::fleet::v1::{Entry, State, Step, TimelineBatch, step::Kind};
use argosy_kernel::Death;
use argosy_outbound::Failure;
use argosy_runtime::{Context, Event, Handler, Outcome};
use argosy_store::{Store, StoreError, TimelineRow};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    store_down,
    together::{Project, Together},
};

/// See the module page.
#[derive(Debug)]
pub(crate) struct ProjectTimelines {
    together: Together,
}

impl ProjectTimelines {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let project: Project = Arc::new(move |rows| {
            let store = Arc::clone(&store);
            Box::pin(async move { store.project(rows).await })
        });
        Self {
            together: Together::new(project),
        }
    }
}

impl Handler for ProjectTimelines {
    type Body = TimelineBatch;

    async fn handle(
        &self,
        batch: Event<TimelineBatch>,
        _cx: &mut Context,
    ) -> Result<Outcome, Failure> {
        let rows = rows(&batch)?;
        if rows.is_empty() {
            return Ok(Outcome::Skipped("the batch is empty"));
        }
        self.together
            .project(rows)
            .await
            .map_err(|error| classified(&error))?;
        Ok(Outcome::Done)
    }
}

fn rows(batch: &TimelineBatch) -> Result<Vec<TimelineRow>, Failure> {
    let instance = Uuid::parse_str(&batch.instance)
        .map_err(|_| Failure::dead(Death::Invalid, "the batch's instance is not a UUID"))?;
    batch
        .entries
        .iter()
        .map(|entry| row(instance, entry))
        .collect()
}

fn row(instance: Uuid, entry: &Entry) -> Result<TimelineRow, Failure> {
    let steps: Vec<Step> = entry.steps.iter().map(known).collect();
    let mut steps = serde_json::to_value(&steps)
        .map_err(|error| Failure::dead(Death::Invalid, "a step has no JSON form").because(error))?;
    place_receipts(&mut steps, entry);
    Ok(TimelineRow {
        instance,
        number: entry.number,
        correlation: entry.correlation_id.as_str().into(),
        source: entry.source.as_str().into(),
        event: entry.id.as_str().into(),
        event_type: entry.r#type.as_str().into(),
        worker: entry.worker.as_str().into(),
        at_ms: entry.steps.first().map_or(0, |step| step.at_ms),
        steps,
        state: name(entry.state()).into(),
    })
}

/// The step as this build can write it down. A newer build may have told an outcome that is not known here; that one
/// becomes unspecified, and the other stories of its batch are kept as they are.
fn known(step: &Step) -> Step {
    let mut step = step.clone();
    match &mut step.kind {
        Some(Kind::Run(run)) => run.outcome = run.outcome().into(),
        Some(Kind::Call(call)) => call.outcome = call.outcome().into(),
        Some(Kind::Settled(settled)) => settled.outcome = settled.outcome().into(),
        Some(
            Kind::Accepted(_)
            | Kind::Received(_)
            | Kind::Replayed(_)
            | Kind::Waited(_)
            | Kind::Emitted(_),
        )
        | None => {}
    }
    step
}

/// A row has no column for where its record lies: the step that tells of its receipt says it.
fn place_receipts(steps: &mut Value, entry: &Entry) {
    let receipts = steps.as_array_mut().into_iter().flatten();
    for received in receipts.filter_map(|step| step.get_mut("received")) {
        *received = json!({
            "topic": entry.topic,
            "partition": entry.partition,
            "offset": entry.offset.to_string(),
        });
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Accepted => "accepted",
        State::Unspecified | State::Running => "running",
        State::Waiting => "waiting",
        State::Done => "done",
        State::Skipped => "skipped",
        State::Dead => "dead",
    }
}

fn classified(error: &StoreError) -> Failure {
    match error {
        StoreError::TooLarge { .. } => Failure::dead(Death::Refused, error.to_string()),
        StoreError::Unavailable(_) | StoreError::Schema { .. } | StoreError::Unreadable(_) => {
            store_down(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use argosy_events::fleet::v1::step;

    use super::*;

    fn entry(number: i64, state: State) -> Entry {
        let accepted = Kind::Accepted(step::Accepted {});
        let step = Step {
            at_ms: 42,
            kind: Some(accepted),
        };
        Entry {
            number,
            correlation_id: "flow".into(),
            source: "shop".into(),
            id: "1".into(),
            worker: "orders".into(),
            state: state.into(),
            steps: vec![step],
            ..Entry::default()
        }
    }

    fn batch(instance: &str, entries: Vec<Entry>) -> TimelineBatch {
        TimelineBatch {
            instance: instance.into(),
            entries,
        }
    }

    #[test]
    fn an_entry_becomes_a_row_with_its_steps_as_json() {
        let instance = Uuid::from_u128(7);
        let batch = batch(&instance.to_string(), vec![entry(3, State::Done)]);
        let rows = rows(&batch).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].instance, rows[0].number, rows[0].at_ms),
            (instance, 3, 42)
        );
        assert_eq!(&*rows[0].state, "done");
        assert!(rows[0].steps[0].get("accepted").is_some());
    }

    #[test]
    fn an_instance_that_is_no_uuid_is_dead_not_dropped() {
        let failure = rows(&batch("nobody", vec![entry(1, State::Done)])).unwrap_err();
        assert_eq!(
            failure.decision,
            argosy_outbound::Decision::Dead(Death::Invalid)
        );
    }

    #[test]
    fn an_outcome_that_only_a_newer_build_knows_costs_no_event_its_story() {
        let later = [
            Kind::Run(step::Run {
                attempt: 2,
                outcome: 77,
                ..step::Run::default()
            }),
            Kind::Call(step::Call {
                operation: "draft".into(),
                outcome: 77,
                ..step::Call::default()
            }),
            Kind::Settled(step::Settled {
                outcome: 77,
                reason: "later".into(),
            }),
        ];
        let entries = later.map(|kind| Entry {
            state: 77,
            steps: vec![Step {
                at_ms: 42,
                kind: Some(kind),
            }],
            ..entry(1, State::Running)
        });
        let mut entries = Vec::from(entries);
        entries.push(entry(4, State::Done));
        let rows = rows(&batch(&Uuid::nil().to_string(), entries)).unwrap();
        assert_eq!(rows[0].steps[0]["run"]["attempt"], 2);
        assert_eq!(rows[1].steps[0]["call"]["operation"], "draft");
        assert_eq!(rows[2].steps[0]["settled"]["reason"], "later");
        for row in &rows[..3] {
            assert_eq!(&*row.state, "running");
            let step: Step = serde_json::from_value(row.steps[0].clone()).unwrap();
            assert_eq!(step.at_ms, 42, "who reads steps as messages still can");
        }
        assert!(rows[3].steps[0].get("accepted").is_some());
    }

    #[test]
    fn a_receipt_says_where_the_record_lies() {
        let received = Kind::Received(step::Received {});
        let entry = Entry {
            topic: "argosy.order-events.v1".into(),
            partition: 3,
            offset: 42,
            steps: vec![Step {
                at_ms: 42,
                kind: Some(received),
            }],
            ..entry(1, State::Running)
        };
        let row = row(Uuid::nil(), &entry).unwrap();
        let place = json!({ "topic": "argosy.order-events.v1", "partition": 3, "offset": "42" });
        assert_eq!(row.steps[0]["received"], place);
        let read: Step = serde_json::from_value(row.steps[0].clone()).unwrap();
        assert_eq!(
            read, entry.steps[0],
            "who reads steps as messages still can"
        );
    }

    #[test]
    fn a_store_that_is_down_spends_no_attempt() {
        let failure = classified(&StoreError::Unavailable("gone".into()));
        assert!(matches!(
            failure.decision,
            argosy_outbound::Decision::Wait(..)
        ));
    }
}
