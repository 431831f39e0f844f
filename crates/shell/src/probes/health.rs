//! What a process knows about its own health. Every judgement is a pure function of what was reported and `now`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A heartbeat older than this is a fault of the process.
pub const HEARTBEAT_AGE_MAX: Duration = Duration::from_secs(30);
/// Names beyond this are dropped: names are written by us and are few.
const CHECKS_MAX: usize = 256;

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// As it should be.
    Ok,
    /// Impaired, yet able to go on: stays ready.
    Degraded,
    /// Not able to go on.
    NotReady,
}

/// One line of a probe's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The check's name.
    pub name: String,
    /// How it stands.
    pub readiness: Readiness,
    /// For how long it has stood so, or how long ago it was heard of.
    pub age: Option<Duration>,
    /// More, for a human; no secrets.
    pub detail: String,
}

/// What a check that is asked at each probe answers.
pub type Asked = (Readiness, String);
type Ask = Arc<dyn Fn() -> Asked + Send + Sync>;

/// Health of one process; clones share it.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    heartbeats: BTreeMap<String, Instant>,
    reported: BTreeMap<String, (Readiness, String, Instant)>,
    asked_live: BTreeMap<String, Ask>,
    asked_ready: BTreeMap<String, Ask>,
    is_started: bool,
    is_draining: bool,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|state| {
            f.debug_struct("Health")
                .field("heartbeats", &state.heartbeats.keys())
                .field("reported", &state.reported.keys())
                .finish_non_exhaustive()
        })
    }
}

impl Health {
    /// Nothing known yet: alive, not started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something that must keep turning has turned. From the first call on, silence is a fault.
    pub fn heartbeat(&self, name: &str) {
        let now = Instant::now();
        self.with(|state| {
            if state.heartbeats.len() < CHECKS_MAX {
                state.heartbeats.insert(name.to_owned(), now);
            }
        });
    }

    /// What ended in good order needs no heart any longer.
    pub fn retire(&self, name: &str) {
        self.with(|state| {
            state.heartbeats.remove(name);
            state.asked_live.remove(name);
            state.asked_ready.remove(name);
        });
    }

    /// Reports how something stands; its age counts from when that changed.
    pub fn ready(&self, name: &str, readiness: Readiness, detail: impl Into<String>) {
        let (detail, now) = (detail.into(), Instant::now());
        self.with(|state| {
            let since = match state.reported.get(name) {
                Some((before, _, since)) if *before == readiness => *since,
                _ => now,
            };
            if state.reported.len() < CHECKS_MAX {
                state
                    .reported
                    .insert(name.to_owned(), (readiness, detail, since));
            }
        });
    }

    /// A check that `/livez` asks each time. It must answer at once and only about this process.
    pub fn ask_live(&self, name: &str, ask: impl Fn() -> Asked + Send + Sync + 'static) {
        self.with(|state| state.asked_live.insert(name.to_owned(), Arc::new(ask)));
    }

    /// A check that `/readyz` asks each time. It must answer at once.
    pub fn ask_ready(&self, name: &str, ask: impl Fn() -> Asked + Send + Sync + 'static) {
        self.with(|state| state.asked_ready.insert(name.to_owned(), Arc::new(ask)));
    }

    /// Everything that a start needs is done.
    pub fn started(&self) {
        self.with(|state| state.is_started = true);
    }

    /// The process is leaving: alive, no longer ready.
    pub fn draining(&self) {
        self.with(|state| state.is_draining = true);
    }

    /// The lines of `/livez`.
    pub fn live(&self, now: Instant) -> Vec<Line> {
        let (mut lines, asks) = self.with(|state| {
            let lines: Vec<Line> = state
                .heartbeats
                .iter()
                .map(|(name, last)| {
                    let age = now.saturating_duration_since(*last);
                    Line {
                        name: name.clone(),
                        readiness: match age > HEARTBEAT_AGE_MAX {
                            true => Readiness::NotReady,
                            false => Readiness::Ok,
                        },
                        age: Some(age),
                        detail: "last turn".to_owned(),
                    }
                })
                .collect();
            (lines, state.asked_live.clone())
        });
        lines.extend(ask_all(asks));
        lines
    }

    /// The lines of `/readyz`.
    pub fn readiness(&self, now: Instant) -> Vec<Line> {
        let (mut lines, asks) = self.with(|state| {
            let mut lines: Vec<Line> = state
                .reported
                .iter()
                .map(|(name, (readiness, detail, since))| Line {
                    name: name.clone(),
                    readiness: *readiness,
                    age: Some(now.saturating_duration_since(*since)),
                    detail: detail.clone(),
                })
                .collect();
            if state.is_draining {
                lines.push(Line {
                    name: "process".to_owned(),
                    readiness: Readiness::NotReady,
                    age: None,
                    detail: "draining".to_owned(),
                });
            }
            (lines, state.asked_ready.clone())
        });
        lines.extend(ask_all(asks));
        lines
    }

    /// The lines of `/startupz`.
    pub fn startup(&self) -> Vec<Line> {
        let is_started = self.with(|state| state.is_started);
        let (readiness, detail) = match is_started {
            true => (Readiness::Ok, "started"),
            false => (Readiness::NotReady, "starting"),
        };
        vec![Line {
            name: "process".to_owned(),
            readiness,
            age: None,
            detail: detail.to_owned(),
        }]
    }

    /// Nothing is asked, awaited or sent while the lock is held.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn ask_all(asks: BTreeMap<String, Ask>) -> impl Iterator<Item = Line> {
    asks.into_iter().map(|(name, ask)| {
        let (readiness, detail) = ask();
        Line {
            name,
            readiness,
            age: None,
            detail,
        }
    })
}
