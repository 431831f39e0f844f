//! Records come as they were written, once, in order, also around holds, transactions and late topics.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use argosy_broker::{Message, NewTopic, TopicPartition};
use bytes::Bytes;
use rdkafka::{
    ClientConfig,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use super::{
    member::{commit_and_wait, turns_for, until},
    world::World,
};
use crate::protocol::Protocol;

pub(super) async fn a_lone_member_reads_every_record_as_it_was_written(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, 1).await?;
    let bytes = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let written = [
        (
            bytes("key"),
            bytes("value"),
            vec![("ce_id", "1"), ("empty", "")],
        ),
        (None, bytes("no key"), vec![]),
        (
            bytes("tombstone"),
            None,
            vec![("twice", "a"), ("twice", "b")],
        ),
        (bytes(""), bytes(""), vec![("größe", "ü\0x")]),
    ];
    for (key, value, headers) in &written {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Bytes::from_static(value.as_bytes())));
        let message = Message {
            topic: Arc::clone(&topic),
            partition: Some(0),
            key: key.clone(),
            value: value.clone(),
            headers: headers.collect(),
        };
        world.send(message).await?;
    }
    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "all are read", |members| {
        members[0].records.len() >= written.len()
    })
    .await?;
    for (offset, (record, (key, value, headers))) in member.records.iter().zip(&written).enumerate()
    {
        ensure!(record.offset == i64::try_from(offset)?, "{record:?}");
        ensure!(&record.key == key, "key of {record:?}: {:?}", record.key);
        ensure!(
            &record.value == value,
            "value of {record:?}: {:?}",
            record.value
        );
        let read: Vec<(&str, &[u8])> = record
            .headers
            .iter()
            .map(|(name, value)| (&**name, &value[..]))
            .collect();
        let expected: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        ensure!(read == expected, "headers of {record:?}: {read:?}");
        ensure!(
            record.timestamp_ms.is_some_and(|time| time > 0),
            "{record:?}"
        );
    }
    Ok(())
}

pub(super) async fn a_held_partition_waits_without_loss_while_others_go_on(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    const EACH: u64 = 10_000;
    let topic = world.topic(name, 2).await?;
    for partition in 0..2 {
        world.write(&topic, partition, 0..EACH).await?;
    }
    let held = TopicPartition {
        topic: Arc::clone(&topic),
        partition: 0,
    };
    let mut member = world.member(name, &topic)?;
    let all = usize::try_from(EACH)?;
    until(&mut [&mut member], "some of 0 are read", |members| {
        members[0].offsets(0).len() > 1_000
    })
    .await?;
    for round in 0..5 {
        member.consumer.hold(&held);
        let before = member.offsets(0).len();
        turns_for(&mut [&mut member], Duration::from_millis(200)).await?;
        ensure!(
            member.offsets(0).len() == before,
            "a held partition delivers"
        );
        member.consumer.resume(&held);
        if before < all {
            let what = format!("0 goes on after hold {round}");
            until(&mut [&mut member], &what, |members| {
                members[0].offsets(0).len() > before
            })
            .await?;
        }
    }
    until(&mut [&mut member], "all are read", |members| {
        members[0].records.len() >= 2 * all
    })
    .await?;
    for partition in 0..2 {
        let expected: Vec<i64> = (0..i64::try_from(EACH)?).collect();
        ensure!(
            member.offsets(partition) == expected,
            "partition {partition} is not whole or not in order"
        );
    }
    Ok(())
}

pub(super) async fn control_records_of_transactions_are_no_records(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, 1).await?;
    let bootstrap = world.server.bootstrap();
    let (written_to, id) = (Arc::clone(&topic), name.to_owned());
    // Transactions of 3: one kept, one given up, one kept; then a plain record.
    tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("transactional.id", id)
            .create()?;
        let patience = Duration::from_secs(20);
        producer.init_transactions(patience)?;
        for (round, is_kept) in [true, false, true].into_iter().enumerate() {
            producer.begin_transaction()?;
            for number in 0..3 {
                let value = format!("{round}-{number}");
                let record: BaseRecord<'_, (), String> =
                    BaseRecord::to(&written_to).partition(0).payload(&value);
                producer
                    .send(record)
                    .map_err(|(error, _)| error)
                    .context("send in a transaction")?;
            }
            if is_kept {
                producer.commit_transaction(patience)?;
            } else {
                producer.flush(patience)?;
                producer.abort_transaction(patience)?;
            }
        }
        Ok(())
    })
    .await??;
    world.write(&topic, 0, 0..1).await?;

    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "the kept ones are read", |members| {
        members[0].records.len() >= 7
    })
    .await?;
    // Each transaction ends in a marker, which takes an offset: 0-2 (3), 4-6 given up (7), 8-10 (11), 12.
    ensure!(
        member.offsets(0) == [0, 1, 2, 8, 9, 10, 12],
        "{:?}",
        member.offsets(0)
    );
    let positions = member.positions();
    commit_and_wait(&mut member, positions).await?;
    let lag = world.server.consumer_group_lag(name)?;
    ensure!(lag == 0, "the group has lag {lag} after all was read");
    Ok(())
}

pub(super) async fn a_topic_that_comes_later_is_found(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = name.into();
    let mut member = world.member(name, &topic)?;
    match world.protocol {
        Protocol::Classic => {
            until(&mut [&mut member], "the missing topic is told", |members| {
                members[0].faults.iter().any(|fault| fault.contains(name))
            })
            .await?;
        }
        // With the consumer protocol librdkafka subscribes to a missing topic without a word.
        Protocol::Consumer => turns_for(&mut [&mut member], Duration::from_secs(2)).await?,
    }
    ensure!(
        !member.is_dead,
        "a missing topic is fatal: {:?}",
        member.faults
    );
    world
        .admin
        .create(NewTopic {
            name: name.to_owned(),
            partitions: 2,
            replicas: 1,
            values: Vec::new(),
        })
        .await?;
    world.write(&topic, 1, 0..10).await?;
    until(&mut [&mut member], "the late topic is read", |members| {
        members[0].records.len() >= 10
    })
    .await?;
    let mut by_partition: BTreeMap<i32, usize> = BTreeMap::new();
    for record in &member.records {
        *by_partition.entry(record.from.partition).or_default() += 1;
    }
    ensure!(
        by_partition == BTreeMap::from([(1, 10)]),
        "{by_partition:?}"
    );
    Ok(())
}
