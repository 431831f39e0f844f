//! Exit codes: what a script may rely on.

use std::process::ExitCode;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done,
    /// It failed; the last line on stderr says at what.
    Failed,
    /// The command line was not understood.
    Usage,
    /// What was asked for is not there.
    NotFound,
    /// Broker, store or gateway cannot be reached.
    Unavailable,
    /// The outcome is unknown: the same command may be given again.
    Unknown,
    /// The configuration cannot be used.
    Configuration,
    /// A second signal ended it before it was drained.
    Interrupted,
    /// It was not drained in time.
    Overran,
}

/// All codes with their meaning, for `--help`.
pub const EXITS: [(Exit, &str); 9] = [
    (Exit::Done, "done"),
    (Exit::Failed, "failed; stderr says at what"),
    (Exit::Usage, "the command line was not understood"),
    (Exit::NotFound, "what was asked for is not there"),
    (
        Exit::Unavailable,
        "broker, store or gateway cannot be reached",
    ),
    (
        Exit::Unknown,
        "outcome unknown; the same command may be given again",
    ),
    (Exit::Configuration, "the configuration cannot be used"),
    (
        Exit::Interrupted,
        "a second signal ended it before it was drained",
    ),
    (Exit::Overran, "it was not drained within 50 s of a signal"),
];

impl Exit {
    /// The number that the operating system gets.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Unavailable => 69,
            Self::Unknown => 75,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::Overran => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::signals::SHUTDOWN_MAX;

    #[test]
    fn every_code_is_listed_once() {
        let codes: BTreeSet<u8> = EXITS.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes.len(), EXITS.len());
    }

    #[test]
    fn the_time_that_a_drain_has_is_told_as_it_is() {
        let (_, meaning) = EXITS[8];
        let true_figure = format!("within {} s", SHUTDOWN_MAX.as_secs());
        assert!(meaning.contains(&true_figure), "{meaning}");
    }
}
