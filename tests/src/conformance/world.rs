//! The broker under test and its clients.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use argosy_broker::{
    Admin, Broker, BrokerError, ConsumerSettings, Message, NewTopic, Producer,
    kafka::{Kafka, KafkaSettings},
};
use bytes::Bytes;

use super::member::Member;
use crate::servers;

/// How long a send may take.
pub(super) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(4);
/// Short, so that a lost membership does not take long to provoke.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(3);

/// The broker under test and its clients.
pub(super) struct World {
    pub(super) server: servers::Kafka,
    pub(super) broker: Kafka,
    pub(super) admin: Arc<dyn Admin>,
    pub(super) producer: Arc<dyn Producer>,
    members: AtomicU32,
}

impl World {
    pub(super) fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let server = servers::Kafka::start(folder, port)?;
        let mut settings = KafkaSettings::new(server.bootstrap());
        settings.poll_interval_max = SESSION_TIMEOUT;
        let broker = Kafka::new(settings)?;
        Ok(Self {
            admin: broker.admin()?,
            producer: broker.producer("conformance", MESSAGE_TIMEOUT)?,
            server,
            broker,
            members: AtomicU32::new(0),
        })
    }

    /// A topic named after the case.
    pub(super) async fn topic(&self, name: &str, partitions: i32) -> anyhow::Result<Arc<str>> {
        let topic = NewTopic {
            name: name.to_owned(),
            partitions,
            replicas: 1,
            values: Vec::new(),
        };
        self.admin.create(topic).await?;
        Ok(Arc::from(name))
    }

    /// A new member of a group.
    pub(super) fn member(&self, group: &str, topic: &Arc<str>) -> anyhow::Result<Member> {
        let number = self.members.fetch_add(1, Ordering::Relaxed);
        let settings = ConsumerSettings {
            group: group.to_owned(),
            topics: vec![Arc::clone(topic)],
            session_timeout: SESSION_TIMEOUT,
            client_id: format!("member-{number}"),
        };
        Ok(Member::new(number, self.broker.consumer(settings)?))
    }

    /// Writes records with these numbers as values; each must be acknowledged.
    pub(super) async fn write(
        &self,
        topic: &Arc<str>,
        partition: i32,
        numbers: std::ops::Range<u64>,
    ) -> anyhow::Result<()> {
        let messages = numbers.map(|number| numbered(topic, partition, number));
        for result in self.producer.send(messages.collect()).await {
            result.with_context(|| format!("write to {topic}/{partition}"))?;
        }
        Ok(())
    }

    /// Writes one record.
    pub(super) async fn send(&self, message: Message) -> Result<(i32, i64), BrokerError> {
        let mut results = self.producer.send(vec![message]).await;
        results.pop().expect("one result per message")
    }
}

/// A record whose value is a number.
pub(super) fn numbered(topic: &Arc<str>, partition: i32, number: u64) -> Message {
    Message {
        topic: Arc::clone(topic),
        partition: Some(partition),
        key: None,
        value: Some(Bytes::from(number.to_string())),
        headers: Vec::new(),
    }
}
