//! Processes that are started again when they end, as an orchestrator would; it notes when they ended.

use crate::{
    storm::{fleet::Process, load::wall_ns},
    suite::progress,
};

/// See the module page.
#[derive(Debug)]
pub(super) struct Fleet {
    processes: Vec<Process>,
    /// When a process ended or was killed, ns since 1970.
    ends: Vec<u64>,
}

impl Fleet {
    pub(super) fn start(mut processes: Vec<Process>) -> anyhow::Result<Self> {
        processes.iter_mut().try_for_each(Process::start)?;
        Ok(Self {
            processes,
            ends: Vec::new(),
        })
    }

    /// Starts what ended.
    pub(super) fn tend(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            if let Some(status) = process.ended() {
                progress(&format!("{} ended: {status}", process.name()));
                self.ends.push(wall_ns());
            }
            process.start()?;
        }
        Ok(())
    }

    /// kill -9 of the process with this id.
    pub(super) fn kill(&mut self, id: u32) {
        for process in self
            .processes
            .iter_mut()
            .filter(|process| process.id() == Some(id))
        {
            process.kill();
            self.ends.push(wall_ns());
        }
    }

    pub(super) fn ends(&self) -> &[u64] {
        &self.ends
    }
}
