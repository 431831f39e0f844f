//! `[probes]`: where a worker process answers `/livez`, `/readyz`, `/startupz` and `/metrics`.

use std::net::SocketAddr;

use serde::Serialize;

use super::section::{Section, socket_address};

/// `[probes]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probes {
    /// Address and port; port 0 takes a free one and says which.
    pub listen: SocketAddr,
}

pub(crate) fn read(mut section: Section<'_>) -> Probes {
    let probes = Probes {
        listen: section
            .parsed("listen", socket_address)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9464))),
    };
    section.finish();
    probes
}
