//! What can keep the sandbox from starting or make it stop.

use std::{io, path::PathBuf};

/// Why the sandbox did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address} for the sandbox; set another address with sandbox.listen")]
    Listen {
        /// The configured address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The receipts file cannot be opened, read or written.
    #[error("cannot use the receipts file {}; check the folder and the free space", path.display())]
    Receipts {
        /// The configured file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error("the receipts file {} belongs to another running sandbox; stop it or choose another `receipts`", path.display())]
    ReceiptsInUse {
        /// The configured file.
        path: PathBuf,
    },
    /// A line inside the file is not a receipt. (A torn last line is not an error.)
    #[error("line {line} of the receipts file {} is not a receipt; move the file away to start afresh", path.display())]
    ReceiptsCorrupt {
        /// The configured file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// The fault file cannot be read.
    #[error("cannot read the fault file {}", path.display())]
    FaultFile {
        /// The configured file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The fault file is not a fault script.
    #[error("the fault file {} is not a fault script: {reason}", path.display())]
    FaultScript {
        /// The configured file.
        path: PathBuf,
        /// What is wrong, where.
        reason: String,
    },
    /// A setting is wrong.
    #[error("setting `{setting}` is wrong: {reason}")]
    Setting {
        /// Its path.
        setting: String,
        /// What is wrong.
        reason: String,
    },
    /// The ledger's thread could not be started or panicked.
    #[error("the sandbox's ledger ended unexpectedly")]
    Ledger,
}
