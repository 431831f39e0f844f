//! Batches of timeline entries: their bounds are the envelope's.

use argosy_events::{
    Payload,
    fleet::v1::{Entry, TimelineBatch},
};

#[test]
fn a_timeline_batch_takes_the_longest_ids_that_an_envelope_may_have() {
    let entry = Entry {
        correlation_id: "ü".repeat(255),
        id: "🫖".repeat(255),
        source: "🫖".repeat(1_024),
        worker: "orders".to_owned(),
        ..Entry::default()
    };
    let instance = "3c3f2c9e-8f3b-4f8e-9d8e-0b8f4a5d6c7b".to_owned();
    let batch = TimelineBatch {
        instance,
        entries: vec![entry.clone()],
    };
    assert_eq!(TimelineBatch::decode(None, &batch.encode()).unwrap(), batch);
    let nobody = TimelineBatch {
        instance: "me".to_owned(),
        entries: vec![],
    };
    assert!(TimelineBatch::decode(None, &nobody.encode()).is_err());
    let unnamed = TimelineBatch {
        entries: vec![Entry {
            id: String::new(),
            ..entry
        }],
        ..batch
    };
    let error = TimelineBatch::decode(None, &unnamed.encode()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "body is invalid: entries[0].id is missing"
    );
}
