//! What is seen each second from outside: the workers' notes, the group's position, memory, rows, dead letters.
//!
//! Invariant: it asks nobody that is judged how well it does; positions are the broker's, rows the store's, memory the
//! kernel's, and a note is written before the deed that it tells of has any other trace.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use argosy_events::catalogue::{DEAD_LETTERS, ORDER_EVENTS, topic};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::time::Instant;

use super::load::{Book, Kind};
use crate::{
    grounds::Grounds,
    storm::{
        fleet::Process,
        load::wall_ns,
        receipts::{Receipt, Tail},
    },
    suite::progress,
    trial_worker::{Note, Seen as Told},
};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Rows are counted this often, in seconds: a count reads them all.
const COUNT_EVERY: u64 = 5;

/// One second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Second {
    pub(super) frontier_age_ms: u64,
    pub(super) resident_kib: u64,
    pub(super) parked: Option<i64>,
}

/// When an event was done first, and by which process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) at: u64,
    pub(super) process: u32,
}

/// All that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// When the first second began, ns since 1970.
    pub(super) began: u64,
    pub(super) seconds: Vec<Second>,
    pub(super) done: HashMap<String, Done>,
    /// Events that began again after they were done: when they were done, and when the process was killed.
    pub(super) reruns: Vec<(String, Done)>,
    pub(super) killed_at: u64,
}

/// What is left when all is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) parked: i64,
    pub(super) dead_letters: i64,
    /// Records that the group has not committed.
    pub(super) uncommitted: i64,
}

/// See the module page.
pub(super) struct Watch {
    group: &'static str,
    book: Book,
    seen: Seen,
    notes: PathBuf,
    read: HashMap<PathBuf, u64>,
    receipts: PathBuf,
    kafka: Arc<BaseConsumer>,
    store: PgConnection,
}

impl Watch {
    pub(super) async fn start(
        grounds: &Grounds,
        group: &'static str,
        book: Book,
    ) -> anyhow::Result<Self> {
        let kafka: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", grounds.bootstrap())
            .set("group.id", group)
            .create()?;
        Ok(Self {
            group,
            book,
            seen: Seen {
                began: wall_ns(),
                ..Seen::default()
            },
            notes: grounds.folder().join("notes"),
            read: HashMap::new(),
            receipts: grounds.folder().join("receipts.jsonl"),
            kafka: Arc::new(kafka),
            store: PgConnection::connect(&grounds.store_url()).await?,
        })
    }

    /// The number of the second that is not seen yet.
    pub(super) fn second(&self) -> usize {
        self.seen.seconds.len()
    }

    /// Records that are done.
    pub(super) fn done(&self) -> usize {
        self.seen.done.len()
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Looks every second for so long.
    pub(super) async fn until(
        &mut self,
        length: Duration,
        worker: &mut Process,
        what: &str,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            let second = u64::try_from(self.second()).unwrap_or(u64::MAX);
            let due = self.seen.began + (second + 1) * 1_000_000_000;
            tokio::time::sleep(Duration::from_nanos(due.saturating_sub(wall_ns()))).await;
            if let Some(status) = worker.ended() {
                anyhow::bail!(
                    "the worker ended by itself: {status}; see {:?}",
                    worker.log()
                );
            }
            self.look(worker, second, what).await?;
        }
        Ok(())
    }

    /// kill -9, and a start at once. Says in which second.
    pub(super) fn killed(&mut self, worker: &mut Process) -> anyhow::Result<usize> {
        self.seen.killed_at = wall_ns();
        worker.kill();
        worker.start()?;
        Ok(self.second())
    }

    async fn look(&mut self, worker: &Process, second: u64, what: &str) -> anyhow::Result<()> {
        self.read_notes()?;
        let frontier_age_ms = self.frontier_age().await?;
        let parked = match second.is_multiple_of(COUNT_EVERY) {
            true => Some(self.parked().await?),
            false => None,
        };
        let seen = Second {
            frontier_age_ms,
            resident_kib: worker.id().and_then(resident_kib).unwrap_or(0),
            parked,
        };
        // A look that took long stands for the seconds that it took.
        let now = (wall_ns() - self.seen.began) / 1_000_000_000;
        while u64::try_from(self.seen.seconds.len()).unwrap_or(u64::MAX) < now.max(second + 1) {
            self.seen.seconds.push(seen);
        }
        if let Some(parked) = parked {
            let published = self.book.entries().published();
            progress(&format!(
                "waiting: {second:>4} s · {published:>7} published, {:>7} done · frontier {:>5.1} s · {:>4} MiB · {parked:>7} parked · {what}",
                self.done(),
                frontier_age_ms as f64 / 1_000.0,
                seen.resident_kib / 1_024,
            ));
        }
        Ok(())
    }

