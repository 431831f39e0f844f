//! How each part of the arena is struck, and what follows.
//!
//! A strike is carried out at once; what must follow later (thaw, start again) is noted and done by `mend`.
//! Servers start on threads of their own, so that a broker's slow start delays no other fault.

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tokio::time::Instant;

use super::{Arena, END_WITHIN};
use crate::{
    poisoned_orders::ENDS_PROCESS,
    servers::Server,
    storm::{
        fleet::Process,
        plan::{FREEZE, Kind, Strike},
    },
    suite::progress,
};

/// SIGABRT.
const ABORTED: i32 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    StartWorker(usize),
    AwaitAndStartWorker(usize),
    Thaw(usize),
    StartGateway,
}

impl Arena {
    /// Lets a fault strike.
    ///
    /// # Errors
    ///
    /// If the extra worker cannot be started.
    pub fn strike(&mut self, strike: Strike) -> anyhow::Result<()> {
        let Strike {
            kind,
            victim,
            hard,
            down,
            ..
        } = strike;
        let victim = self.victim(victim);
        let back = Instant::now() + down;
        match kind {
            Kind::KillWorker => {
                self.workers[victim].kill();
                self.later.push((back, Later::StartWorker(victim)));
            }
            Kind::StopWorker => {
                self.workers[victim].terminate();
                self.later.push((back, Later::AwaitAndStartWorker(victim)));
            }
            Kind::FreezeWorker => {
                self.workers[victim].freeze();
                self.later
                    .push((Instant::now() + FREEZE, Later::Thaw(victim)));
            }
            Kind::Broker => self.servers_busy.push(bounced(&self.kafka, hard, down)),
            Kind::Store => self.servers_busy.push(bounced(&self.postgres, hard, down)),
            Kind::ExtraWorker => {
                if self.extra.is_running() {
                    self.extra.terminate();
                } else {
                    self.extra.start()?;
                }
            }
            Kind::KillGateway => {
                self.gateway.kill();
                self.later.push((back, Later::StartGateway));
            }
        }
        Ok(())
    }

    /// A worker that runs and is not frozen, or is being stopped: the next one if the drawn one will not do.
    fn victim(&mut self, drawn: usize) -> usize {
        let busy = |later: &[(Instant, Later)], worker: usize| {
            later.iter().any(|(_, act)| {
                matches!(act, Later::StartWorker(n) | Later::AwaitAndStartWorker(n) | Later::Thaw(n) if *n == worker)
            })
        };
        let count = self.workers.len();
        (drawn..drawn + count)
            .map(|n| n % count)
            .find(|n| !busy(&self.later, *n))
            .unwrap_or(drawn)
    }

    /// Does what is due: thaws, starts again.
    ///
    /// # Errors
    ///
    /// If something cannot be started, or a stopped worker does not end.
    pub fn mend(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let due: Vec<_> = self
            .later
            .iter()
            .filter(|(at, _)| *at <= now)
            .map(|(_, act)| *act)
            .collect();
        self.later.retain(|(at, _)| *at > now);
        for act in due {
            match act {
                Later::StartWorker(n) => self.workers[n].start()?,
                Later::Thaw(n) => self.workers[n].thaw(),
                Later::StartGateway => self.gateway.start()?,
                Later::AwaitAndStartWorker(n) if self.workers[n].is_running() => {
                    self.later.push((now + Duration::from_millis(500), act));
                }
                Later::AwaitAndStartWorker(n) => self.workers[n].start()?,
            }
        }
        self.note_unexpected_ends()
    }

    /// A process that ends by itself is started again, as an orchestrator would; that it ended is told.
    fn note_unexpected_ends(&mut self) -> anyhow::Result<()> {
        let planned: Vec<usize> = self
            .later
            .iter()
            .filter_map(|(_, act)| act.worker())
            .collect();
        let workers = self
            .workers
            .iter_mut()
            .enumerate()
            .filter(|(n, _)| !planned.contains(n))
            .map(|(_, worker)| worker);
        let gateway_planned = self
            .later
            .iter()
            .any(|(_, act)| *act == Later::StartGateway);
        let others = [&mut self.sandbox, &mut self.chronicle].into_iter();
        let gateway = (!gateway_planned).then_some(&mut self.gateway);
        for process in workers.chain(others).chain(gateway) {
            if let Some(status) = process.ended() {
                if is_poisoned(process, status) {
                    self.ended_by_poison += 1;
                } else {
                    self.unexpected
                        .push(format!("{} ended by itself: {status}", process.name()));
                }
                process.start()?;
            }
        }
        if let Some(status) = self.extra.ended()
            && is_poisoned(&self.extra, status)
        {
            self.ended_by_poison += 1;
            self.extra.start()?;
        }
        Ok(())
    }

    /// Ends all faults: everything runs that should.
    ///
    /// # Errors
    ///
    /// If something does not come back.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        progress("storm: no more faults");
        for server in self.servers_busy.drain(..) {
            server
                .join()
                .map_err(|_| anyhow::anyhow!("a server's thread panicked"))??;
        }
        for (_, act) in std::mem::take(&mut self.later) {
            match act {
                Later::StartWorker(n) => self.workers[n].start()?,
                Later::Thaw(n) => self.workers[n].thaw(),
                Later::StartGateway => self.gateway.start()?,
                Later::AwaitAndStartWorker(n) => {
                    self.workers[n].await_end(END_WITHIN)?;
                    self.workers[n].start()?;
                }
            }
        }
        Ok(())
    }
}

/// Whether an order that is poison ended it: it says so before it does.
fn is_poisoned(process: &Process, status: ExitStatus) -> bool {
    status.signal() == Some(ABORTED)
        && fs::read(process.log()).is_ok_and(|log| {
            let log = String::from_utf8_lossy(&log);
            log.lines().any(|line| line.contains(ENDS_PROCESS))
        })
}

/// Bounces a server on a thread of its own.
fn bounced<S: Server + Send + 'static>(
    server: &Arc<Mutex<S>>,
    hard: bool,
    down: Duration,
) -> JoinHandle<anyhow::Result<()>> {
    let server = Arc::clone(server);
    std::thread::spawn(move || {
        let server = server.lock().unwrap_or_else(PoisonError::into_inner);
        server.bounce(hard, down)
    })
}

impl Later {
    fn worker(self) -> Option<usize> {
        match self {
            Self::StartWorker(n) | Self::AwaitAndStartWorker(n) | Self::Thaw(n) => Some(n),
            Self::StartGateway => None,
        }
    }
}
