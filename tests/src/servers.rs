//! Real servers, started by the repository's own scripts (tests/servers): Apache Kafka and PostgreSQL with fsync.
//!
//! All calls block until the script ends. A server that goes out of scope is killed; its folder stays.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;

/// What can be struck while it serves.
pub trait Server {
    /// kill -9.
    ///
    /// # Errors
    ///
    /// If the script fails.
    fn kill(&self) -> anyhow::Result<()>;

    /// SIGTERM, or the server's own way to stop, and waits for its end.
    ///
    /// # Errors
    ///
    /// If the script fails.
    fn stop(&self) -> anyhow::Result<()>;

    /// Starts it again after `stop` or `kill`.
    ///
    /// # Errors
    ///
    /// If the script fails; it says why on stderr.
    fn restart(&self) -> anyhow::Result<()>;

    /// Stops it, the hard way or not, and starts it again when it was down for so long.
    ///
    /// # Errors
    ///
    /// If one of the scripts fails.
    fn bounce(&self, hard: bool, down: Duration) -> anyhow::Result<()> {
        if hard {
            self.kill()?;
        } else {
            self.stop()?;
        }
        std::thread::sleep(down);
        self.restart()
    }
}

/// One Kafka broker.
#[derive(Debug)]
pub struct Kafka {
    folder: PathBuf,
    port: u16,
}

/// One PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    url: String,
    counts_statements: bool,
}

impl Kafka {
    /// Starts a broker with its data in this folder, new or kept.
    ///
    /// # Errors
    ///
    /// If the script fails; it says why on stderr.
    pub fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let kafka = Self {
            folder: folder.to_path_buf(),
            port,
        };
        kafka.restart()?;
        Ok(kafka)
    }

    /// Its address.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The sum of the group's lags, as Kafka's own tool prints it; a partition without commit counts as a whole.
    ///
    /// # Errors
    ///
    /// If the tool fails, or prints what cannot be read.
    pub fn consumer_group_lag(&self, group: &str) -> anyhow::Result<i64> {
        let bootstrap = self.bootstrap();
        let tool = [
            "consumer-groups",
            "--bootstrap-server",
            &bootstrap,
            "--describe",
            "--group",
            group,
        ];
        let output = Command::new(scripts().join("kafka-cli"))
            .args(tool)
            .stdin(Stdio::null())
            .output()
            .context("failed to start kafka-cli")?;
        let text = String::from_utf8_lossy(&output.stdout);
        anyhow::ensure!(
            output.status.success(),
            "kafka-consumer-groups: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        lag_in(&text).with_context(|| format!("kafka-consumer-groups printed:\n{text}"))
    }
}

/// Sums the LAG column; `-` stands where nothing was ever committed, and then all of LOG-END-OFFSET is owed.
fn lag_in(text: &str) -> anyhow::Result<i64> {
    let mut rows = text.lines().filter(|line| !line.trim().is_empty());
    let header = rows
        .by_ref()
        .find(|line| line.contains("LOG-END-OFFSET"))
        .context("no header")?;
    let column = |name: &str| {
        header
            .split_whitespace()
            .position(|found| found == name)
            .context("no such column")
    };
    let (end, lag) = (column("LOG-END-OFFSET")?, column("LAG")?);
    let mut sum = 0;
    for row in rows {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let cell = |at: usize| cells.get(at).copied().context("a row ends early");
        let owed = if cell(lag)? == "-" {
            cell(end)?
        } else {
            cell(lag)?
        };
        sum += if owed == "-" { 0 } else { owed.parse::<i64>()? };
    }
    Ok(sum)
}

impl Server for Kafka {
    fn kill(&self) -> anyhow::Result<()> {
        script("kafka-stop", &self.folder, &["--kill"], &[]).map(drop)
    }

    fn stop(&self) -> anyhow::Result<()> {
        script("kafka-stop", &self.folder, &[], &[]).map(drop)
    }

    fn restart(&self) -> anyhow::Result<()> {
        script("kafka-start", &self.folder, &[&self.port.to_string()], &[]).map(drop)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // Where the folder is gone, so is the server. Otherwise the last word is the script's, on stderr.
        if self.folder.exists() {
            drop(self.kill());
        }
    }
}

impl Postgres {
    /// Starts a server with fsync on and its data in this folder, new or kept.
    ///
    /// # Errors
    ///
    /// If the script fails; it says why on stderr.
    pub fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        Self::started(folder, port, false)
    }

    /// The same, with a server that counts statements once the extension `pg_stat_statements` is created.
    ///
    /// # Errors
    ///
    /// If the script fails; it says why on stderr.
    pub fn start_counting(folder: &Path, port: u16) -> anyhow::Result<Self> {
        Self::started(folder, port, true)
    }

    fn started(folder: &Path, port: u16, counts_statements: bool) -> anyhow::Result<Self> {
        let mut postgres = Self {
            folder: folder.to_path_buf(),
            port,
            url: String::new(),
            counts_statements,
        };
        postgres.url = postgres.begin()?;
        Ok(postgres)
    }

    /// Its address, with the database.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    fn begin(&self) -> anyhow::Result<String> {
        let environment = [("PG_DURABLE", "1"), ("PG_STATEMENTS", "1")];
        let used = 1 + usize::from(self.counts_statements);
        let port = self.port.to_string();
        script(
            "postgres-start",
            &self.folder,
            &[&port],
            &environment[..used],
        )
    }
}

impl Server for Postgres {
    fn kill(&self) -> anyhow::Result<()> {
        script("postgres-stop", &self.folder, &["--kill"], &[]).map(drop)
    }

    fn stop(&self) -> anyhow::Result<()> {
        script("postgres-stop", &self.folder, &[], &[]).map(drop)
    }

    fn restart(&self) -> anyhow::Result<()> {
        self.begin().map(drop)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Where the folder is gone, so is the server. Otherwise the last word is the script's, on stderr.
        if self.folder.exists() {
            drop(self.kill());
        }
    }
}

/// Runs a script on a folder; answers the last line that it printed.
fn script(
    name: &str,
    folder: &Path,
    more: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<String> {
    let output = Command::new(scripts().join(name))
        .arg(folder)
        .args(more)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("failed to start {name}"))?;
    anyhow::ensure!(output.status.success(), "{name} failed, see above");
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().last().unwrap_or_default().trim().to_string())
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("servers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_are_summed_and_what_was_never_committed_is_owed_whole() {
        let text = "\nGROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\n\
                    orders t 0 5 7 2 - - -\norders t 1 - 4 - - - -\norders t 2 9 9 0 - - -\n";
        assert_eq!(lag_in(text).unwrap(), 6);
        assert!(lag_in("no such group").is_err());
    }
}
