//! The load: so many records per second, every other one of a key that will wait; and the book of what was published.
//!
//! Invariant: records of a key are numbered from 1 in the order in which the broker has them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use argosy_testkit::random::Random;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{GROUP, WaitingSettings};
use crate::{
    grounds::Grounds,
    storm::load::wall_ns,
    trial_worker::{Class, Deed, Patience},
};

/// Time between two lots of records.
const LOT_EVERY: Duration = Duration::from_millis(100);

/// What a key's records do, by the letter before its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// They call the supplier that goes down.
    Waits,
    /// They call the one that stays.
    Calls,
    /// They call nobody.
    Calm,
}

impl Kind {
    /// Of an event or a key.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name.as_bytes().first()? {
            b'w' => Some(Self::Waits),
            b'e' => Some(Self::Calls),
            b'h' => Some(Self::Calm),
            _ => None,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Waits => 'w',
            Self::Calls => 'e',
            Self::Calm => 'h',
        }
    }

    fn deed(self) -> Deed {
        match self {
            Self::Waits => Deed::Call(Class::Natural, Patience::Brisk),
            Self::Calls => Deed::Call(Class::Remembered, Patience::Brisk),
            Self::Calm => Deed::Done,
        }
    }
}

/// What was published.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    /// The last number of each key.
    pub(super) last: HashMap<String, u64>,
    /// When each was written, by partition and offset, ascending.
    pub(super) written: HashMap<i32, Vec<(i64, u64)>>,
    /// Moments at which healthy ones were, ns since 1970, ascending.
    pub(super) healthy: Vec<u64>,
}

impl Entries {
    /// How many.
    pub(super) fn published(&self) -> usize {
        usize::try_from(self.last.values().sum::<u64>()).unwrap_or(usize::MAX)
    }
}

/// The book, shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Mutex<Entries>>);

impl Book {
    pub(super) fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that publishes.
#[derive(Debug)]
pub(super) struct Load {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Load {
    pub(super) fn start(grounds: Arc<Grounds>, settings: &WaitingSettings, book: Book) -> Self {
        let stop = CancellationToken::new();
        let publishing = publish(grounds, settings.clone(), book, stop.clone());
        Self {
            task: tokio::spawn(publishing),
            stop,
        }
    }

    /// Ends it; what it began is acknowledged then.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn publish(
    grounds: Arc<Grounds>,
    settings: WaitingSettings,
    book: Book,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut random = Random::new(settings.seed);
    let mut numbers: HashMap<String, u64> = HashMap::new();
    let began = Instant::now();
    let lot = settings.rate as usize / 10;
    for turn in 0_u32.. {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(began + LOT_EVERY * turn) => {}
        }
        let mut orders = Vec::with_capacity(lot);
        for place in 0..lot {
            let key = key(&mut random, &settings, place % 2 == 0);
            let kind = Kind::of(&key).expect("a key begins with its kind");
            let number = numbers.entry(key.clone()).or_default();
            *number += 1;
            let event = format!("{key}.{number}");
            orders.push((event, kind.deed().order(GROUP, &key)));
        }
        let at = wall_ns();
        let placed = grounds.publish_placed(&orders).await?;
        let mut entries = book.entries();
        for ((event, order), (partition, offset)) in orders.into_iter().zip(placed) {
            if Kind::of(&event) != Some(Kind::Waits) {
                entries.healthy.push(at);
            }
            *entries.last.entry(order.order_id).or_default() += 1;
            entries
                .written
                .entry(partition)
                .or_default()
                .push((offset, at));
        }
    }
    Ok(())
}

fn key(random: &mut Random, settings: &WaitingSettings, waits: bool) -> String {
    let number = random.index((settings.keys / 2).max(1));
    let kind = match number % 100 {
        _ if waits => Kind::Waits,
        of_hundred if of_hundred < settings.effects_percent => Kind::Calls,
        _ => Kind::Calm,
    };
    format!("{}{number}", kind.letter())
}
