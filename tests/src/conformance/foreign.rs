//! What others write is not always text. No library writes it for us, so that the wire is spoken by hand, or by kcat.

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::ffi::OsStringExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use argosy_broker::TopicPartition;

use super::{member::until, world::World};

pub(super) async fn metadata_that_is_not_text_does_not_kill_the_reader(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, 1).await?;
    commit_by_hand(
        &world.server.bootstrap(),
        name,
        &topic,
        b"\xff\xfe\xc3map\x00",
    )?;
    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "it is assigned", |members| {
        members[0].assigned.len() == 1
    })
    .await?;
    let of = TopicPartition {
        topic,
        partition: 0,
    };
    let read = member.consumer.committed(vec![of]).await?;
    let position = read[0].as_ref().context("nothing is committed")?;
    ensure!(position.offset.0 == 7, "{position:?}");
    let metadata = position.metadata.as_deref().context("no metadata")?;
    ensure!(metadata.contains("map"), "{metadata:?}");
    Ok(())
}

/// OffsetCommit, version 2, of offset 7 of partition 0, from outside the group.
fn commit_by_hand(
    bootstrap: &str,
    group: &str,
    topic: &str,
    metadata: &[u8],
) -> anyhow::Result<()> {
    let mut request = Vec::new();
    let text = |request: &mut Vec<u8>, bytes: &[u8]| -> anyhow::Result<()> {
        request.extend(i16::try_from(bytes.len())?.to_be_bytes());
        request.extend(bytes);
        Ok(())
    };
    // Which call, its version, correlation id, client id.
    request.extend(8_i16.to_be_bytes());
    request.extend(2_i16.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    text(&mut request, b"by-hand")?;
    // Group, no generation, no member, the broker's own retention.
    text(&mut request, group.as_bytes())?;
    request.extend((-1_i32).to_be_bytes());
    text(&mut request, b"")?;
    request.extend((-1_i64).to_be_bytes());
    // One topic, one partition.
    request.extend(1_i32.to_be_bytes());
    text(&mut request, topic.as_bytes())?;
    request.extend(1_i32.to_be_bytes());
    request.extend(0_i32.to_be_bytes());
    request.extend(7_i64.to_be_bytes());
    text(&mut request, metadata)?;

    let mut stream = TcpStream::connect(bootstrap)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
    stream.write_all(&i32::try_from(request.len())?.to_be_bytes())?;
    stream.write_all(&request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length))?];
    stream.read_exact(&mut answer)?;
    ensure!(
        answer.ends_with(&[0, 0]),
        "the commit by hand is refused: {answer:?}"
    );
    Ok(())
}

pub(super) async fn a_header_name_that_is_not_text_does_not_kill_the_reader(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, 1).await?;
    let mut kcat = Command::new("kcat")
        .args(["-P", "-b", &world.server.bootstrap(), "-t", name, "-p", "0"])
        .arg("-H")
        .arg(OsString::from_vec(b"n\xffme=v\xfflue".to_vec()))
        .stdin(Stdio::piped())
        .spawn()
        .context("failed to start kcat: run tests/servers/tools-install")?;
    let mut input = kcat.stdin.take().context("no stdin")?;
    input.write_all(b"from outside\n")?;
    drop(input);
    ensure!(kcat.wait()?.success(), "kcat failed");
    world.write(&topic, 0, 0..1).await?;

    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "both are read", |members| {
        members[0].records.len() >= 2
    })
    .await?;
    let record = &member.records[0];
    ensure!(
        record.value.as_deref() == Some(b"from outside"),
        "{:?}",
        record.value
    );
    let (name, value) = record.headers.first().context("no header")?;
    ensure!(name == "n\u{fffd}me", "{name:?}");
    ensure!(value[..] == b"v\xfflue"[..], "{value:?}");
    Ok(())
}
