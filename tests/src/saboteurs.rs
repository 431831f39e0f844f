//! Saboteurs: small patches that break a promise on purpose. A suite counts only if it turns red for each of them.
//!
//! A patch file begins with `Promise:`, `Breaks:` and `Suite:` lines; the suite is a command, run in a copy of the
//! tree (committed and uncommitted files alike), so that the tree itself is never touched.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::suite::{Verdict, progress, without_package};

/// One patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saboteur {
    /// The file's name without `.patch`.
    pub name: String,
    /// Which promise it breaks, such as `P1`.
    pub promise: String,
    /// What it does, in a sentence.
    pub breaks: String,
    /// The command that must turn red.
    pub suite: String,
    /// The file.
    pub patch: PathBuf,
}

/// How a saboteur ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Only listed.
    Listed,
    /// Its suite turned red.
    Caught,
    /// Its suite stayed green: it checks nothing.
    Missed,
    /// It does not apply to the tree any longer.
    DoesNotApply,
    /// It applies, but what it makes does not build: no proof of anything.
    DoesNotBuild,
    /// Its suite is red without it.
    RedWithout,
}

/// What the whole run came to.
#[derive(Debug)]
pub struct Summary {
    ends: Vec<(Saboteur, End, u64)>,
}

impl Summary {
    /// Was every saboteur caught (or only listed)?
    pub fn all_caught(&self) -> bool {
        self.ends
            .iter()
            .all(|(_, end, _)| matches!(end, End::Caught | End::Listed))
    }
}

impl Verdict for Summary {
    fn to_json(&self) -> Value {
        let each = self.ends.iter().map(|(saboteur, end, seconds)| {
            let Saboteur { name, promise, suite, .. } = saboteur;
            json!({ "name": name, "promise": promise, "suite": suite, "end": format!("{end:?}"), "seconds": seconds })
        });
        json!({ "all_caught": self.all_caught(), "saboteurs": each.collect::<Vec<_>>() })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.all_caught())
    }
}

/// All patches, by name.
///
/// # Errors
///
/// If a patch cannot be read, or lacks a line of its header.
pub fn all() -> anyhow::Result<Vec<Saboteur>> {
    let folder = root().join("tests/saboteurs");
    let mut saboteurs = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))?
    {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            saboteurs.push(parse(&path, &fs::read_to_string(&path)?)?);
        }
    }
    saboteurs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(saboteurs)
}

fn parse(path: &Path, text: &str) -> anyhow::Result<Saboteur> {
    let line = |word: &str| {
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(word))
            .map(|rest| rest.trim().to_string());
        found
            .filter(|rest| !rest.is_empty())
            .with_context(|| format!("{} has no `{word}` line", path.display()))
    };
    Ok(Saboteur {
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        promise: line("Promise:")?,
        breaks: line("Breaks:")?,
        suite: line("Suite:")?,
        patch: path.to_path_buf(),
    })
}

/// Lists them on stderr.
///
/// # Errors
///
/// As for [`all`].
pub fn list() -> anyhow::Result<Summary> {
    let ends: Vec<_> = all()?
        .into_iter()
        .map(|saboteur| (saboteur, End::Listed, 0))
        .collect();
    for (
        Saboteur {
            name,
            promise,
            breaks,
            suite,
            ..
        },
        ..,
    ) in &ends
    {
        progress(&format!("{promise}  {name}: {breaks}\n      {suite}"));
    }
    Ok(Summary { ends })
}

/// Runs these (or all): first every named suite without a patch, then each patch with its suite.
///
/// # Errors
///
/// If a name is unknown, or the copy cannot be made.
pub fn run(names: &[String], folder: &Path) -> anyhow::Result<Summary> {
    let mut chosen = all()?;
    if let Some(unknown) = names
        .iter()
        .find(|name| chosen.iter().all(|saboteur| saboteur.name != **name))
    {
        anyhow::bail!("no saboteur is called `{unknown}`; see `cargo saboteurs --list`");
    }
    chosen.retain(|saboteur| names.is_empty() || names.contains(&saboteur.name));
    let suites: BTreeSet<&str> = chosen.iter().map(|saboteur| &*saboteur.suite).collect();
    let copy = Copy::make(folder, &suites)?;
    let mut red = BTreeSet::new();
    for suite in suites {
        progress(&format!("saboteurs: without any: {suite}"));
        if !copy.green(suite)? {
            red.insert(suite.to_string());
        }
    }
    let mut ends = Vec::new();
    for saboteur in chosen {
        let begun = Instant::now();
        progress(&format!(
            "saboteurs: {} ({}): {}",
            saboteur.name, saboteur.promise, saboteur.breaks
        ));
        let end = if red.contains(&saboteur.suite) {
            End::RedWithout
        } else {
            copy.try_out(&saboteur)?
        };
        progress(&format!("saboteurs: {}: {end:?}", saboteur.name));
        ends.push((saboteur, end, begun.elapsed().as_secs()));
    }
    Ok(Summary { ends })
}

