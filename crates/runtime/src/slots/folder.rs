//! The folder in which the instances of one machine keep their slots: `<worker>-<number>.slots`, one locked by each.
//!
//! Invariant: a file is read and emptied only under its lock, so only when the process that wrote it is gone.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read},
    path::Path,
};

use argosy_store::LeftRunning;

use super::form::{self, Content};
use crate::telemetry;

/// Instances of one worker on one machine are at most this many; one more works without slots.
const FILES_MAX: usize = 64;

/// What is in the folder.
pub(super) struct Found {
    /// The file that is ours from now on.
    pub(super) own: File,
    /// What the instance left there that had it before.
    pub(super) own_left: Option<LeftRunning>,
    /// What others left that are gone.
    pub(super) dead: Vec<(File, LeftRunning)>,
}

/// Locks the first file that is free, and reads all others that are.
pub(super) fn open(folder: &Path, worker: &str) -> io::Result<Found> {
    std::fs::create_dir_all(folder)?;
    let mut own = None;
    let mut dead = Vec::new();
    for number in 0..FILES_MAX {
        let path = folder.join(format!("{worker}-{number}.slots"));
        if own.is_some() && !path.exists() {
            continue;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(own.is_none())
            .truncate(false)
            .open(&path);
        let mut file = match file {
            Ok(file) => file,
            // Another start may just have done its part; what it left is read by the next.
            Err(_) if own.is_some() => continue,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let left = left(&mut file, worker, &path)?;
        match (own.is_some(), left) {
            (false, left) => own = Some((file, left)),
            (true, Some(left)) => dead.push((file, left)),
            (true, None) => {}
        }
    }
    let Some((own, own_left)) = own else {
        return Err(io::Error::other(format!(
            "{FILES_MAX} instances of {worker} have their slots in one folder: give this one a worker.state_dir of its own"
        )));
    };
    Ok(Found {
        own,
        own_left,
        dead,
    })
}

fn left(file: &mut File, worker: &str, path: &Path) -> io::Result<Option<LeftRunning>> {
    let mut bytes = Vec::new();
    // One byte more than may be: that it was passed shows then.
    file.take(form::FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(match form::read(worker, &bytes) {
        Content::Empty => None,
        Content::Unreadable => {
            telemetry::slots_unreadable(path, bytes.len());
            None
        }
        Content::Running { left, torn } => {
            if torn > 0 {
                telemetry::slots_torn(path, torn);
            }
            Some(left).filter(|left| !left.records.is_empty())
        }
    })
}
