//! `[dependencies]`: where calls may go.

use serde::Serialize;

use super::section::Section;

/// `[dependencies]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dependencies {
    /// Hosts that may be called in production although they are private or without TLS, in lower case.
    pub private_hosts: Vec<String>,
}

pub(crate) fn read(mut section: Section<'_>) -> Dependencies {
    let dependencies = Dependencies {
        private_hosts: section
            .list("private_hosts")
            .unwrap_or_default()
            .iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
    };
    section.finish();
    dependencies
}
