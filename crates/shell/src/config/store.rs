//! `[store]`: the database that keeps owners, claims and timelines.

use serde::Serialize;

use super::{Secret, address::split_port, section::Section};

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

/// Several hosts, each with its port, may stand in one URL.
fn has_usable_ports(rest: &str) -> bool {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority
        .rsplit_once('@')
        .map_or(authority, |(_, hosts)| hosts);
    hosts.split(',').all(|host| match split_port(host) {
        (_, Some(port)) => port.parse::<u16>().is_ok_and(|port| port > 0),
        (_, None) => true,
    })
}

pub(crate) fn read(mut section: Section<'_>, needed: bool) -> Store {
    let is_written = section.is_key_written("url") || section.is_key_written("url_file");
    let origin = section
        .origin_of("url")
        .or_else(|| section.origin_of("url_file"));
    let url = section.secret("url", "url_file").filter(|url| {
        let known = ["postgres://", "postgresql://"];
        let rest = known
            .iter()
            .find_map(|scheme| url.expose().strip_prefix(scheme));
        let fits = rest.is_some_and(has_usable_ports);
        if !fits {
            let message = "must be postgres://user:password@host:port/database";
            section.fault("url", origin.clone(), message);
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
