//! What a trial worker did, as it says so itself: a file of JSON lines per process.
//!
//! Invariant: a line is handed to the operating system whole, before what follows it happens; a killed process has
//! written all that it did.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::storm::load::wall_ns;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The store granted a claim of this event, and the answer has not been passed on yet.
    Claimed,
    /// A run began.
    Began,
    /// A run is about to end well.
    Done,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What.
    pub seen: Seen,
    /// Of which event.
    pub event: String,
    /// By which worker.
    pub group: String,
    /// By which process.
    pub process: u32,
    /// When, ns since 1970.
    pub at: u64,
}

/// Where a process writes.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    file: Arc<File>,
    group: Arc<str>,
}

impl Notes {
    pub(super) fn open(folder: &Path, group: &str) -> anyhow::Result<Self> {
        let path = folder.join(format!("{group}-{}.jsonl", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self {
            file: Arc::new(file.with_context(|| format!("failed to open {}", path.display()))?),
            group: group.into(),
        })
    }

    pub(super) fn write(&self, seen: Seen, event: &str) {
        let note = Note {
            seen,
            event: event.to_owned(),
            group: self.group.to_string(),
            process: std::process::id(),
            at: wall_ns(),
        };
        let mut line = serde_json::to_vec(&note).expect("a note is plain text and numbers");
        line.push(b'\n');
        let written = (&*self.file).write_all(&line);
        written.expect("the suite's own folder takes its notes");
    }
}

/// All notes of a folder; a torn last line is left out.
///
/// # Errors
///
/// If the folder or a file cannot be read.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<Note>> {
    let mut notes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let text = fs::read_to_string(entry?.path())?;
        notes.extend(
            text.lines()
                .filter_map(|line| serde_json::from_str(line).ok()),
        );
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_back_and_a_torn_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::open(folder.path(), "group").unwrap();
        notes.write(Seen::Began, "e-1");
        notes.write(Seen::Claimed, "e-1");
        (&*notes.file).write_all(b"{\"seen\":\"do").unwrap();
        let read = read_all(folder.path()).unwrap();
        let told: Vec<_> = read
            .iter()
            .map(|note| (note.seen, &*note.event, &*note.group))
            .collect();
        assert_eq!(
            told,
            [
                (Seen::Began, "e-1", "group"),
                (Seen::Claimed, "e-1", "group")
            ]
        );
        assert!(read[0].at <= read[1].at && read[0].process == std::process::id());
    }
}
