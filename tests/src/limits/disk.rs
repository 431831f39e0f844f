//! A small disk, which can be filled to its last byte: a tmpfs, and a file that fills it.
//!
//! Invariant: it is unmounted when it goes out of scope, whoever still has a file open on it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

/// The name of the file that fills it.
const BALLAST: &str = "ballast";

const CHUNK: usize = 64 * 1_024;

/// See the module page.
#[derive(Debug)]
pub(super) struct Disk {
    at: PathBuf,
}

impl Disk {
    pub(super) fn mount(at: &Path, mebibytes: u32) -> anyhow::Result<Self> {
        fs::create_dir_all(at)?;
        let size = format!("size={mebibytes}m,mode=755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "argosy-limits"])
            .arg(at)
            .status()
            .context("mount")?;
        anyhow::ensure!(
            mounted.success(),
            "failed to mount a small disk at {}: that needs root",
            at.display()
        );
        Ok(Self {
            at: at.to_path_buf(),
        })
    }

    /// Leaves no byte free.
    pub(super) fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.at.join(BALLAST))?;
        let chunk = [0_u8; CHUNK];
        for size in [CHUNK, 4_096, 1] {
            loop {
                match ballast.write_all(&chunk[..size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Makes room again.
    pub(super) fn empty(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.at.join(BALLAST)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that does not end keeps nobody from removing the folder.
        drop(Command::new("umount").arg("--lazy").arg(&self.at).status());
    }
}
