//! Writing: Java's partitions, the order of calls, and what is refused.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use argosy_broker::{BrokerError, Message, NewTopic};
use bytes::Bytes;

use super::{
    member::until,
    world::{World, numbered},
};

const PARTITIONS: i32 = 7;

/// Keys and their murmur2, from the tests of Java's client.
const HASHED: [(&str, i32); 6] = [
    ("21", -973_932_308),
    ("foobar", -790_332_482),
    ("a-little-bit-long-string", -985_981_536),
    ("a-little-bit-longer-string", -1_486_304_829),
    (
        "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
        -58_897_971,
    ),
    ("abc", 479_470_107),
];

pub(super) async fn keys_go_to_the_partition_that_java_chooses(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, PARTITIONS).await?;
    let mut keys: Vec<String> = HASHED.iter().map(|(key, _)| (*key).to_owned()).collect();
    keys.extend(
        (0..60).map(|number| format!("gid://shopify/Order/{}", 5_000_000_000_u64 + number)),
    );
    keys.extend(["ü", "日本語", "x", "é\u{301}"].map(str::to_owned));

    let mut ours: BTreeMap<String, i32> = BTreeMap::new();
    for key in &keys {
        let message = Message {
            topic: Arc::clone(&topic),
            partition: None,
            key: Some(Bytes::from(key.clone())),
            value: Some(Bytes::from_static(b"ours")),
            headers: Vec::new(),
        };
        ours.insert(key.clone(), world.send(message).await?.0);
    }
    for (key, hash) in HASHED {
        let expected = (hash & i32::MAX) % PARTITIONS;
        ensure!(
            ours[key] == expected,
            "{key} went to {}, not {expected}",
            ours[key]
        );
    }

    let bootstrap = world.server.bootstrap();
    let (to, lines) = (Arc::clone(&topic), keys.clone());
    tokio::task::spawn_blocking(move || write_with_java(&bootstrap, &to, &lines)).await??;
    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "both are read", |members| {
        members[0].records.len() >= 2 * keys.len()
    })
    .await?;
    for record in &member.records {
        let key = String::from_utf8(record.key.clone().context("no key")?.to_vec())?;
        ensure!(
            ours[&key] == record.from.partition,
            "{key}: Java writes to {}, we to {}",
            record.from.partition,
            ours[&key]
        );
    }
    Ok(())
}

fn write_with_java(bootstrap: &str, topic: &str, keys: &[String]) -> anyhow::Result<()> {
    let cli = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/kafka-cli");
    let mut java = Command::new(cli)
        .args(["produce", "--bootstrap-server", bootstrap, "--topic", topic])
        .args(["--reader-property", "parse.key=true"])
        .args(["--reader-property", "key.separator=|"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("failed to start kafka-cli")?;
    let mut input = java.stdin.take().context("no stdin")?;
    for key in keys {
        writeln!(input, "{key}|java")?;
    }
    drop(input);
    ensure!(java.wait()?.success(), "Java's producer failed");
    Ok(())
}

pub(super) async fn acknowledged_records_keep_the_order_of_calls(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    const BATCHES: u64 = 200;
    const EACH: u64 = 50;
    let topic = world.topic(name, 1).await?;
    // All calls are made before any is awaited.
    let sends: Vec<_> = (0..BATCHES)
        .map(|batch| {
            let numbers = batch * EACH..(batch + 1) * EACH;
            let messages = numbers.map(|number| numbered(&topic, 0, number));
            world.producer.send(messages.collect())
        })
        .collect();
    let mut offset = 0;
    for send in sends {
        for result in send.await {
            ensure!(
                result == Ok((0, offset)),
                "expected offset {offset}: {result:?}"
            );
            offset += 1;
        }
    }
    let mut member = world.member(name, &topic)?;
    let all = usize::try_from(BATCHES * EACH)?;
    until(&mut [&mut member], "all are read", |members| {
        members[0].records.len() >= all
    })
    .await?;
    for (number, record) in member.records.iter().enumerate() {
        let value = record.value.as_deref().context("no value")?;
        ensure!(
            value == number.to_string().as_bytes(),
            "{record:?} is out of order"
        );
    }
    Ok(())
}

pub(super) async fn what_can_never_be_written_is_rejected_alone(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic: Arc<str> = name.into();
    world
        .admin
        .create(NewTopic {
            name: name.to_owned(),
            partitions: 1,
            replicas: 1,
            values: vec![("max.message.bytes".into(), "131072".into())],
        })
        .await?;
    let mut messages: Vec<Message> = (0..5).map(|number| numbered(&topic, 0, number)).collect();
    messages[1].value = Some(noise(200_000));
    messages[3].topic = "no-such-topic".into();
    let results = world.producer.send(messages).await;
    for number in [0, 2, 4] {
        ensure!(results[number].is_ok(), "{number}: {:?}", results[number]);
    }
    let is_rejected = |at: usize| matches!(&results[at], Err(BrokerError::Rejected(_)));
    ensure!(is_rejected(1), "too large: {:?}", results[1]);
    ensure!(is_rejected(3), "unknown topic: {:?}", results[3]);
    Ok(())
}

/// Bytes that no compression makes fewer, so that they are as many for the broker as they are here.
fn noise(bytes: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}
