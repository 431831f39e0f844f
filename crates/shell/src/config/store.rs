//! `[store]`: the database that keeps owners, claims and timelines.

use serde::Serialize;

use super::{Secret, section::Section};

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Store {
    /// `postgres://user:password@host:port/database`; a secret, because it may carry the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// Connections of one process.
    pub connections_max: u32,
}

impl Store {
    /// The password in the URL, if there is one.
    pub(crate) fn password(&self) -> Option<Secret> {
        let url = self.url.as_ref()?.expose();
        let authority = url.split_once("://")?.1.split(['/', '?']).next()?;
        let (credentials, _) = authority.rsplit_once('@')?;
        let (_, password) = credentials.split_once(':')?;
        Some(Secret::new(password))
    }
}

pub(crate) fn read(mut section: Section<'_>, needed: bool) -> Store {
    let is_written = section.is_key_written("url") || section.is_key_written("url_file");
    let url = section.secret("url", "url_file").filter(|url| {
        let known = ["postgres://", "postgresql://"];
        let fits = known.iter().any(|scheme| url.expose().starts_with(scheme));
        if !fits {
            let message = "must be postgres://user:password@host:port/database";
            section.fault("url", None, message);
        }
        fits
    });
    if needed && url.is_none() && !is_written {
        section.missing("url");
    }
    let store = Store {
        url,
        connections_max: section
            .number("connections_max", 1..=200)
            .and_then(|connections| u32::try_from(connections).ok())
            .unwrap_or(10),
    };
    section.finish();
    store
}
