//! The adapter's clients in this process, counted from outside the port: by their threads.
//!
//! A member that is gone must not leave one behind. It would keep its memory and its connections for the life of the
//! process, and one that cannot end may use up a processor.

use std::{fs, time::Duration};

use anyhow::ensure;
use tokio::time::{Instant, sleep};

use super::member::PATIENCE;

/// librdkafka's name for the one such thread that each of its clients has.
const THREAD: &str = "rdk:main";
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How many there are.
pub(super) fn count() -> anyhow::Result<usize> {
    let mut clients = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // One that has just ended has no name any more.
        let name = fs::read_to_string(thread?.path().join("comm")).unwrap_or_default();
        clients += usize::from(name.trim_end() == THREAD);
    }
    Ok(clients)
}

/// Waits until there are no more of them than so many.
pub(super) async fn no_more_than(many: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = count()?;
        if now <= many {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{} clients are left behind after {PATIENCE:?}",
            now - many
        );
        sleep(LOOK_AGAIN).await;
    }
}
