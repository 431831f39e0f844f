//! Leaves the group and ends the client, on a thread of its own.
//!
//! Invariant: no client ends while it waits for an answer to a rebalance. It would never end: librdkafka keeps the group
//! until somebody answers. If a fatal error was raised before, as after a membership that was lost (its issue 5541), its
//! main thread even spins meanwhile, because timers that are due no longer run and no longer let it sleep.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{context::Context, queues::Queues};

/// How long one look for what else is to be served waits.
const SERVE_WAIT: Duration = Duration::from_millis(100);

/// Closes the client; tells when it is gone. `None` if there is no thread to be had.
pub(super) fn close(
    native: Option<Arc<BaseConsumer<Context>>>,
    queues: Queues,
) -> Option<mpsc::Receiver<()>> {
    if let Some(native) = &native {
        native.context().close();
    }
    drop(queues);
    let (done, ended) = mpsc::channel();
    let closing = thread::Builder::new()
        .name("kafka-close".into())
        .spawn(move || {
            if let Some(native) = &native {
                leave(native);
            }
            drop(native);
            // Nobody may be waiting any more.
            done.send(()).ok();
        });
    closing.is_ok().then_some(ended)
}

/// Answers what is open, and what librdkafka still asks until it has left the group.
fn leave(native: &BaseConsumer<Context>) {
    // First: answered before it is closing, a member that was thrown out would join again, only to leave.
    if native.close_queue().is_err() {
        // After a fatal error librdkafka neither asks anything more nor closes in order: it is only to be destroyed.
        if native.client().fatal_error().is_some() && !native.closed() {
            answer(native);
        }
        return;
    }
    // Unless it waits for an answer, it may be through already, and then would never return (librdkafka's issue 4884).
    if native.context().is_asked() {
        answer(native);
    }
    while !native.closed() {
        // What it asks is answered by the context.
        drop(native.poll(SERVE_WAIT));
    }
}

/// After a fatal error, and while it closes, librdkafka takes any answer as one to what it asked, and gives all back.
fn answer(native: &BaseConsumer<Context>) {
    if let Err(error) = native.incremental_unassign(&TopicPartitionList::new()) {
        tracing::debug!(%error, "a rebalance was not answered before closing");
    }
}

#[cfg(test)]
mod tests;
