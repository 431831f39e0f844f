//! The load: one task per key posts its orders to the gateway one after the other, each until it is accepted.
//!
//! Invariant: an event is posted only when the one before it of its key is accepted, under the same id each time; what
//! the gateway answers is counted, and what it never may answer is kept as a sentence.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use argosy_testkit::random::Random;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    grounds::Grounds,
    storm,
    trial_worker::{Class, Deed, Patience},
};

/// Between two posts of a key, ms, at most.
const PAUSE_MAX_MS: usize = 2_000;

const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long an event may be refused before the suite gives up.
const PATIENCE: Duration = Duration::from_secs(240);

/// Sentences kept at most.
const WRONG_MAX: usize = 10;

/// What the gateway answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// The last accepted number of each key.
    pub(super) accepted: BTreeMap<String, u64>,
    pub(super) refused: usize,
    pub(super) unanswered: usize,
    pub(super) wrong: Vec<String>,
}

impl Tally {
    pub(super) fn events(&self) -> u64 {
        self.accepted.values().sum()
    }
}

/// See the module page.
#[derive(Debug)]
pub(super) struct Poster {
    tally: Arc<Mutex<Tally>>,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Poster {
    pub(super) fn start(
        grounds: &Grounds,
        group: &'static str,
        keys: u64,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let client = storm::http_client()?;
        let mut poster = Self {
            tally: Arc::default(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        for key in 0..keys {
            let task = Task {
                client: client.clone(),
                url: format!("{}/v1/events", grounds.gateway_url()),
                source: grounds.source().to_owned(),
                group,
                key: format!("{seed}-{key}"),
                random: Random::new(seed ^ (key << 8)),
                tally: Arc::clone(&poster.tally),
                stop: poster.stop.clone(),
            };
            poster.tasks.spawn(task.run());
        }
        Ok(poster)
    }

    pub(super) fn tally(&self) -> Tally {
        locked(&self.tally).clone()
    }

    /// No further event is begun; those that were are accepted when this returns.
    pub(super) async fn stop(mut self) -> anyhow::Result<Tally> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(self.tally())
    }
}

struct Task {
    client: reqwest::Client,
    url: String,
    source: String,
    group: &'static str,
    key: String,
    random: Random,
    tally: Arc<Mutex<Tally>>,
    stop: CancellationToken,
}

impl Task {
    async fn run(mut self) -> anyhow::Result<()> {
        for number in 1.. {
            let pause = Duration::from_millis(self.random.index(PAUSE_MAX_MS) as u64);
            let paused = self.stop.run_until_cancelled(tokio::time::sleep(pause));
            if paused.await.is_none() {
                break;
            }
            tokio::time::timeout(PATIENCE, self.post(number))
                .await
                .map_err(|_| anyhow::anyhow!("event {}.{number} was never accepted", self.key))?;
        }
        Ok(())
    }

    async fn post(&self, number: u64) {
        let deed = Deed::Call(Class::Remembered, Patience::Brisk);
        let body = json!({
            "orderId": self.key,
            "version": "1",
            "shop": self.group,
            "currency": "EUR",
            "lines": [{ "lineId": "1", "sku": deed.to_string(), "quantity": 1 }],
        });
        loop {
            let request = self
                .client
                .post(&self.url)
                .header("content-type", "application/json")
                .header("ce-specversion", "1.0")
                .header("ce-id", format!("{}.{number}", self.key))
                .header("ce-source", &self.source)
                .header("ce-type", "argosy.orders.v1.OrderApproved")
                .body(body.to_string());
            let answer = storm::send(request).await;
            if self.heard(number, answer) {
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Whether it was accepted.
    fn heard(&self, number: u64, answer: reqwest::Result<reqwest::Response>) -> bool {
        let mut tally = locked(&self.tally);
        let Ok(answer) = answer else {
            tally.unanswered += 1;
            return false;
        };
        match answer.status().as_u16() {
            202 => {
                tally.accepted.insert(self.key.clone(), number);
                return true;
            }
            503 if is_problem(&answer) && answer.headers().contains_key("retry-after") => {
                tally.refused += 1;
            }
            _ if tally.wrong.len() < WRONG_MAX => {
                let headers = answer.headers();
                let sentence = format!("the gateway answered {} with {headers:?}", answer.status());
                tally.wrong.push(sentence);
            }
            _ => {}
        }
        false
    }
}

/// An answer of RFC 9457.
pub(super) fn is_problem(answer: &reqwest::Response) -> bool {
    let kind = answer.headers().get("content-type");
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"))
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
