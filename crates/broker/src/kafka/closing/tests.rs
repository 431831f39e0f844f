//! Clients that are closed while librdkafka waits for an answer, on its mock cluster.

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext, types::RDKafkaRespErr};

use super::*;
use crate::{
    kafka::{
        GroupProtocol, KafkaSettings,
        context::{Answer, Happened},
        native,
    },
    port::ConsumerSettings,
};

const TOPIC: &str = "orders";
/// How often a client is polled for what it is to ask.
const POLLS_MAX: usize = 600;
/// Long enough for a machine that is busy; a client that never ends needs longer.
const END_WAIT: Duration = Duration::from_secs(20);

const INVALID_REQUEST: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_REQUEST;

type Client = Arc<BaseConsumer<Context>>;

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 2, 1).unwrap();
    cluster
}

/// A member that librdkafka has asked to take partitions, without an answer.
fn asked_to_assign(
    cluster: &MockCluster<'static, DefaultProducerContext>,
    group: GroupProtocol,
) -> (Client, Vec<(String, i32)>) {
    let mut settings = KafkaSettings::new(cluster.bootstrap_servers());
    settings.group = group;
    let consumer = ConsumerSettings {
        group: "g".into(),
        topics: vec![TOPIC.into()],
        client_id: "c".into(),
    };
    let config = settings.consumer(&consumer);
    let client: Client = Arc::new(config.create_with_context(Context::default()).unwrap());
    client.subscribe(&[TOPIC]).unwrap();
    let assigned = next(&client, |happened| match happened {
        Happened::Assigned(partitions) if !partitions.is_empty() => Some(partitions),
        Happened::Assigned(_) => {
            let nothing = TopicPartitionList::new();
            client.incremental_assign(&nothing).unwrap();
            client.context().answered(Answer::Assign);
            None
        }
        _ => None,
    });
    assert!(client.context().is_asked());
    (client, assigned)
}

/// A member that librdkafka has asked to give its partitions back, without an answer.
fn asked_to_give_back(
    cluster: &MockCluster<'static, DefaultProducerContext>,
    group: GroupProtocol,
) -> Client {
    let (client, assigned) = asked_to_assign(cluster, group);
    let mut list = TopicPartitionList::new();
    for (topic, partition) in &assigned {
        list.add_partition(topic, *partition);
    }
    client.incremental_assign(&list).unwrap();
    client.context().answered(Answer::Assign);
    assert!(!client.context().is_asked());
    client.unsubscribe();
    next(&client, |happened| {
        matches!(happened, Happened::Revoked(_) | Happened::Lost(_)).then_some(())
    });
    assert!(client.context().is_asked());
    client
}

fn next<T>(client: &Client, mut is_it: impl FnMut(Happened) -> Option<T>) -> T {
    for _ in 0..POLLS_MAX {
        drop(client.poll(Duration::from_millis(50)));
        if let Some(found) = client.context().take().into_iter().find_map(&mut is_it) {
            return found;
        }
    }
    panic!("it did not happen within {POLLS_MAX} polls");
}

fn protocols() -> [GroupProtocol; 2] {
    [
        GroupProtocol::default(),
        GroupProtocol::Consumer {
            remote_assignor: None,
        },
    ]
}

/// Those by which a client may die: a dynamic member by the classic protocol never does.
fn mortals() -> [GroupProtocol; 2] {
    let [_, consumer] = protocols();
    let a_static_member = GroupProtocol::Classic {
        session_timeout: Duration::from_secs(20),
        instance_id: Some("one".into()),
    };
    [a_static_member, consumer]
}

fn must_end(client: Client, group: &GroupProtocol) {
    let ended = close(Some(client), Queues::default()).unwrap();
    ended
        .recv_timeout(END_WAIT)
        .unwrap_or_else(|_| panic!("the client does not end: {group:?}"));
}

#[test]
fn a_client_whose_assign_nobody_answered_ends() {
    let cluster = cluster();
    for group in protocols() {
        let (client, _) = asked_to_assign(&cluster, group.clone());
        must_end(client, &group);
    }
}

#[test]
fn a_client_whose_revoke_nobody_answered_ends() {
    let cluster = cluster();
    for group in protocols() {
        let client = asked_to_give_back(&cluster, group.clone());
        must_end(client, &group);
    }
}

#[test]
fn a_client_that_died_before_its_assign_was_answered_ends() {
    let cluster = cluster();
    for group in mortals() {
        let (client, _) = asked_to_assign(&cluster, group.clone());
        native::raise_fatal_error(&client, INVALID_REQUEST);
        must_end(client, &group);
    }
}

#[test]
fn a_client_that_died_before_its_revoke_was_answered_ends() {
    let cluster = cluster();
    for group in mortals() {
        let client = asked_to_give_back(&cluster, group.clone());
        native::raise_fatal_error(&client, INVALID_REQUEST);
        must_end(client, &group);
    }
}
