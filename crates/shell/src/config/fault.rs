//! What is wrong with a configuration: every fault says where it stands, which key it is about, and what to do.
//! No fault ever carries a value, because the value may be a secret.

use std::fmt;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file at this path as a whole.
    WholeFile(String),
    /// In a file, on this line.
    File {
        /// The file's path.
        path: String,
        /// Counting from 1.
        line: usize,
    },
    /// In an environment variable.
    Variable(String),
    /// Nowhere: it is missing.
    Missing,
    /// The production profile refuses it, wherever it was written.
    Production,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeFile(path) => f.write_str(path),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Missing => f.write_str("nowhere set"),
            Self::Production => f.write_str("profile production"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub origin: Origin,
    /// The key's path, e.g. `gateway.deadline_ms`; empty if it is about no key.
    pub key: String,
    /// What is wrong and what to do, a lowercase fragment.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// All that is wrong with a configuration, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Never empty.
    pub faults: Vec<Fault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration has {} fault(s)", self.faults.len())?;
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

/// The environment variable that sets a key.
pub(crate) fn variable_of(key: &str) -> String {
    let name = key.to_ascii_uppercase().replace('.', "__");
    format!("ARGOSY__{}", name.replace('-', "_"))
}
