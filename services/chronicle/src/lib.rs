//! The worker `chronicle`: keeps what happened to each event where the gateway can be asked for it.
//!
//! # Behaviour
//!
//! * Each batch on the timelines topic becomes rows of the store, in one transaction, which batches that wait at the
//!   same time share; a batch that comes again changes nothing, since its rows are told apart by (instance, number).
//! * Each record on the dead-letter topic becomes the row of the record that died; a letter that comes again changes
//!   nothing. One that does not name its record, or is larger than the store takes, is skipped with a line in the log and
//!   stays on its topic.
//! * While the store is down a batch or a letter waits; nothing is dropped.
//! * It writes no timelines of its own: the fleet's own topics have none.
#![warn(missing_docs)]

mod letter;
mod project_letters;
mod project_timelines;
mod telemetry;
mod together;

use std::{sync::Arc, time::Duration};

use argosy_events::catalogue::DEAD_LETTERS;
use argosy_outbound::{Dependency, Failure};
use argosy_runtime::Worker;
use argosy_store::{Store, StoreError};

/// Wait before the store is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The worker, with the store that it projects into.
pub fn worker(store: Arc<dyn Store>) -> Worker {
    Worker::new("chronicle")
        .without_timelines()
        .on(project_timelines::ProjectTimelines::new(Arc::clone(&store)))
        .on_raw(DEAD_LETTERS, project_letters::ProjectLetters::new(store))
}

/// No attempt is spent while the store does not do as asked.
fn store_down(error: &StoreError) -> Failure {
    let store = Dependency("store".into());
    Failure::dependency_down(&store, STORE_RETRY, error.to_string())
}
