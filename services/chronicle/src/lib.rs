//! The worker `chronicle`: keeps what happened to each event where the gateway can be asked for it.
//!
//! # Behaviour
//!
//! * Each batch on the timelines topic becomes rows of the store, in one transaction, which batches that wait at the
//!   same time share; a batch that comes again changes nothing, since its rows are told apart by (instance, number).
//! * While the store is down a batch waits; nothing is dropped.
//! * It writes no timelines of its own: the fleet's own topics have none.
#![warn(missing_docs)]

mod project_timelines;
mod together;

use std::sync::Arc;

use argosy_runtime::Worker;
use argosy_store::Store;

/// The worker, with the store that it projects into.
pub fn worker(store: Arc<dyn Store>) -> Worker {
    Worker::new("chronicle")
        .without_timelines()
        .on(project_timelines::ProjectTimelines::new(store))
}
