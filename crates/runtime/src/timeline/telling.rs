//! What was told of a record by its runs so far, so that a wait of hours does not fill its timeline.
//!
//! Invariant: a run is left out only while the record waits for the same cause as before, and only if nothing came of
//! it; how many were left out is told with the next run that is not. A record's runs follow one another, so nobody
//! ever waits for the lock.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use argosy_kernel::Waiting;
use tokio::time::Instant;

/// A wait that lasts is told again this often.
const WAIT_TOLD_EVERY: Duration = Duration::from_secs(60);

/// See the module page.
#[derive(Debug, Default)]
pub(crate) struct Telling(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    beginning: Beginning,
    wait: Option<Wait>,
}

/// How a record came here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// From the broker.
    #[default]
    Received,
    /// An operator had it replayed.
    Replayed,
    /// That was told.
    Known,
}

/// The wait that the last run ended in.
#[derive(Debug)]
struct Wait {
    cause: Waiting,
    told_at: Instant,
    /// Runs since then that ended in it again.
    untold: u32,
}

impl Telling {
    /// Of a record out of the store: its receipt was told before it was parked.
    pub(crate) fn out_of_store(is_replayed: bool) -> Self {
        let beginning = match is_replayed {
            true => Beginning::Replayed,
            false => Beginning::Known,
        };
        Self(Mutex::new(Told {
            beginning,
            wait: None,
        }))
    }

    /// How it came here, as far as that is still to be told: once.
    pub(crate) fn begin(&self) -> Beginning {
        std::mem::replace(&mut self.told().beginning, Beginning::Known)
    }

    /// Whether the record is known to wait, so that doing the same again is no news.
    pub(super) fn is_waiting(&self) -> bool {
        self.told().wait.is_some()
    }

    /// A run ended, deferred by this cause if there is one. Says how many runs before it were left out, or nothing if
    /// it is left out itself.
    pub(super) fn end(
        &self,
        deferred: Option<&Waiting>,
        is_news: bool,
        now: Instant,
    ) -> Option<u32> {
        let mut told = self.told();
        match (deferred, &mut told.wait) {
            (Some(cause), Some(wait))
                if wait.cause == *cause
                    && !is_news
                    && now.duration_since(wait.told_at) < WAIT_TOLD_EVERY =>
            {
                wait.untold = wait.untold.saturating_add(1);
                None
            }
            (deferred, wait) => {
                let untold = wait.take().map_or(0, |wait| wait.untold);
                *wait = deferred.map(|cause| Wait {
                    cause: cause.clone(),
                    told_at: now,
                    untold: 0,
                });
                Some(untold)
            }
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_when_it_begins_when_its_cause_changes_when_there_is_news_and_once_a_minute() {
        let telling = Telling::default();
        let start = Instant::now();
        let [acme, globex] = ["acme", "globex"].map(|name| Waiting::Dependency(name.into()));
        let cases = [
            (0, Some(&acme), false, Some(0)),
            (2, Some(&acme), false, None),
            (4, Some(&acme), false, None),
            (6, Some(&globex), false, Some(2)),
            (8, Some(&globex), false, None),
            (10, Some(&globex), true, Some(1)),
            (69, Some(&globex), false, None),
            (70, Some(&globex), false, Some(1)),
            (80, None, false, Some(0)),
            (81, Some(&globex), false, Some(0)),
        ];
        for (seconds, deferred, is_news, told) in cases {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(telling.end(deferred, is_news, now), told, "at {seconds} s");
            assert_eq!(telling.is_waiting(), deferred.is_some());
        }
    }

    #[test]
    fn how_a_record_came_is_told_once() {
        let telling = Telling::default();
        assert_eq!(telling.begin(), Beginning::Received);
        assert_eq!(telling.begin(), Beginning::Known);
        assert_eq!(Telling::out_of_store(false).begin(), Beginning::Known);
        assert_eq!(Telling::out_of_store(true).begin(), Beginning::Replayed);
    }
}
