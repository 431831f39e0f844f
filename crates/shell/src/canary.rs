//! The canary: a task among the handlers that turns every second. When it does not, handlers block their threads.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::probes::Health;

const TURN_EVERY: Duration = Duration::from_secs(1);
const NAME: &str = "canary";

/// Turns until `stop`.
pub async fn turn(health: Health, stop: CancellationToken) {
    loop {
        health.heartbeat(NAME);
        let slept = stop
            .run_until_cancelled(tokio::time::sleep(TURN_EVERY))
            .await;
        if slept.is_none() {
            health.retire(NAME);
            return;
        }
    }
}
