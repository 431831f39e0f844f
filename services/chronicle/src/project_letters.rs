//! Projects a dead letter into the store's row of its record.
//!
//! Invariant: a letter waits for the store, or is skipped where it lies; it never dies.

use std::sync::Arc;

use argosy_outbound::Failure;
use argosy_runtime::{Outcome, RawHandler, RawRecord};
use argosy_store::{Store, StoreError};

use crate::{letter, store_down, telemetry};

/// See the module page.
pub(crate) struct ProjectLetters {
    store: Arc<dyn Store>,
}

impl ProjectLetters {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

impl RawHandler for ProjectLetters {
    async fn handle(&self, record: RawRecord) -> Result<Outcome, Failure> {
        let (partition, offset) = (record.partition, record.offset);
        let skipped = |reason| {
            telemetry::letter_skipped(partition, offset, reason);
            Ok(Outcome::Skipped(reason))
        };
        let Some(row) = letter::read(record) else {
            return skipped("its headers do not name the record that died");
        };
        match self.store.project_letters(vec![row]).await {
            Ok(()) => Ok(Outcome::Done),
            Err(StoreError::TooLarge { .. }) => skipped("it is larger than the store takes"),
            Err(error) => Err(store_down(&error)),
        }
    }
}