    fn read_notes(&mut self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.notes)? {
            let path = entry?.path();
            let read = self.read.entry(path.clone()).or_default();
            for note in more(&path, read)? {
                self.seen.hear(note);
            }
        }
        Ok(())
    }

    /// The age of the oldest record at or above the committed position.
    async fn frontier_age(&self) -> anyhow::Result<u64> {
        let committed = self.committed().await?;
        let now = wall_ns();
        let entries = self.book.entries();
        let ages = entries.written.iter().filter_map(|(partition, written)| {
            let committed = committed.get(partition).copied().unwrap_or(0);
            let at = written.partition_point(|&(offset, _)| offset < committed);
            let &(_, written) = written.get(at)?;
            Some(now.saturating_sub(written) / 1_000_000)
        });
        Ok(ages.max().unwrap_or(0))
    }

    async fn committed(&self) -> anyhow::Result<HashMap<i32, i64>> {
        let kafka = Arc::clone(&self.kafka);
        let read = tokio::task::spawn_blocking(move || {
            let mut wanted = TopicPartitionList::new();
            wanted.add_partition_range(ORDER_EVENTS, 0, partitions(ORDER_EVENTS) - 1);
            kafka.committed_offsets(wanted, ANSWER_WITHIN)
        });
        let read = read
            .await?
            .context("the broker does not say what is committed")?;
        let elements = read.elements();
        let offsets = elements.iter().filter_map(|element| {
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
            Some((element.partition(), offset))
        });
        Ok(offsets.collect())
    }

    async fn parked(&mut self) -> anyhow::Result<i64> {
        let rows =
            sqlx::query("select count(*) from parked where worker = $1 and settled_at is null")
                .bind(self.group)
                .fetch_one(&mut self.store)
                .await?;
        Ok(rows.try_get(0)?)
    }

    /// What is left when the worker has ended.
    pub(super) async fn left(&mut self) -> anyhow::Result<Left> {
        self.read_notes()?;
        let committed = self.committed().await?;
        let ends = self.ends(ORDER_EVENTS).await?;
        let uncommitted = ends
            .iter()
            .map(|(partition, end)| end - committed.get(partition).copied().unwrap_or(0));
        Ok(Left {
            parked: self.parked().await?,
            dead_letters: self.ends(DEAD_LETTERS).await?.values().sum(),
            uncommitted: uncommitted.sum(),
        })
    }

    /// Where each partition of a topic ends.
    async fn ends(&self, topic: &'static str) -> anyhow::Result<HashMap<i32, i64>> {
        let kafka = Arc::clone(&self.kafka);
        let read = tokio::task::spawn_blocking(move || {
            let ends = (0..partitions(topic)).map(|partition| {
                let (_, end) = kafka.fetch_watermarks(topic, partition, ANSWER_WITHIN)?;
                Ok((partition, end))
            });
            ends.collect::<anyhow::Result<HashMap<i32, i64>>>()
        });
        read.await?
    }

    pub(super) fn receipts(&self) -> anyhow::Result<Vec<Receipt>> {
        Tail::new(&self.receipts).more()
    }
}

impl Seen {
    fn hear(&mut self, note: Note) {
        if Kind::of(&note.event).is_none() {
            return;
        }
        match note.seen {
            Told::Done => {
                let done = Done {
                    at: note.at,
                    process: note.process,
                };
                self.done.entry(note.event).or_insert(done);
            }
            Told::Began => {
                if let Some(done) = self.done.get(&note.event) {
                    self.reruns.push((note.event, *done));
                }
            }
            Told::Claimed => {}
        }
    }
}

fn partitions(name: &str) -> i32 {
    topic(name).expect("the catalogue has it").partitions
}

/// The whole lines that were added since.
fn more(path: &Path, read: &mut u64) -> anyhow::Result<Vec<Note>> {
    let mut notes = Vec::new();
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(*read))?;
    let mut lines = BufReader::new(file);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 && line.ends_with('\n') {
        *read += line.len() as u64;
        notes.push(serde_json::from_str(&line)?);
        line.clear();
    }
    Ok(notes)
}

/// Resident memory, by proc(5).
fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
