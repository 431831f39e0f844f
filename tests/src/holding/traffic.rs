//! Live traffic on all keys, from a task of its own: it goes on whatever is struck.
//!
//! Invariant: a key's next event is published only when the one before is acknowledged, so that their order on the
//! topic is the order of their numbers. An event whose acknowledgement did not come is published again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argosy_testkit::random::Random;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    grounds::Grounds,
    storm::load::wall_ns,
    trial_worker::{Class, Deed, Patience},
};

/// Between two batches.
const EVERY: Duration = Duration::from_millis(100);

/// Events of one batch, each of another key.
const BATCH: usize = 2;

/// One published event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) key: String,
    /// Its number within its key, from 1.
    pub(super) number: u64,
    /// When it was acknowledged, ns since 1970.
    pub(super) at: u64,
}

impl Published {
    pub(super) fn event(&self) -> String {
        event(&self.key, self.number)
    }
}

/// The id of a key's event.
pub(super) fn event(key: &str, number: u64) -> String {
    format!("{key}.{number}")
}

/// Key and number of an event's id.
pub(super) fn place(event: &str) -> Option<(&str, u64)> {
    let (key, number) = event.rsplit_once('.')?;
    Some((key, number.parse().ok()?))
}

#[derive(Debug, Default)]
struct Shared {
    published: Vec<Published>,
    /// What the next event of a key tells instead of the usual.
    deeds: HashMap<String, Deed>,
}

/// See the module page.
#[derive(Debug)]
pub(super) struct Traffic {
    shared: Arc<Mutex<Shared>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Traffic {
    pub(super) fn start(grounds: Arc<Grounds>, group: &str, keys: Vec<String>, seed: u64) -> Self {
        let (shared, stop) = (Arc::<Mutex<Shared>>::default(), CancellationToken::new());
        let publisher = Publisher {
            grounds,
            group: group.to_owned(),
            numbers: vec![0; keys.len()],
            keys,
            random: Random::new(seed ^ 0x11fe),
            shared: Arc::clone(&shared),
        };
        let task = tokio::spawn(publisher.publish(stop.clone()));
        Self { shared, stop, task }
    }

    /// The next event of a key tells this.
    pub(super) fn tell(&self, key: &str, deed: Deed) {
        lock(&self.shared).deeds.insert(key.to_owned(), deed);
    }

    /// Whether everything that was to be told is published.
    pub(super) fn has_told_all(&self) -> bool {
        lock(&self.shared).deeds.is_empty()
    }

    /// A copy of what was published so far.
    pub(super) fn published(&self) -> Vec<Published> {
        lock(&self.shared).published.clone()
    }

    /// Ends it; what it began to publish is acknowledged then.
    pub(super) async fn end(self) -> anyhow::Result<Vec<Published>> {
        self.stop.cancel();
        self.task.await?;
        let published = lock(&self.shared).published.clone();
        Ok(published)
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Publisher {
    grounds: Arc<Grounds>,
    group: String,
    keys: Vec<String>,
    numbers: Vec<u64>,
    random: Random,
    shared: Arc<Mutex<Shared>>,
}

impl Publisher {
    async fn publish(mut self, stop: CancellationToken) {
        let mut due = Instant::now();
        while !stop.is_cancelled() {
            tokio::time::sleep_until(due).await;
            // What could not be published for a while is not made up for: no flood follows a restart.
            due = Instant::now() + EVERY;
            self.batch().await;
        }
    }

    async fn batch(&mut self) {
        let first = self.random.index(self.keys.len());
        let chosen = (0..BATCH).map(|n| (first + n * self.keys.len() / BATCH) % self.keys.len());
        let mut orders = Vec::with_capacity(BATCH);
        for index in chosen.collect::<Vec<_>>() {
            self.numbers[index] += 1;
            let (key, number) = (self.keys[index].clone(), self.numbers[index]);
            let deed = lock(&self.shared).deeds.get(&key).copied();
            let told = deed.unwrap_or(Deed::Call(Class::Natural, Patience::Brisk));
            let order = (event(&key, number), told.order(&self.group, &key));
            orders.push((key, number, deed.is_some(), order));
        }
        let messages: Vec<_> = orders.iter().map(|(.., order)| order.clone()).collect();
        // Each has the id that it had before, and nothing of its key comes between.
        while self.grounds.publish_all(&messages).await.is_err() {
            tokio::time::sleep(EVERY).await;
        }
        let at = wall_ns();
        let mut shared = lock(&self.shared);
        for (key, number, is_special, _) in orders {
            if is_special {
                shared.deeds.remove(&key);
            }
            shared.published.push(Published { key, number, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_id_tells_its_key_and_number() {
        assert_eq!(place(&event("order-1-2", 7)), Some(("order-1-2", 7)));
        for wrong in ["", "order-1-2", "order.", "order.x", ".-1"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
