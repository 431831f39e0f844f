//! The shared cases and the agreement with the model, each in a task of its own, so that one failure is one finding.

use std::{sync::Arc, time::Duration};

use argosy_store::Store;
use argosy_testkit::store_suite;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::StoreSuiteSettings;
use crate::suite::progress;

const CASE_MAX: Duration = Duration::from_secs(60);

/// Operations per seed.
const STEPS: u64 = 200;

/// How many cases and seeds held.
pub(super) async fn try_all(
    store: &Arc<dyn Store>,
    settings: &StoreSuiteSettings,
    violations: &mut Vec<String>,
) -> (usize, u64) {
    let mut rules = 0;
    for case in store_suite::cases() {
        let store = Arc::clone(store);
        let held = alone(async move { case.run(&*store, Uuid::new_v4()).await }).await;
        progress(&format!("store: {} {}", verdict(held.is_ok()), case.name));
        match held {
            Ok(()) => rules += 1,
            Err(why) => violations.push(format!("{}: {why}", case.name)),
        }
    }
    let mut seeds = 0;
    for seed in settings.from..settings.from + settings.seeds {
        let store = Arc::clone(store);
        let agreed = alone(async move {
            store_suite::agree(&*store, Uuid::new_v4(), seed, STEPS).await;
        });
        match agreed.await {
            Ok(()) => seeds += 1,
            Err(why) => violations.push(format!(
                "agreement with the model: {why}; repeat it by `cargo store-suite --from {seed} --seeds 1`"
            )),
        }
    }
    progress(&format!(
        "store: {seeds} of {} seeds agree with the model",
        settings.seeds
    ));
    (rules, seeds)
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds:" } else { "BROKEN:" }
}

/// Runs it within the bound; its panic is an answer.
async fn alone(case: impl Future<Output = ()> + Send + 'static) -> Result<(), String> {
    let task = TaskTracker::new().spawn(timeout(CASE_MAX, case));
    match task.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(format!("not done within {} s", CASE_MAX.as_secs())),
        Err(failed) => Err(match failed.into_panic().downcast::<String>() {
            Ok(message) => *message,
            Err(_) => "it panicked, see above".to_owned(),
        }),
    }
}
