//! Slots: what an instance is running, in a file that outlives it.
//!
//! Invariant: a slot is occupied from before a handler starts until after it ended, by one write each and without
//! fsync: what was written before a process was killed is in the page cache. So the file of a dead process names
//! exactly what it was running. A file that cannot be written costs a warning and nothing else.

mod folder;
mod form;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use argosy_store::{LeftRecord, LeftRunning, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{health::Health, telemetry};

/// The store is told again after so long what was left behind.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// At most one worker of a process runs a suspect: shared by all of them.
#[derive(Clone, Debug)]
pub struct AloneTurn(Arc<Semaphore>);

impl Default for AloneTurn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl AloneTurn {
    /// The turn, until it is dropped; `None` while another worker has it.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// The slots of one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(Option<Arc<Table>>);

#[derive(Debug)]
struct Table {
    file: File,
    /// Locked for a moment by whoever begins or ends a run: handlers run on several threads.
    free: Mutex<Vec<usize>>,
    warned: AtomicBool,
}

/// An occupied slot: free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Option<(Arc<Table>, usize)>);

impl Slots {
    /// Nothing is kept.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Begins with empty slots in a file that is ours.
    fn begin(file: File, instance: Uuid, slots: usize) -> io::Result<Self> {
        let mut bytes = form::header(instance).to_vec();
        bytes.resize(form::HEADER_BYTES + slots * form::SLOT_BYTES, 0);
        file.set_len(0)?;
        // Written, not only reserved: a full disk shows now, and not while a record runs.
        file.write_all_at(&bytes, 0)?;
        Ok(Self(Some(Arc::new(Table {
            file,
            free: Mutex::new((0..slots).rev().collect()),
            warned: AtomicBool::new(false),
        }))))
    }

    /// A record begins to run. Without a free slot, or a name that fits, nothing is kept.
    pub(crate) fn occupy(&self, record: &LeftRecord) -> Slot {
        let (Some(table), Some(bytes)) = (&self.0, form::slot(record)) else {
            return Slot(None);
        };
        let free = table.free().pop();
        let Some(index) = free else {
            return Slot(None);
        };
        table.write(index, &bytes);
        Slot(Some((Arc::clone(table), index)))
    }
}

impl Table {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, index: usize, bytes: &[u8]) {
        let at = form::HEADER_BYTES + index * form::SLOT_BYTES;
        let written = self.file.write_all_at(bytes, at as u64);
        if let Err(error) = written
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            telemetry::slots_unusable(&error);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((table, index)) = self.0.take() {
            table.write(index, &form::EMPTY);
            table.free().push(index);
        }
    }
}

/// What an instance needs to know to prepare its slots.
pub(crate) struct Preparation<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) worker: &'a str,
    pub(crate) instance: Uuid,
    pub(crate) slots: usize,
    pub(crate) store: &'a dyn Store,
    pub(crate) health: &'a Health,
    pub(crate) stop: &'a CancellationToken,
}

/// Tells the store what dead instances left behind in the folder, and begins anew. `None` if it was stopped meanwhile:
/// what was not told stays for the next start.
pub(crate) async fn prepare(preparation: Preparation<'_>) -> Option<Slots> {
    let found = match folder::open(preparation.folder, preparation.worker) {
        Ok(found) => found,
        Err(error) => {
            telemetry::slots_unusable(&error);
            return Some(Slots::none());
        }
    };
    for (file, left) in found.dead {
        tell(&preparation, left).await?;
        // Told again it would count no more than once; but then it need not be read again.
        if let Err(error) = file.set_len(0) {
            telemetry::slots_unusable(&error);
        }
    }
    if let Some(left) = found.own_left {
        tell(&preparation, left).await?;
    }
    match Slots::begin(found.own, preparation.instance, preparation.slots) {
        Ok(slots) => Some(slots),
        Err(error) => {
            telemetry::slots_unusable(&error);
            Some(Slots::none())
        }
    }
}

async fn tell(preparation: &Preparation<'_>, left: LeftRunning) -> Option<()> {
    telemetry::left_running(&left);
    loop {
        let told = preparation.store.suspect(left.clone());
        let error = match preparation.stop.run_until_cancelled(told).await? {
            Ok(()) => return Some(()),
            Err(error) => error,
        };
        telemetry::left_not_told(&error);
        // Waiting for the store is no standstill of this process.
        preparation.health.turned(0, None);
        let pause = tokio::time::sleep(TELL_AGAIN);
        preparation.stop.run_until_cancelled(pause).await?;
    }
}
