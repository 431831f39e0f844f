//! The receipts file: one writer under an exclusive lock, whole lines only, synced before anything is answered.
//!
//! A torn last line (a crash while writing) was never answered for, so it is cut off when the file is opened.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{Receipt, SandboxError};

/// The longest line that is read back. Texts are bounded by the checks of requests, far below this.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// An open receipts file.
#[derive(Debug)]
pub(crate) struct ReceiptFile {
    file: File,
    path: PathBuf,
    length_bytes: u64,
}

impl ReceiptFile {
    /// Opens or makes the file, hands every receipt in it to `seen` and is then ready to append.
    pub(crate) fn open(path: &Path, seen: impl FnMut(&Receipt)) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Receipts {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(SandboxError::ReceiptsInUse {
                    path: path.to_owned(),
                });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut opened = Self {
            file,
            path: path.to_owned(),
            length_bytes: 0,
        };
        opened.read_back(seen)?;
        Ok(opened)
    }

    /// Appends whole lines and syncs them to disk.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), SandboxError> {
        let written = self
            .file
            .write_all(lines)
            .and_then(|()| self.file.sync_data());
        written.map_err(|source| self.failed(source))?;
        self.length_bytes += lines.len() as u64;
        Ok(())
    }

    /// Bytes of whole, synced lines.
    pub(crate) fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    fn read_back(&mut self, mut seen: impl FnMut(&Receipt)) -> Result<(), SandboxError> {
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        let mut number = 0;
        let mut whole_bytes = 0;
        loop {
            line.clear();
            let read = (&mut reader)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line);
            let bytes = read.map_err(|source| self.failed(source))? as u64;
            if bytes == 0 {
                break;
            }
            number += 1;
            let corrupt = || SandboxError::ReceiptsCorrupt {
                path: self.path.clone(),
                line: number,
            };
            if line.last() != Some(&b'\n') {
                if bytes == LINE_BYTES_MAX {
                    return Err(corrupt());
                }
                tracing::warn!(line = number, bytes, "a torn last receipt was cut off");
                break;
            }
            let receipt: Receipt = serde_json::from_slice(&line).map_err(|_| corrupt())?;
            seen(&receipt);
            whole_bytes += bytes;
        }
        self.length_bytes = whole_bytes;
        let cut = self.file.set_len(whole_bytes);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(whole_bytes)));
        cut.and_then(|_| self.file.sync_all())
            .map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> SandboxError {
        SandboxError::Receipts {
            path: self.path.clone(),
            source,
        }
    }
}

/// Reads receipts for a control call: whole lines of the first `length_bytes`, after the first `after` of them.
pub(crate) fn page(
    path: &Path,
    length_bytes: u64,
    after: u64,
    lines_max: usize,
) -> io::Result<Vec<String>> {
    let reader = BufReader::new(File::open(path)?.take(length_bytes));
    let skip = usize::try_from(after).unwrap_or(usize::MAX);
    reader.lines().skip(skip).take(lines_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, Operation};

    fn receipt(n: i64) -> Receipt {
        Receipt {
            received_at: n,
            applied_at: n,
            answered_at: n,
            vendor: "acme".into(),
            operation: Operation::Draft,
            idempotency_key: None,
            our_reference: format!("r-{n}").into(),
            order_id: format!("acme-{n}").into(),
            aggregate_key: None,
            sequence: None,
            effect: Effect::Applied,
            fingerprint: "00".into(),
        }
    }

    fn line(n: i64) -> Vec<u8> {
        let mut line = serde_json::to_vec(&receipt(n)).unwrap();
        line.push(b'\n');
        line
    }

    fn open(path: &Path) -> (Result<ReceiptFile, SandboxError>, Vec<Receipt>) {
        let mut seen = Vec::new();
        let opened = ReceiptFile::open(path, |receipt| seen.push(receipt.clone()));
        (opened, seen)
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        let mut file = open(&path).0.unwrap();
        file.append(&[line(1), line(2)].concat()).unwrap();
        assert_eq!(page(&path, file.length_bytes(), 1, 10).unwrap().len(), 1);
        drop(file);
        assert_eq!(open(&path).1, [receipt(1), receipt(2)]);
    }

    #[test]
    fn a_line_torn_at_any_byte_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        for cut in 0..line(2).len() {
            std::fs::write(&path, [&line(1)[..], &line(2)[..cut]].concat()).unwrap();
            let (file, seen) = open(&path);
            assert_eq!(seen, [receipt(1)]);
            file.unwrap().append(&line(3)).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), [line(1), line(3)].concat());
        }
    }

    #[test]
    fn a_wrong_line_in_the_middle_is_refused_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        for wrong in [&b"\n"[..], b"{}\n", b"\xff\xff\n", &[b'x'; 70_000]] {
            std::fs::write(&path, [&line(1)[..], wrong, &line(2)].concat()).unwrap();
            let refused = open(&path).0.unwrap_err();
            assert!(matches!(
                refused,
                SandboxError::ReceiptsCorrupt { line: 2, .. }
            ));
        }
    }

    #[test]
    fn a_second_writer_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.jsonl");
        let first = open(&path).0.unwrap();
        let second = open(&path).0.unwrap_err();
        assert!(matches!(second, SandboxError::ReceiptsInUse { .. }));
        drop(first);
    }
}
