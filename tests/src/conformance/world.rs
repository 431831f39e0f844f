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
    kafka::{GroupProtocol, Kafka, KafkaSettings},
};
use bytes::Bytes;

use super::member::{Member, PATIENCE};
use crate::{
    protocol::{self, Protocol},
    servers,
};

/// How long a send may take.
pub(super) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(4);
/// Short, so that a lost membership does not take long to provoke.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(3);

fn group(protocol: Protocol) -> GroupProtocol {
    match protocol {
        Protocol::Classic => GroupProtocol::Classic {
            session_timeout: SESSION_TIMEOUT,
            instance_id: None,
        },
        Protocol::Consumer => GroupProtocol::Consumer {
            remote_assignor: None,
        },
    }
}

/// The broker under test and its clients.
pub(super) struct World {
    pub(super) server: servers::Kafka,
    pub(super) admin: Arc<dyn Admin>,
    pub(super) producer: Arc<dyn Producer>,
    /// For what must be written, even to a broker that has just come back.
    patient: Arc<dyn Producer>,
    /// By which the present case's members join.
    pub(super) protocol: Protocol,
    members: AtomicU32,
}

impl World {
    pub(super) fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let settings = protocol::broker_settings(SESSION_TIMEOUT);
        let server = servers::Kafka::start_with(folder, port, &settings)?;
        let broker = broker(&server, GroupProtocol::default())?;
        Ok(Self {
            admin: broker.admin()?,
            producer: broker.producer("conformance", MESSAGE_TIMEOUT)?,
            patient: broker.producer("conformance-patient", PATIENCE)?,
            server,
            protocol: Protocol::Classic,
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
        self.member_by(self::group(self.protocol), group, topic)
    }

    /// A new member of a group that is known by this instance id.
    pub(super) fn static_member(
        &self,
        group: &str,
        topic: &Arc<str>,
        instance_id: &str,
    ) -> anyhow::Result<Member> {
        let protocol = GroupProtocol::Classic {
            session_timeout: SESSION_TIMEOUT,
            instance_id: Some(instance_id.to_owned()),
        };
        self.member_by(protocol, group, topic)
    }

    /// A new member of a group whose partitions this assignor of the broker's is to share out.
    pub(super) fn member_with_assignor(
        &self,
        group: &str,
        topic: &Arc<str>,
        assignor: &str,
    ) -> anyhow::Result<Member> {
        let protocol = GroupProtocol::Consumer {
            remote_assignor: Some(assignor.to_owned()),
        };
        self.member_by(protocol, group, topic)
    }

    fn member_by(
        &self,
        protocol: GroupProtocol,
        group: &str,
        topic: &Arc<str>,
    ) -> anyhow::Result<Member> {
        let number = self.members.fetch_add(1, Ordering::Relaxed);
        let settings = ConsumerSettings {
            group: group.to_owned(),
            topics: vec![Arc::clone(topic)],
            client_id: format!("member-{number}"),
        };
        let broker = broker(&self.server, protocol)?;
        Ok(Member::new(number, broker.consumer(settings)?))
    }

    /// Writes records with these numbers as values; each must be acknowledged.
    pub(super) async fn write(
        &self,
        topic: &Arc<str>,
        partition: i32,
        numbers: std::ops::Range<u64>,
    ) -> anyhow::Result<()> {
        let messages = numbers.map(|number| numbered(topic, partition, number));
        for result in self.patient.send(messages.collect()).await {
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

fn broker(server: &servers::Kafka, group: GroupProtocol) -> anyhow::Result<Kafka> {
    let mut settings = KafkaSettings::new(server.bootstrap());
    settings.poll_interval_max = SESSION_TIMEOUT;
    settings.group = group;
    Ok(Kafka::new(settings)?)
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
