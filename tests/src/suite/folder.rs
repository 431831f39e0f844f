//! Where a suite's data and logs go.
//!
//! Invariant: what is removed at a good end is what the suite made: the folder was not there before, or was empty, and
//! then it stays.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// A folder that was empty when the suite began.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    was_there: bool,
}

impl Folder {
    /// The folder that was asked for, or a new one among the temporary files.
    ///
    /// # Errors
    ///
    /// If it holds anything, is no folder, or cannot be made.
    pub fn prepare(asked: Option<PathBuf>, name: &str) -> anyhow::Result<Self> {
        let path = asked.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("argosy-{name}-{}", std::process::id()))
        });
        let was_there = path.exists();
        if was_there {
            let mut held = fs::read_dir(&path)
                .with_context(|| format!("failed to read {}", path.display()))?;
            anyhow::ensure!(
                held.next().is_none(),
                "folder {} is not empty: name a new or an empty one",
                path.display()
            );
        } else {
            fs::create_dir_all(&path)
                .with_context(|| format!("failed to make folder {}", path.display()))?;
        }
        // Absolute, since it is written into configuration files and told to people.
        let path = fs::canonicalize(&path)
            .with_context(|| format!("failed to resolve {}", path.display()))?;
        Ok(Self { path, was_there })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what was made: the folder, or what is in one that was there before.
    ///
    /// # Errors
    ///
    /// If something of it cannot be removed.
    pub fn remove(&self) -> anyhow::Result<()> {
        if !self.was_there {
            return fs::remove_dir_all(&self.path)
                .with_context(|| format!("failed to remove {}", self.path.display()));
        }
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let made = entry.path();
            let removed = if entry.file_type()?.is_dir() {
                fs::remove_dir_all(&made)
            } else {
                fs::remove_file(&made)
            };
            removed.with_context(|| format!("failed to remove {}", made.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path) {
        fs::create_dir_all(folder.join("logs")).unwrap();
        fs::write(folder.join("logs/up-1.log"), "x").unwrap();
        fs::write(folder.join("argosy.toml"), "x").unwrap();
    }

    #[test]
    fn a_folder_that_holds_anything_is_refused_and_stays_as_it_is() {
        let held = tempfile::tempdir().unwrap();
        fs::write(held.path().join("thesis.tex"), "x").unwrap();
        let refused = Folder::prepare(Some(held.path().to_path_buf()), "x").unwrap_err();
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        assert!(held.path().join("thesis.tex").exists());
        assert!(Folder::prepare(Some(held.path().join("thesis.tex")), "x").is_err());
    }

    #[test]
    fn a_folder_that_was_made_is_removed_and_its_parents_stay() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(Some(parent.path().join("a/b")), "x").unwrap();
        write(folder.path());
        folder.remove().unwrap();
        assert!(parent.path().join("a").exists() && !parent.path().join("a/b").exists());
    }

    #[test]
    fn an_empty_folder_that_was_there_is_emptied_and_stays() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(Some(there.path().to_path_buf()), "x").unwrap();
        write(folder.path());
        folder.remove().unwrap();
        assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_a_wish_it_is_a_new_one_among_the_temporary_files() {
        let folder = Folder::prepare(None, "folder-test").unwrap();
        assert!(
            folder
                .path()
                .to_string_lossy()
                .contains("argosy-folder-test-")
        );
        folder.remove().unwrap();
        assert!(!folder.path().exists());
    }
}
