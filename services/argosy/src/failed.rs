//! How a command fails: what went wrong, and the exit code that a script can decide by.

use std::fmt::Display;

use argosy_broker::BrokerError;
use argosy_shell::{
    config::{Config, ConfigError},
    exit::Exit,
    probes::ListenError,
};
use argosy_store::StoreError;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl Failed {
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self {
            exit,
            error: anyhow::anyhow!("{message}"),
        }
    }
}

/// The broker did not do as asked: says which one, and where it was named.
pub(crate) fn at_broker(config: &Config) -> impl Fn(BrokerError) -> Failed + use<> {
    let bootstrap = config.broker.bootstrap.join(", ");
    move |error| Failed {
        exit: match error {
            BrokerError::Misconfigured(_) => Exit::Configuration,
            BrokerError::Rejected(_) => Exit::Failed,
            _ => Exit::Unavailable,
        },
        error: anyhow::Error::new(error)
            .context(format!("the broker at {bootstrap} (broker.bootstrap)")),
    }
}

/// The store did not do as asked: says where it was named, and not where it is, which is a secret.
pub(crate) fn at_store(error: StoreError) -> Failed {
    let exit = match error {
        StoreError::Unavailable(_) | StoreError::Schema { .. } => Exit::Unavailable,
        _ => Exit::Failed,
    };
    Failed {
        exit,
        error: anyhow::Error::new(error).context("the store that store.url names"),
    }
}

/// What is not said to be something else is a plain failure, unless it is the configuration that must change.
impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        let error: anyhow::Error = error.into();
        let exit = if error.is::<ConfigError>() || error.is::<ListenError>() {
            Exit::Configuration
        } else {
            Exit::Failed
        };
        Self { exit, error }
    }
}

/// Says with which code an error ends the process.
pub(crate) trait OrExit<T> {
    fn or_exit(self, exit: Exit) -> Result<T, Failed>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failed> {
        self.map_err(|error| Failed {
            exit,
            error: error.into(),
        })
    }
}
