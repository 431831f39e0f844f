//! Topics: lists, creates, configures and grows them, and waits until the cluster shows it.
//!
//! Invariant: a client that answered and then fails is replaced, because it may know no broker any more (see `stranded`),
//! and nobody reads an admin client's statistics.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt};
use rdkafka::{
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewPartitions,
        NewTopic as NativeTopic, ResourceSpecifier, TopicReplication, TopicResult,
    },
    client::DefaultClientContext,
    error::KafkaResult,
    metadata::Metadata,
    types::RDKafkaErrorCode,
};
use tokio::time::{Instant, sleep};

use super::{errors, settings::KafkaSettings};
use crate::port::{Admin, BrokerError, ClusterTopic, NewTopic};

/// One request, and the waiting for its effect.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A value that the broker took shows by then.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The configuration values that `topics` tells.
const VALUES: [&str; 3] = ["retention.ms", "cleanup.policy", "max.message.bytes"];

type Client = AdminClient<DefaultClientContext>;

/// An admin client.
pub(super) struct KafkaAdmin {
    settings: KafkaSettings,
    client: RwLock<Arc<Client>>,
    /// Since the client was opened: before it has, it still has the bootstrap list.
    has_answered: AtomicBool,
}

/// Opens an admin client; nothing is connected yet.
pub(super) fn open(settings: &KafkaSettings) -> Result<KafkaAdmin, BrokerError> {
    Ok(KafkaAdmin {
        settings: settings.clone(),
        client: RwLock::new(Arc::new(client(settings)?)),
        has_answered: AtomicBool::new(false),
    })
}

fn client(settings: &KafkaSettings) -> Result<Client, BrokerError> {
    settings
        .admin()
        .create()
        .map_err(|error| errors::of_configuration(&error))
}

impl Admin for KafkaAdmin {
    fn topics(&self) -> BoxFuture<'_, Result<Vec<ClusterTopic>, BrokerError>> {
        self.list().boxed()
    }

    fn create(&self, topic: NewTopic) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.create_and_await(topic).boxed()
    }

    fn configure(
        &self,
        topic: &str,
        values: Vec<(String, String)>,
    ) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.configure_and_await(topic.to_owned(), values).boxed()
    }

    fn grow(&self, topic: &str, partitions: i32) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.grow_and_await(topic.to_owned(), partitions).boxed()
    }

    fn ping(&self, at_most: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
        async move { self.metadata(None, at_most).await.map(drop) }.boxed()
    }
}

