//! Records as kcat writes and reads them: raw bytes.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    process::{Command, Stdio},
};

use anyhow::Context as _;

/// A record to write.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    /// `None` is no key.
    pub(crate) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// In order; a name may be there more than once.
    pub(crate) headers: Vec<(String, String)>,
}

impl Written {
    /// The first value of this name, as our own readers take it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// How often a header of this name is there.
    pub(crate) fn times(&self, name: &str) -> usize {
        let named = self.headers.iter().filter(|(found, _)| found == name);
        named.count()
    }
}

/// Writes one record with exactly these bytes, to the partition that Java's partitioner would choose.
pub(crate) fn write(bootstrap: &str, topic: &str, record: &Raw) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("argosy-kcat-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let value = folder.join("value");
    let mut kcat = Command::new("kcat");
    kcat.args([
        "-P",
        "-b",
        bootstrap,
        "-t",
        topic,
        "-X",
        "partitioner=murmur2_random",
        "-X",
        "message.max.bytes=2000000",
    ]);
    for (name, value) in &record.headers {
        let header = [name.as_bytes(), b"=", value].concat();
        kcat.arg("-H").arg(OsString::from_vec(header));
    }
    // A file is one record, and an empty one is none: a tombstone comes as a line of its key and nothing behind it.
    if let Some(bytes) = &record.value {
        std::fs::write(&value, bytes)?;
        if let Some(key) = &record.key {
            kcat.arg("-k").arg(OsString::from_vec(key.clone()));
        }
        kcat.arg(&value).stdin(Stdio::null());
    } else {
        let key = record.key.as_deref().context("a tombstone has a key")?;
        std::fs::write(&value, [key, b"\t\n"].concat())?;
        kcat.args(["-Z", "-K", "\t"])
            .stdin(std::fs::File::open(&value)?);
    }
    let status = kcat
        .status()
        .context("failed to start kcat; tests/servers/tools-install installs it")?;
    anyhow::ensure!(status.success(), "kcat could not write to {topic}");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Reads a topic from its beginning to its end.
pub(crate) fn read(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Written>> {
    let output = Command::new("kcat")
        .args([
            "-C",
            "-q",
            "-e",
            "-o",
            "beginning",
            "-b",
            bootstrap,
            "-t",
            topic,
            "-f",
            "%p %o %K %S\\n%k%s\\n%h\\n",
        ])
        .stdin(Stdio::null())
        .output()
        .context("failed to start kcat")?;
    anyhow::ensure!(
        output.status.success(),
        "kcat: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&output.stdout)
}

fn parse(mut bytes: &[u8]) -> anyhow::Result<Vec<Written>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let sizes = String::from_utf8(take_line(&mut bytes)?)?;
        let mut numbers = sizes.split(' ').map(str::parse::<i64>);
        let mut number = || anyhow::Ok(numbers.next().context("a number is missing")??);
        let (partition, offset) = (i32::try_from(number()?)?, number()?);
        let key = take(&mut bytes, number()?)?;
        let value = take(&mut bytes, number()?)?;
        anyhow::ensure!(
            take_line(&mut bytes)?.is_empty(),
            "kcat printed more than it said"
        );
        let headers = String::from_utf8_lossy(&take_line(&mut bytes)?).into_owned();
        let headers = headers
            .split(',')
            .filter_map(|header| header.split_once('='));
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        records.push(Written {
            partition,
            offset,
            key,
            value,
            headers,
        });
    }
    Ok(records)
}

fn take_line(bytes: &mut &[u8]) -> anyhow::Result<Vec<u8>> {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .context("kcat's output ends early")?;
    let line = bytes[..end].to_vec();
    *bytes = &bytes[end + 1..];
    Ok(line)
}

/// So many bytes; -1 stands for null.
fn take(bytes: &mut &[u8], size: i64) -> anyhow::Result<Option<Vec<u8>>> {
    let Ok(size) = usize::try_from(size) else {
        return Ok(None);
    };
    anyhow::ensure!(bytes.len() >= size, "kcat's output ends early");
    let taken = bytes[..size].to_vec();
    *bytes = &bytes[size..];
    Ok(Some(taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_read_as_bytes_and_null_is_not_empty() {
        let printed = b"3 17 2 4\n\xff\xfea\nb\n\nce_id=x,a=b=c\n0 0 -1 0\n\n\n0 1 0 -1\n\n\n";
        let records = parse(printed).unwrap();
        let parts: Vec<_> = records
            .iter()
            .map(|record| (record.key.as_deref(), record.value.as_deref()))
            .collect();
        assert_eq!(
            parts,
            [
                (Some(&b"\xff\xfe"[..]), Some(&b"a\nb\n"[..])),
                (None, Some(&b""[..])),
                (Some(&b""[..]), None),
            ]
        );
        assert_eq!((records[0].partition, records[0].offset), (3, 17));
        assert_eq!(records[0].header("a"), Some("b=c"));
        assert!(parse(b"3 17 2 4\nab").is_err() && parse(b"3 17\n").is_err());
    }
}
