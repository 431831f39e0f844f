//! `[sandbox]`: the stand-ins for vendors; in the dev profile alone.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::Serialize;

use super::{
    Secret,
    repeat::Repeat,
    section::{Section, socket_address},
};

/// `[sandbox]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sandbox {
    /// Address and port.
    pub listen: SocketAddr,
    /// The file that gets one JSON line per accepted call.
    pub receipts: PathBuf,
    /// A fault script that is loaded at start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<PathBuf>,
    /// `[sandbox.suppliers.<name>]`.
    pub suppliers: BTreeMap<String, SandboxSupplier>,
}

/// `[sandbox.suppliers.<name>]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SandboxSupplier {
    /// What it does with a second identical call.
    pub repeat: Repeat,
    /// The bearer token that it wants.
    pub token: Secret,
    /// It answers lookups by reference.
    pub lookup: bool,
}

/// `None` where the section is not written and nobody needs it.
pub(crate) fn read(mut section: Section<'_>, needed: bool) -> Option<Sandbox> {
    if !section.is_written() && !needed {
        return None;
    }
    let sandbox = Sandbox {
        listen: section
            .parsed("listen", socket_address)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8090))),
        receipts: section
            .text("receipts")
            .map_or_else(|| PathBuf::from("sandbox-receipts.jsonl"), PathBuf::from),
        faults: section.text("faults").map(PathBuf::from),
        suppliers: section
            .sections("suppliers")
            .into_iter()
            .filter_map(|(name, section)| Some((name, read_supplier(section)?)))
            .collect(),
    };
    if sandbox.suppliers.is_empty() {
        let message = "has no supplier: write [sandbox.suppliers.<name>] with repeat and token";
        section.fault("suppliers", None, message);
    }
    section.finish();
    Some(sandbox)
}

fn read_supplier(mut section: Section<'_>) -> Option<SandboxSupplier> {
    section.require(&["repeat"]);
    if !section.is_key_written("token") && !section.is_key_written("token_file") {
        section.missing("token");
    }
    let repeat = section.parsed("repeat", Repeat::parse);
    let token = section.secret("token", "token_file");
    let lookup = section.flag("lookup").unwrap_or(true);
    if !lookup && repeat.is_some_and(|repeat| repeat != Repeat::Never) {
        let message = "only a supplier with repeat = \"never\" can be without lookup: remove it";
        section.fault("lookup", None, message);
    }
    section.finish();
    Some(SandboxSupplier {
        repeat: repeat?,
        token: token?,
        lookup,
    })
}