/// A copy of the tree with a target folder of its own, seeded with what is built already.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make(folder: &Path, suites: &BTreeSet<&str>) -> anyhow::Result<Self> {
        let folder = root().join(folder);
        let copy = Self {
            tree: folder.join("tree"),
            target: folder.join("target"),
        };
        fs::create_dir_all(&copy.tree)?;
        copy.refresh()?;
        let is_test = |suite: &&str| suite.starts_with("cargo test");
        if suites.iter().any(is_test) {
            copy.seed("debug")?;
        }
        if !suites.iter().all(is_test) {
            copy.seed("release")?;
        }
        Ok(copy)
    }

    /// Dependencies that are built already need not be built again; what is the workspace's own has another path here.
    fn seed(&self, profile: &str) -> anyhow::Result<()> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root().join("target"), PathBuf::from);
        let (from, to) = (target.join(profile), self.target.join(profile));
        if to.exists() || !from.exists() {
            return Ok(());
        }
        progress(&format!(
            "saboteurs: copying what is built already ({profile})"
        ));
        fs::create_dir_all(&to)?;
        let copied = Command::new("cp")
            .arg("-a")
            .args(["deps", "build", ".fingerprint"].map(|part| from.join(part)))
            .arg(&to)
            .stderr(Stdio::null())
            .status()?;
        if !copied.success() {
            // A build beside it took a file away: what is missing is built.
            progress(&format!(
                "saboteurs: not all of {} could be copied",
                from.display()
            ));
        }
        Ok(())
    }

    /// The tree as it is in the working folder; files that did not change keep their time, so nothing rebuilds.
    fn refresh(&self) -> anyhow::Result<()> {
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root())
            .output()?;
        anyhow::ensure!(listed.status.success(), "git ls-files failed");
        let listed = String::from_utf8(listed.stdout)?;
        for name in listed.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (root().join(name), self.tree.join(name));
            let Ok(wanted) = fs::read(&from) else {
                continue;
            };
            if fs::read(&to).is_ok_and(|found| found == wanted) {
                continue;
            }
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&to, wanted)?;
            fs::set_permissions(&to, fs::metadata(&from)?.permissions())?;
        }
        Ok(())
    }

    fn try_out(&self, saboteur: &Saboteur) -> anyhow::Result<End> {
        let applied = Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .arg(&saboteur.patch)
            .current_dir(&self.tree)
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.tree.parent().unwrap_or(&self.tree),
            )
            .status()?;
        let end = if applied.success() {
            self.judge(&saboteur.suite)?
        } else {
            End::DoesNotApply
        };
        self.refresh()?;
        Ok(end)
    }

    fn judge(&self, suite: &str) -> anyhow::Result<End> {
        if !self.builds(suite)? {
            return Ok(End::DoesNotBuild);
        }
        Ok(if self.green(suite)? {
            End::Missed
        } else {
            End::Caught
        })
    }

    /// A patch must break a promise, not the build: what the suite runs is built first, and by itself.
    fn builds(&self, suite: &str) -> anyhow::Result<bool> {
        let words: Vec<&str> = suite.split_whitespace().collect();
        let mut build = Command::new("cargo");
        match words.as_slice() {
            ["cargo", "test", rest @ ..] => build.arg("test").args(rest).arg("--no-run"),
            ["cargo", bin, ..] => build
                .args(["build", "--release", "-p", "argosy-tests", "--bin"])
                .arg(bin.replace('-', "_")),
            _ => anyhow::bail!("`{suite}` is no cargo command"),
        };
        Ok(self.in_copy(build.arg("--quiet")).status()?.success())
    }

    fn green(&self, suite: &str) -> anyhow::Result<bool> {
        let mut command = Command::new("bash");
        command.args(["-c", suite]);
        Ok(self.in_copy(&mut command).status()?.success())
    }

    fn in_copy<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        without_package(command)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // Each patch rebuilds most of the workspace; only what it changes is worth compiling.
            .env("CARGO_INCREMENTAL", "1")
            .env_remove("RUSTFLAGS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_names_promise_break_and_suite() {
        let saboteurs = all().unwrap();
        assert!(saboteurs.len() >= 8, "{} saboteurs", saboteurs.len());
        for saboteur in saboteurs {
            assert!(
                saboteur.promise.starts_with('P') && saboteur.suite.starts_with("cargo "),
                "{saboteur:?}"
            );
        }
    }

    #[test]
    fn a_patch_without_suite_is_refused() {
        assert!(parse(Path::new("x.patch"), "Promise: P1\nBreaks: all\n").is_err());
    }
}
