//! How a batch collects its results, and what a producer without a broker answers.

use bytes::Bytes;

use super::*;
use crate::kafka::KafkaSettings;

/// A port on which nothing listens.
const NOWHERE: &str = "127.0.0.1:1";

fn message(topic: &str) -> Message {
    Message {
        topic: Arc::from(topic),
        partition: None,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from_static(b"value")),
        headers: vec![("name".into(), Bytes::from_static(b"value"))],
    }
}

fn producer(message_timeout: Duration, change: impl FnOnce(&mut ClientConfig)) -> KafkaProducer {
    let mut config = KafkaSettings::new(NOWHERE).producer("test", message_timeout);
    change(&mut config);
    open(config, message_timeout).unwrap()
}

#[tokio::test]
async fn results_stand_in_the_order_of_messages_whatever_the_order_of_ends() {
    let traffic = Arc::new(Traffic::default());
    let (mut feed, results) = feed(vec![message("a"), message("b"), message("c")], &traffic);
    let mut tickets: Vec<Box<Ticket>> = Vec::new();
    while let Some((_, ticket)) = feed.next() {
        tickets.push(ticket);
    }
    assert_eq!(traffic.count(), 3);
    let (third, second, first) = (tickets.pop(), tickets.pop(), tickets.pop());
    third.unwrap().done(Ok((2, 22)));
    first.unwrap().done(Ok((0, 20)));
    drop(second);
    assert_eq!(traffic.count(), 0);
    let results = results.await.unwrap();
    assert_eq!(results[0], Ok((0, 20)));
    assert!(matches!(results[1], Err(BrokerError::Unavailable(_))));
    assert_eq!(results[2], Ok((2, 22)));
}

#[tokio::test]
async fn a_broker_that_is_away_is_unavailable_within_the_timeout() {
    let producer = producer(Duration::from_millis(300), |_| {});
    let results = producer.send(vec![message("a"), message("b")]).await;
    assert_eq!(results.len(), 2);
    for result in results {
        assert!(matches!(result, Err(BrokerError::Unavailable(_))));
    }
    producer.flush(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn what_can_never_be_written_is_rejected_beside_what_can() {
    let producer = producer(Duration::from_millis(300), |config| {
        config.set("message.max.bytes", "1000");
    });
    let mut named = message("a");
    named.headers[0].0 = "zero\0".into();
    let mut large = message("a");
    large.value = Some(Bytes::from(vec![0; 2_000]));
    let results = producer
        .send(vec![named, large, message("zero\0"), message("a")])
        .await;
    assert!(matches!(&results[0], Err(BrokerError::Rejected(why)) if why.contains("header")));
    assert!(matches!(&results[1], Err(BrokerError::Rejected(_))));
    assert!(matches!(&results[2], Err(BrokerError::Rejected(_))));
    assert!(matches!(&results[3], Err(BrokerError::Unavailable(_))));
}

#[tokio::test]
async fn a_full_queue_makes_the_batch_wait_and_keeps_its_order() {
    let producer = producer(Duration::from_millis(300), |config| {
        config.set("queue.buffering.max.messages", "2");
    });
    let results = producer
        .send(vec![message("a"), message("a"), message("a"), message("a")])
        .await;
    assert_eq!(results.len(), 4);
    for result in results {
        assert!(matches!(
            result,
            Err(BrokerError::Unavailable(_) | BrokerError::QueueFull)
        ));
    }
    // A result is told a moment before its message counts as ended.
    producer.flush(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_batch_does_not_wait_for_the_acknowledgement_of_another() {
    let producer = producer(Duration::from_millis(300), |_| {});
    let first = producer.send(vec![message("a")]);
    let second = producer.send(vec![message("a")]);
    assert_eq!(producer.shared.traffic.count(), 2, "both are enqueued");
    assert_eq!(second.await.len(), 1);
    assert_eq!(first.await.len(), 1);
}

#[tokio::test]
async fn an_empty_batch_has_no_results() {
    let producer = producer(Duration::from_secs(1), |_| {});
    assert!(producer.send(Vec::new()).await.is_empty());
}

#[tokio::test]
async fn a_flush_ends_at_its_limit() {
    let producer = producer(Duration::from_secs(30), |_| {});
    let sent = producer.send(vec![message("a")]);
    let flushed = producer.flush(Duration::from_millis(50)).await;
    assert!(matches!(flushed, Err(BrokerError::Unavailable(why)) if why.contains("1 messages")));
    drop(sent);
}

#[tokio::test]
async fn a_client_with_a_fatal_error_is_replaced() {
    let producer = producer(Duration::from_millis(300), |_| {});
    let first = producer.shared.client().unwrap();
    {
        use rdkafka::producer::Producer as _;
        let context = first.client().context();
        context.error(KafkaError::Global(RDKafkaErrorCode::Fatal), "fenced");
    }
    assert!(first.is_broken());
    let second = producer.shared.client().unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(!second.is_broken());
    assert!(Arc::ptr_eq(&second, &producer.shared.client().unwrap()));
}
