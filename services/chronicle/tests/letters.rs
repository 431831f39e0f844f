//! The worker on the topic of dead letters: what reaches the store, byte for byte, and what is skipped.
#![cfg(test)]

use std::sync::Arc;

use argosy_broker::{Delivery, TopicPartition};
use argosy_events::catalogue::DEAD_LETTERS;
use argosy_outbound::{Profile, Stack};
use argosy_runtime::{Trial, trial};
use argosy_store::Store;
use argosy_testkit::store::SharedModelStore;
use bytes::Bytes;
use tokio_util::task::TaskTracker;

fn letter(more: &[(&str, &[u8])]) -> Delivery {
    let said: [(&str, &[u8]); 6] = [
        ("argosy.dlq.worker", b"orders"),
        ("__dlq.errors.topic", b"argosy.order-events.v1"),
        ("__dlq.errors.partition", b"3"),
        ("__dlq.errors.offset", b"42"),
        ("argosy.dlq.cause", b"undecodable"),
        ("argosy.dlq.last-failure-ms", b"5"),
    ];
    let headers = more.iter().chain(&said);
    let headers = headers.map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value)));
    Delivery {
        from: TopicPartition {
            topic: DEAD_LETTERS.into(),
            partition: 0,
        },
        offset: 7,
        timestamp_ms: Some(6),
        key: Some(Bytes::from_static(b"\0k")),
        value: Some(Bytes::from_static(b"\xff\0{")),
        headers: headers.collect(),
        bytes: 0,
    }
}

async fn run(store: &Arc<SharedModelStore>, delivery: Delivery) -> Trial {
    let worker = argosy_chronicle::worker(Arc::clone(store) as Arc<dyn Store>);
    let stack = Stack::new(Vec::new(), &Profile::Dev, &TaskTracker::new()).unwrap();
    let store = Arc::clone(store) as Arc<dyn Store>;
    trial(&worker, delivery, Arc::new(stack), store)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_letter_of_any_content_reaches_the_store_byte_for_byte() {
    let store = Arc::new(SharedModelStore::new());
    // A type that this worker handles, a document that is none, and a header that is no text.
    let own: [(&str, &[u8]); 4] = [
        ("ce_type", b"argosy.fleet.v1.TimelineBatch"),
        ("content-type", b"application/cloudevents+json"),
        ("x", b"\xff\0"),
        ("x", b""),
    ];
    for _ in 0..2 {
        let told = run(&store, letter(&own)).await;
        assert!(matches!(told, Trial::Done(_)), "{told:?}");
    }
    let id = "orders/argosy.order-events.v1/3/42".parse().unwrap();
    let found = store.dead_letter(id).await.unwrap().unwrap();
    assert_eq!((&*found.row.cause, found.deaths), ("undecodable", 1));
    assert_eq!(found.row.key.as_deref(), Some(&b"\0k"[..]));
    assert_eq!(found.row.value.as_deref(), Some(&b"\xff\0{"[..]));
    let headers: Vec<_> = found
        .row
        .headers
        .iter()
        .map(|(name, value)| (&**name, &value[..]))
        .collect();
    assert_eq!(headers, own);
}

#[tokio::test]
async fn what_is_no_letter_is_skipped_and_never_dies() {
    let store = Arc::new(SharedModelStore::new());
    let huge = "x".repeat(9_000);
    let cases: [Delivery; 4] = [
        Delivery {
            headers: Vec::new(),
            ..letter(&[])
        },
        Delivery {
            key: None,
            value: None,
            headers: Vec::new(),
            ..letter(&[])
        },
        Delivery {
            headers: letter(&[]).headers.into_iter().take(3).collect(),
            ..letter(&[])
        },
        Delivery {
            headers: {
                let mut headers = letter(&[]).headers;
                headers.push(("argosy.dlq.worker".to_owned(), Bytes::from(huge)));
                headers
            },
            ..letter(&[])
        },
    ];
    for delivery in cases {
        let told = run(&store, delivery).await;
        assert!(matches!(told, Trial::Skipped(_)), "{told:?}");
    }
    let all = argosy_store::LetterQuestion {
        rows_max: 10,
        ..Default::default()
    };
    assert!(store.dead_letters(all).await.unwrap().is_empty());
}