impl KafkaAdmin {
    async fn list(&self) -> Result<Vec<ClusterTopic>, BrokerError> {
        let metadata = self.metadata(None, TIMEOUT).await?;
        let mut topics: Vec<ClusterTopic> = metadata
            .topics()
            .iter()
            .filter(|topic| !topic.name().starts_with("__"))
            .map(|topic| ClusterTopic {
                name: topic.name().to_owned(),
                partitions: count(topic.partitions().len()),
                values: Vec::new(),
            })
            .collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        for topic in &mut topics {
            let Some(values) = self.values(&topic.name).await? else {
                continue;
            };
            topic.values = VALUES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), values.get(*name)?.0.clone())))
                .collect();
        }
        Ok(topics)
    }

    async fn create_and_await(&self, topic: NewTopic) -> Result<(), BrokerError> {
        let what = format!("create topic {}", topic.name);
        let replicas = TopicReplication::Fixed(topic.replicas);
        let mut new = NativeTopic::new(&topic.name, topic.partitions, replicas);
        for (name, value) in &topic.values {
            new = new.set(name, value);
        }
        let created = self.client().create_topics([&new], &options());
        first(created.await, &what)?;
        self.await_partitions(&topic.name, topic.partitions, &what)
            .await
    }

    async fn grow_and_await(&self, topic: String, partitions: i32) -> Result<(), BrokerError> {
        let what = format!("grow topic {topic} to {partitions} partitions");
        let wanted = usize::try_from(partitions)
            .map_err(|_| BrokerError::Rejected(format!("{what}: below zero")))?;
        let new = NewPartitions::new(&topic, wanted);
        let grown = self.client().create_partitions([&new], &options());
        first(grown.await, &what)?;
        self.await_partitions(&topic, partitions, &what).await
    }

    /// The call replaces all values of a topic, so those that stay are sent as well; and it does not tell whether a
    /// value was refused, so the values are read back.
    async fn configure_and_await(
        &self,
        topic: String,
        values: Vec<(String, String)>,
    ) -> Result<(), BrokerError> {
        let what = format!("configure topic {topic}");
        let missing = || BrokerError::Rejected(format!("{what}: there is no such topic"));
        let present = self.values(&topic).await?.ok_or_else(missing)?;
        let mut wanted: BTreeMap<&str, &str> = present
            .iter()
            .filter(|(_, (_, is_own))| *is_own)
            .map(|(name, (value, _))| (&**name, &**value))
            .collect();
        wanted.extend(values.iter().map(|(name, value)| (&**name, &**value)));
        let mut alter = AlterConfig::new(ResourceSpecifier::Topic(&topic));
        for (name, value) in wanted {
            alter = alter.set(name, value);
        }
        let altered = self.client().alter_configs([&alter], &options()).await;
        altered.map_err(|error| errors::of(&error, &what))?;

        let deadline = Instant::now() + TAKEN_WITHIN;
        loop {
            let present = self.values(&topic).await?.ok_or_else(missing)?;
            let refused = values
                .iter()
                .find(|(name, value)| present.get(name).is_none_or(|(is, _)| is != value));
            let Some((name, value)) = refused else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                return Err(BrokerError::Rejected(format!(
                    "{what}: {name} = {value:?} is not taken"
                )));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// The values of a topic by name, and whether each is the topic's own; `None` without such a topic.
    async fn values(
        &self,
        topic: &str,
    ) -> Result<Option<BTreeMap<String, (String, bool)>>, BrokerError> {
        let what = format!("read the configuration of topic {topic}");
        let described = self
            .client()
            .describe_configs([&ResourceSpecifier::Topic(topic)], &options())
            .await
            .map_err(|error| errors::of(&error, &what))?;
        match described.into_iter().next() {
            // A missing topic has no values, and no error either.
            Some(Ok(resource)) => {
                let entries = entries(resource);
                Ok((!entries.is_empty()).then_some(entries))
            }
            Some(Err(RDKafkaErrorCode::UnknownTopicOrPartition)) | None => Ok(None),
            Some(Err(code)) => Err(errors::of_code(code, &what)),
        }
    }

    /// Every partition must have a leader: before that, records for it wait.
    async fn await_partitions(
        &self,
        topic: &str,
        partitions: i32,
        what: &str,
    ) -> Result<(), BrokerError> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let metadata = self.metadata(Some(topic.to_owned()), TIMEOUT).await?;
            let led = metadata
                .topics()
                .iter()
                .filter(|known| known.name() == topic)
                .flat_map(rdkafka::metadata::MetadataTopic::partitions)
                .filter(|partition| partition.leader() >= 0)
                .count();
            if count(led) >= partitions {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(BrokerError::Unavailable(format!(
                    "{what}: {led} of {partitions} partitions have a leader after {TIMEOUT:?}"
                )));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn metadata(
        &self,
        topic: Option<String>,
        at_most: Duration,
    ) -> Result<Metadata, BrokerError> {
        let client = self.client();
        let read = tokio::task::spawn_blocking(move || {
            client.inner().fetch_metadata(topic.as_deref(), at_most)
        });
        let read = match read.await {
            Ok(read) => read.map_err(|error| errors::of(&error, "read metadata")),
            Err(_) => Err(BrokerError::Unavailable("the process is ending".into())),
        };
        match &read {
            Ok(_) => self.has_answered.store(true, Ordering::Release),
            Err(BrokerError::Unavailable(_)) => self.renew(),
            Err(_) => {}
        }
        read
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn renew(&self) {
        if !self.has_answered.swap(false, Ordering::AcqRel) {
            return;
        }
        let Ok(new) = client(&self.settings) else {
            return;
        };
        let mut slot = self.client.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *slot, Arc::new(new));
        // Closing waits for the client's threads.
        tokio::task::spawn_blocking(move || drop(old));
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT))
}

fn first(results: KafkaResult<Vec<TopicResult>>, what: &str) -> Result<(), BrokerError> {
    let results = results.map_err(|error| errors::of(&error, what))?;
    match results.into_iter().next() {
        Some(Err((_, code))) => Err(errors::of_code(code, what)),
        _ => Ok(()),
    }
}

fn entries(resource: ConfigResource) -> BTreeMap<String, (String, bool)> {
    resource
        .entries
        .into_iter()
        .filter_map(|entry| {
            let is_own = entry.source == ConfigSource::DynamicTopic;
            Some((entry.name, (entry.value?, is_own)))
        })
        .collect()
}

fn count(partitions: usize) -> i32 {
    i32::try_from(partitions).unwrap_or(i32::MAX)
}
