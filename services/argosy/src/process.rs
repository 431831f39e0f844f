//! A process that stays: telemetry, runtime, signals, the canary, and an end that is always bounded.

use std::{future::Future, pin::Pin, time::Duration};

use argosy_shell::{
    canary,
    config::Config,
    exit::Exit,
    probes::{self, Health},
    signals::Signals,
    telemetry::{self, Metrics},
};
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{failed::Failed, output::say};

/// After everything has ended, blocking threads have so long.
const AFTERWORK_MAX: Duration = Duration::from_secs(2);

/// A part of a process: ends when it is stopped, or fails.
pub(crate) type Part = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

/// What all parts of a process share.
#[derive(Clone)]
pub(crate) struct Process {
    /// Cancelled when the process drains.
    pub(crate) stop: CancellationToken,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    /// Cancelled when all parts have ended: what serves the drain itself goes on until then.
    pub(crate) ended: CancellationToken,
    /// Every background task, awaited at the end.
    pub(crate) tracker: TaskTracker,
}

/// Runs a short command on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(AFTERWORK_MAX);
    result
}

/// Runs a process that stays until a signal, or until one of its parts fails.
pub(crate) fn stay<F>(
    config: &Config,
    name: &str,
    start: impl FnOnce(Process) -> F,
) -> Result<Exit, Failed>
where
    F: Future<Output = Result<Vec<(String, Part)>, Failed>>,
{
    let metrics = telemetry::install(&config.telemetry, name)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(supervise(metrics, start));
    runtime.shutdown_timeout(AFTERWORK_MAX);
    result
}

async fn supervise<F>(metrics: Metrics, start: impl FnOnce(Process) -> F) -> Result<Exit, Failed>
where
    F: Future<Output = Result<Vec<(String, Part)>, Failed>>,
{
    let process = Process {
        stop: CancellationToken::new(),
        ended: CancellationToken::new(),
        health: Health::new(),
        metrics,
        tracker: TaskTracker::new(),
    };
    let signals = Signals::listen()?;
    let Process {
        stop,
        ended,
        health,
        metrics,
        tracker,
    } = process.clone();
    tracker.spawn(canary::turn(health.clone(), ended.clone()));
    tracker.spawn(metrics.upkeep(ended.clone()));
    let drain_mark = stop.clone();
    tracker.spawn(async move {
        drain_mark.cancelled().await;
        health.draining();
    });
    let all = async {
        let parts = tokio::select! {
            parts = start(process) => parts,
            () = stop.cancelled() => Ok(Vec::new()),
        };
        let result = match parts {
            Ok(parts) => run_together(parts, &stop).await,
            Err(failed) => Err(failed),
        };
        stop.cancel();
        ended.cancel();
        tracker.close();
        // Among them are calls that were sent and must record what came of them.
        tracker.wait().await;
        result
    };
    tokio::select! {
        result = all => result,
        exit = signals.supervise(stop.clone()) => {
            say("argosy: cut off before it was drained");
            Ok(exit)
        }
    }
}

/// All parts until all have ended. One that ends before it was asked to takes the others with it.
async fn run_together(
    parts: Vec<(String, Part)>,
    stop: &CancellationToken,
) -> Result<Exit, Failed> {
    let mut running = JoinSet::new();
    for (name, part) in parts {
        running.spawn(async move { (name, part.await) });
    }
    let mut first = Ok(Exit::Done);
    while let Some(joined) = running.join_next().await {
        let ended = match joined {
            Ok((name, Ok(()))) if stop.is_cancelled() => {
                tracing::info!(part = name, "ended");
                Ok(Exit::Done)
            }
            Ok((name, Ok(()))) => Err(Failed::new(
                Exit::Failed,
                format!("{name} ended though nobody asked it to"),
            )),
            Ok((name, Err(failed))) => Err(Failed {
                error: failed.error.context(name),
                ..failed
            }),
            Err(error) => Err(Failed::new(
                Exit::Failed,
                format!("a part panicked: {error}"),
            )),
        };
        if let Err(failed) = &ended {
            tracing::error!(
                error = format!("{:#}", failed.error),
                "a part failed: draining"
            );
            stop.cancel();
        }
        first = first.and(ended);
    }
    first
}

/// Serves the probes of a process that has no HTTP of its own, also while it drains; says where.
pub(crate) async fn serve_probes(config: &Config, process: &Process) -> Result<(), Failed> {
    let listener = probes::listen(config.probes.listen, "the probes", "probes.listen").await?;
    say(&format!(
        "probes listen on http://{}",
        listener.local_addr()?
    ));
    let router = probes::router(process.health.clone(), process.metrics.clone());
    let ended = process.ended.clone();
    process.tracker.spawn(async move {
        if let Err(error) = probes::serve(listener, router, ended).await {
            tracing::error!(%error, "probes ended");
        }
    });
    Ok(())
}
