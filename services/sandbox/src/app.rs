//! What every endpoint shares.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{SupplierSettings, faults::Script, ledger::Ledger};

/// Calls under way at once, over all suppliers.
pub(crate) const CALLS_MAX: usize = 10_000;

/// See the module page.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) suppliers: BTreeMap<Arc<str>, SupplierSettings>,
    pub(crate) receipts: PathBuf,
    pub(crate) ledger: Ledger,
    pub(crate) script: Script,
    /// Calls run here, so that a caller who goes away does not stop them.
    pub(crate) calls: TaskTracker,
    pub(crate) call_permits: Arc<Semaphore>,
    pub(crate) stopping: CancellationToken,
}

/// When the request's head had arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceivedAt(pub(crate) i64);
