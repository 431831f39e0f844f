//! Topics: what was asked for is there when the call returns, and what cannot be is rejected.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use argosy_broker::{Admin, BrokerError, ClusterTopic, NewTopic};
use bytes::Bytes;

use super::world::{World, numbered};

async fn listed(admin: &Arc<dyn Admin>, name: &str) -> anyhow::Result<ClusterTopic> {
    let topics = admin.topics().await?;
    ensure!(
        topics.iter().all(|topic| !topic.name.starts_with("__")),
        "the broker's own topics are listed"
    );
    let found = topics.into_iter().find(|topic| topic.name == name);
    found.context("the topic is not listed")
}

fn value<'a>(topic: &'a ClusterTopic, name: &str) -> Option<&'a str> {
    let mut values = topic.values.iter();
    let found = values.find(|(known, _)| known == name);
    found.map(|(_, value)| &**value)
}

pub(super) async fn topics_are_created_listed_configured_and_grown(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let admin = &world.admin;
    admin
        .create(NewTopic {
            name: name.to_owned(),
            partitions: 3,
            replicas: -1,
            values: vec![
                ("retention.ms".into(), "3600000".into()),
                ("cleanup.policy".into(), "compact".into()),
            ],
        })
        .await?;
    let topic = listed(admin, name).await?;
    ensure!(topic.partitions == 3, "{topic:?}");
    ensure!(
        value(&topic, "retention.ms") == Some("3600000"),
        "{topic:?}"
    );
    ensure!(
        value(&topic, "cleanup.policy") == Some("compact"),
        "{topic:?}"
    );
    ensure!(value(&topic, "max.message.bytes").is_some(), "{topic:?}");

    let values = vec![("retention.ms".to_owned(), "7200000".to_owned())];
    admin.configure(name, values).await?;
    let topic = listed(admin, name).await?;
    ensure!(
        value(&topic, "retention.ms") == Some("7200000"),
        "{topic:?}"
    );
    ensure!(
        value(&topic, "cleanup.policy") == Some("compact"),
        "a value that was not named is changed: {topic:?}"
    );

    admin.grow(name, 5).await?;
    let topic = listed(admin, name).await?;
    ensure!(topic.partitions == 5, "{topic:?}");
    let mut message = numbered(&Arc::from(name), 4, 0);
    message.key = Some(Bytes::from_static(b"compaction needs keys"));
    world.send(message).await?;
    admin.ping(Duration::from_secs(5)).await?;
    Ok(())
}

pub(super) async fn what_cannot_be_done_to_a_topic_is_rejected(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let admin = &world.admin;
    let topic = |name: &str, partitions, values| NewTopic {
        name: name.to_owned(),
        partitions,
        replicas: 1,
        values,
    };
    admin.create(topic(name, 2, Vec::new())).await?;
    let nonsense = vec![("retention.ms".to_owned(), "soon".to_owned())];
    let outcomes = [
        ("exists", admin.create(topic(name, 2, Vec::new())).await),
        (
            "bad name",
            admin.create(topic("no/name", 1, Vec::new())).await,
        ),
        (
            "zero byte",
            admin.create(topic("a\0b", 1, Vec::new())).await,
        ),
        (
            "no partitions",
            admin.create(topic("none", 0, Vec::new())).await,
        ),
        (
            "bad value",
            admin.create(topic("bad", 1, nonsense.clone())).await,
        ),
        ("shrink", admin.grow(name, 1).await),
        ("below zero", admin.grow(name, -1).await),
        ("grow what is not", admin.grow("no-such-topic", 3).await),
        (
            "configure badly",
            admin.configure(name, nonsense.clone()).await,
        ),
        (
            "configure what is not",
            admin.configure("no-such-topic", nonsense).await,
        ),
    ];
    for (what, outcome) in outcomes {
        ensure!(
            matches!(outcome, Err(BrokerError::Rejected(_))),
            "{what}: {outcome:?}"
        );
    }
    Ok(())
}
