//! Being told to end: SIGINT (Ctrl-C) and SIGTERM mean the same.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, heard from the moment of `listen`: one that comes while nobody waits is not lost.
#[derive(Debug)]
pub struct Interrupt {
    int: Signal,
    term: Signal,
}

impl Interrupt {
    /// From now on the signals end the process no more; they are told here.
    ///
    /// # Errors
    ///
    /// If the signals cannot be heard, or there is no runtime.
    pub fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for either of them, and says which came.
    pub async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.int.recv() => "SIGINT",
            _ = self.term.recv() => "SIGTERM",
        }
    }

    /// Carries the work out unless a signal comes first; then the work is dropped, with all that it started.
    ///
    /// # Errors
    ///
    /// The work's, or that it was interrupted.
    pub async fn unless<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            signal = self.told() => Err(anyhow::anyhow!(
                "ended by {signal}: what it started is stopped, data and logs stay in its folder"
            )),
            done = work => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use super::*;

    /// Says that it was dropped.
    struct Server<'a>(&'a AtomicBool);

    impl Drop for Server<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn raise(name: &str) {
        let killed = std::process::Command::new("kill")
            .arg(format!("-{name}"))
            .arg(std::process::id().to_string())
            .status();
        assert!(killed.unwrap().success());
    }

    /// One test, since a signal is told to every listener of the process.
    #[tokio::test]
    async fn either_signal_drops_the_work_once_and_one_that_came_before_the_wait_counts() {
        for name in ["INT", "TERM"] {
            let dropped = AtomicBool::new(false);
            let mut interrupt = Interrupt::listen().unwrap();
            raise(name);
            let server = Server(&dropped);
            let work = async move {
                let _server = server;
                pending::<anyhow::Result<()>>().await
            };
            let ended = tokio::time::timeout(Duration::from_secs(10), interrupt.unless(work))
                .await
                .unwrap();
            assert!(ended.unwrap_err().to_string().contains(name));
            assert!(dropped.load(Ordering::Relaxed));
            assert_eq!(interrupt.unless(async { Ok(7) }).await.unwrap(), 7);
        }
    }
}
