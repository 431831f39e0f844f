//! The fleet under the storm: real processes with a log each, that can be killed, stopped, frozen and started again.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::cpu;

/// How often a process that work depends on is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A process that is started again and again under one name.
#[derive(Debug)]
pub struct Process {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    binary: PathBuf,
    logs: PathBuf,
    starts: usize,
    child: Option<Child>,
    frozen: bool,
}

impl Process {
    /// Not started yet. Each start writes a log of its own, `<name>-<n>.log`.
    pub fn new(
        name: &str,
        binary: &Path,
        logs: &Path,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Self {
        Self {
            name: name.to_string(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: environment
                .iter()
                .map(|(key, value)| ((*key).to_string(), value.clone()))
                .collect(),
            binary: binary.to_path_buf(),
            logs: logs.to_path_buf(),
            starts: 0,
            child: None,
            frozen: false,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, if it was started and not killed.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The log of its last start.
    pub fn log(&self) -> PathBuf {
        self.logs.join(format!("{}-{}.log", self.name, self.starts))
    }

    /// Starts it, unless it runs.
    ///
    /// # Errors
    ///
    /// If the log cannot be made, or the process not be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        self.starts += 1;
        let log = self.log();
        let file =
            File::create(&log).with_context(|| format!("failed to create {}", log.display()))?;
        let child = Command::new(&self.binary)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            // A terminal's Ctrl-C is for the suite alone, which ends what it started in its own way.
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {}", self.binary.display()))?;
        self.child = Some(child);
        self.frozen = false;
        Ok(())
    }

    /// Carries work out that needs it; if it ends by itself, the work is dropped.
    ///
    /// # Errors
    ///
    /// The work's, or how the process ended.
    pub async fn while_up<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let ended = async {
            while self.ended().is_none() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let done = tokio::select! {
            biased;
            done = work => Some(done),
            () = ended => None,
        };
        let why = match done {
            Some(Ok(done)) => return Ok(done),
            Some(Err(error)) => {
                // Its end may be why the work failed, and is seen a little later.
                tokio::time::sleep(LOOK_EVERY).await;
                Some(error)
            }
            None => None,
        };
        let ended = self.ended().map(|status| {
            let log = self.log();
            let (name, log) = (&self.name, log.display());
            format!("`{name}` ended by itself: {status}; see {log}")
        });
        match (why, ended) {
            (Some(error), Some(ended)) => Err(error.context(ended)),
            (Some(error), None) => Err(error),
            (None, ended) => Err(anyhow::anyhow!(ended.unwrap_or_default())),
        }
    }

    /// Does it run (frozen or not)?
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Is it frozen?
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten())
    }

    /// kill -9, and waits for its end.
    pub fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself; then there is nobody to kill.
            drop(child.kill());
            drop(child.wait());
        }
        self.child = None;
        self.frozen = false;
    }

    /// SIGTERM; does not wait.
    pub fn terminate(&mut self) {
        self.signal("TERM");
    }

    /// SIGSTOP.
    pub fn freeze(&mut self) {
        self.signal("STOP");
        self.frozen = true;
    }

    /// SIGCONT.
    pub fn thaw(&mut self) {
        self.signal("CONT");
        self.frozen = false;
    }

    /// Waits for its end after `terminate`.
    ///
    /// # Errors
    ///
    /// If it does not end in time.
    pub fn await_end(&mut self, at_most: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + at_most;
        while self.is_running() {
            anyhow::ensure!(
                Instant::now() < deadline,
                "{} did not end within {at_most:?} of SIGTERM",
                self.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child = None;
        Ok(())
    }

    /// CPU seconds (user and system) that it has used so far.
    pub fn cpu_seconds(&self) -> Option<f64> {
        cpu::seconds(self.child.as_ref()?.id())
    }

    fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            // A process that is gone already needs no signal.
            drop(
                Command::new("kill")
                    .arg(format!("-{name}"))
                    .arg(child.id().to_string())
                    .status(),
            );
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::BoxFuture};

    use super::*;

    #[tokio::test]
    async fn work_is_dropped_with_an_error_when_the_process_that_it_needs_is_killed() {
        let logs = tempfile::tempdir().unwrap();
        let mut process = Process::new("up", Path::new("sleep"), logs.path(), &["60"], &[]);
        process.start().unwrap();
        assert_eq!(process.while_up(async { Ok(7) }).await.unwrap(), 7);
        process.signal("KILL");
        let works: [BoxFuture<'_, anyhow::Result<()>>; 2] = [
            std::future::pending().boxed(),
            async { Err(anyhow::anyhow!("connection refused")) }.boxed(),
        ];
        for work in works {
            let ended = tokio::time::timeout(Duration::from_secs(10), process.while_up(work))
                .await
                .unwrap();
            let error = ended.unwrap_err().to_string();
            assert!(
                error.contains("`up` ended by itself: signal: 9") && error.contains("up-1.log"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn work_that_fails_beside_a_living_process_tells_its_own_error() {
        let logs = tempfile::tempdir().unwrap();
        let mut process = Process::new("up", Path::new("sleep"), logs.path(), &["60"], &[]);
        process.start().unwrap();
        let work = async { anyhow::Result::<()>::Err(anyhow::anyhow!("no order")) };
        let error = process.while_up(work).await.unwrap_err();
        assert_eq!(error.to_string(), "no order");
    }
}
