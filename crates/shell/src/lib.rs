//! The process: configuration, telemetry, probes, signals and exit codes.
//!
//! Read once and passed down: nothing else in the workspace reads an environment variable, installs a subscriber or
//! listens for a signal.
//!
//! # Behaviour
//!
//! - Configuration is one TOML file with environment overrides. Unknown keys are faults, and all faults are
//!   reported together, each with where it stands, its key and its remedy.
//! - A `config::Secret` shows itself to nobody: not in `Debug`, not in `Display`, not when it is serialized.
//! - `/livez` fails only for faults of this process, never for a broker, a store or a vendor.
//! - The first signal drains, the second ends the process at once, and a drain ends within [`signals::SHUTDOWN_MAX`].
#![warn(missing_docs)]

pub mod canary;
pub mod config;
pub mod exit;
pub mod probes;
pub mod signals;
pub mod telemetry;
