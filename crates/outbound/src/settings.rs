//! What the stack must know of each dependency, and what it refuses to be built from.
//!
//! Invariant: every wait, size and rate has a value here; there is no "unlimited" but the absence of a rate.

use std::{num::NonZeroU32, time::Duration};

use thiserror::Error;

use crate::{Dependency, Secret};

/// A connection that is not made within this time counts as not executed.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// An answer's body may have this many bytes.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// A call timeout is at least [`CONNECT_TIMEOUT`] and at most this.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(50);

/// How the vendor knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// No credential is sent.
    None,
    /// `Authorization: Bearer <secret>`.
    Bearer(Secret),
    /// A header of the vendor's own.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        value: Secret,
    },
}

/// How fast a dependency may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per second; a call costs its `cost`.
    pub per_second: NonZeroU32,
    /// How many tokens may be spent at once after a pause.
    pub burst: NonZeroU32,
}

/// When a dependency counts as down, and how it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many vendor-wide faults in a row open it.
    pub faults_to_open: NonZeroU32,
    /// It stays open for this long at first, and twice as long after each trial that fails, up to `open_max`.
    pub open_min: Duration,
    /// The longest time between two trials.
    pub open_max: Duration,
    /// So many trials that succeed close it; one may run at first, and one more after each that succeeded.
    pub trials_to_close: NonZeroU32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            faults_to_open: const { NonZeroU32::new(20).expect("20 is not zero") },
            open_min: Duration::from_secs(1),
            open_max: Duration::from_secs(30),
            trials_to_close: const { NonZeroU32::new(5).expect("5 is not zero") },
        }
    }
}

/// One vendor account: where it is, how it knows us, how it may be called.
#[derive(Clone, Debug)]
pub struct DependencySettings {
    /// Its name in calls, metrics and causes.
    pub dependency: Dependency,
    /// Scheme, host and path prefix; a call's path is appended to it.
    pub base_url: String,
    /// How it knows us.
    pub credential: Credential,
    /// A call that is not answered in full within this time has an unknown outcome.
    pub call_timeout: Duration,
    /// How fast it may be called; `None` for no limit of our own.
    pub rate: Option<Rate>,
    /// How many calls may be under way at once in this process.
    pub concurrent_max: NonZeroU32,
    /// When it counts as down.
    pub breaker: BreakerSettings,
}

impl DependencySettings {
    /// A dependency with everything else at its default: no credential, 10 s per call, no rate, 256 at once.
    pub fn new(dependency: Dependency, base_url: impl Into<String>) -> Self {
        Self {
            dependency,
            base_url: base_url.into(),
            credential: Credential::None,
            call_timeout: Duration::from_secs(10),
            rate: None,
            concurrent_max: const { NonZeroU32::new(256).expect("256 is not zero") },
            breaker: BreakerSettings::default(),
        }
    }
}

/// Where calls may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Anywhere, with or without TLS.
    Dev,
    /// To public hosts over https only, except for the hosts that are named here.
    Production {
        /// Host names (or addresses) that may be private or without TLS.
        private_hosts: Vec<String>,
    },
}

/// Why a stack cannot be built.
#[derive(Debug, Error)]
pub enum StackError {
    /// Everything that is wrong with the settings, one line each.
    #[error("outbound settings are refused: {}", .0.join("; "))]
    Settings(Vec<String>),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made; are the system's certificate authorities readable?")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}
