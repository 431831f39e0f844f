//! The vendors' own word: receipts as the sandbox wrote them, read as they come.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// One accepted call.
#[derive(Clone, Debug, Deserialize)]
pub struct Receipt {
    /// When the call arrived, ns since 1970.
    pub received_at: u64,
    /// When it was answered, or would have been, ns since 1970.
    pub answered_at: u64,
    /// The supplier.
    pub vendor: String,
    /// `draft` or `confirm`.
    pub operation: String,
    /// As sent.
    pub idempotency_key: Option<String>,
    /// Our reference.
    pub our_reference: Option<String>,
    /// The order.
    pub aggregate_key: String,
    /// The order's version.
    pub sequence: i64,
    /// `applied` or `repeat`.
    pub effect: String,
}

/// Reads a receipts file from where it stopped last; a line that is still being written is left for later.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    read: u64,
}

impl Tail {
    /// From the file's beginning. The file may not exist yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            read: 0,
        }
    }

    /// What was added since.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a whole line is not a receipt.
    pub fn more(&mut self) -> anyhow::Result<Vec<Receipt>> {
        let mut receipts = Vec::new();
        let Ok(mut file) = File::open(&self.path) else {
            return Ok(receipts);
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut lines = BufReader::new(file);
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 && line.ends_with('\n') {
            self.read += line.len() as u64;
            receipts.push(serde_json::from_str(&line)?);
            line.clear();
        }
        Ok(receipts)
    }
}
