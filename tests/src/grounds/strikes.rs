//! What a suite does to the grounds while they serve.
//!
//! Invariant: what was taken down is up again when a call returns, but for what is only killed by name; the sandbox, whose
//! word is judged, is never struck.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::Grounds;
use crate::{
    servers::Server as _,
    storm::{arena::await_ready, fleet::Process},
};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The part that no strike meets.
const SANDBOX: &str = "sandbox";

impl Grounds {
    /// kill -9 of PostgreSQL, which is started again after so long. Blocks until it serves.
    ///
    /// # Errors
    ///
    /// If it does not come back.
    pub fn bounce_store(&self, down: Duration) -> anyhow::Result<()> {
        self.postgres.bounce(true, down)
    }

    /// kill -9 of PostgreSQL; nobody starts it again before [`start_store`](Self::start_store).
    ///
    /// # Errors
    ///
    /// If the script fails.
    pub fn kill_store(&self) -> anyhow::Result<()> {
        self.postgres.kill()
    }

    /// Starts PostgreSQL again. Blocks until it serves.
    ///
    /// # Errors
    ///
    /// If it does not come back.
    pub fn start_store(&self) -> anyhow::Result<()> {
        self.postgres.restart()
    }

    /// kill -9 of Kafka, whatever is left of it, and a start. Blocks until it serves.
    ///
    /// # Errors
    ///
    /// If it does not come back.
    pub fn restart_broker(&self) -> anyhow::Result<()> {
        self.kafka.bounce(true, Duration::ZERO)
    }

    /// kill -9 of both servers, for good.
    ///
    /// # Errors
    ///
    /// If a script fails.
    pub fn kill_servers(&self) -> anyhow::Result<()> {
        self.kafka.kill().and(self.postgres.kill())
    }

    /// The gateway's address.
    pub fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.addresses.gateway)
    }

    /// A port that nothing of the grounds uses.
    pub fn free_port(&self, number: u16) -> u16 {
        self.addresses.sandbox + 1 + number
    }

    /// Gateway and chronicle are killed, Kafka stopped and PostgreSQL killed; then all are started again. Blocks until
    /// the servers serve; says how long it took.
    ///
    /// # Errors
    ///
    /// If something does not come back.
    pub fn bounce_all(&self, down: Duration) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let struck = || |part: &&mut Process| part.name() != SANDBOX;
        parts.iter_mut().filter(struck()).for_each(Process::kill);
        std::thread::scope(|scope| {
            let broker = scope.spawn(|| self.kafka.bounce(false, down));
            let store = self.postgres.bounce(true, down);
            let broker = broker
                .join()
                .map_err(|_| anyhow::anyhow!("the broker's thread panicked"))?;
            store.and(broker)
        })?;
        for part in parts.iter_mut().filter(struck()) {
            part.start()?;
        }
        Ok(began.elapsed())
    }

    /// Waits until the gateway answers.
    ///
    /// # Errors
    ///
    /// If it does not in time.
    pub async fn await_gateway(&self) -> anyhow::Result<()> {
        let url = format!("http://127.0.0.1:{}/readyz", self.addresses.gateway);
        await_ready(&[url], READY_WITHIN).await
    }
}
