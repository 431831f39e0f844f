//! How a command fails: what went wrong, and the exit code that a script can decide by.

use std::fmt::Display;

use argosy_shell::{config::ConfigError, exit::Exit};

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

/// What is not said to be something else is a plain failure.
impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        let error: anyhow::Error = error.into();
        let exit = match error.downcast_ref::<ConfigError>() {
            Some(_) => Exit::Configuration,
            None => Exit::Failed,
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
