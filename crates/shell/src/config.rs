//! The whole configuration: one typed value, loaded once and passed down. It exists only if nothing is wrong with it.
//!
//! Values are read by `section` and not through a layering crate: the maintained ones (`config`, `figment`) stop at
//! the first fault, and ours names them all, each with its origin.

use std::{ffi::OsString, io::Read, path::Path};

use serde::Serialize;

mod address;
mod broker;
mod dependencies;
mod fault;
mod gateway;
mod membership;
mod orders;
mod probes;
mod profile;
mod repeat;
mod sandbox;
mod secret;
mod section;
mod store;
mod telemetry;
#[cfg(test)]
mod tests;
mod tree;
mod worker;

pub use address::Url;
pub use broker::{Broker, BrokerSecurity, SaslMechanism};
pub use dependencies::Dependencies;
pub use fault::{ConfigError, Fault, Origin};
pub use gateway::{Gateway, Shopify};
pub use membership::Membership;
pub use orders::{Orders, Supplier};
pub use probes::Probes;
pub use profile::{Profile, SECRET_CHARACTERS_MIN};
pub use repeat::Repeat;
pub use sandbox::{Sandbox, SandboxSupplier};
pub use secret::{REDACTED, Secret};
pub use store::Store;
pub use telemetry::{LogFormat, Telemetry};
pub use worker::Worker;

use section::{Faults, Section};
use tree::{FILE_BYTES_MAX, Table, overlay, parse_file};

/// The file that is read if none is named and it exists.
pub const FILE_DEFAULT: &str = "argosy.toml";

/// What a process is about to run: decides which keys must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Anything that uses the store.
    Store,
    /// The gateway.
    Gateway,
    /// The worker `orders`.
    Orders,
    /// The sandbox.
    Sandbox,
}

/// The effective configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Where the process runs.
    pub profile: Profile,
    /// `[broker]`.
    pub broker: Broker,
    /// `[store]`.
    pub store: Store,
    /// `[telemetry]`.
    pub telemetry: Telemetry,
    /// `[probes]`.
    pub probes: Probes,
    /// `[gateway]`.
    pub gateway: Gateway,
    /// `[worker]`.
    pub worker: Worker,
    /// `[orders]`.
    pub orders: Orders,
    /// `[sandbox]`; absent unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// `[dependencies]`.
    pub dependencies: Dependencies,
}

impl Config {
    /// Loads the file (a missing default file is an empty one) and lays the variables over it.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        parts: &[Part],
    ) -> Result<Self, ConfigError> {
        let path = file.unwrap_or(Path::new(FILE_DEFAULT));
        let name = path.display().to_string();
        let text = match read_bounded(path, FILE_BYTES_MAX) {
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(String::new())
            }
            Err(error) => Err(format!(
                "cannot be read: {error}; name another file with --config or ARGOSY_CONFIG"
            )),
            Ok(bytes) if bytes.len() > FILE_BYTES_MAX => {
                Err(format!("is larger than {FILE_BYTES_MAX} bytes"))
            }
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned()),
        };
        let text = text.map_err(|message| ConfigError {
            faults: vec![Fault {
                origin: Origin::WholeFile(name.clone()),
                key: String::new(),
                message,
            }],
        })?;
        let mut unreadable = Vec::new();
        let variables = tree::in_text(variables, &mut unreadable);
        Self::of_written(&name, &text, variables, unreadable, parts)
    }

    /// The same from a file's text.
    pub fn read(
        name: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        parts: &[Part],
    ) -> Result<Self, ConfigError> {
        Self::of_written(name, text, variables, Vec::new(), parts)
    }

    fn of_written(
        name: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        mut written: Vec<Fault>,
        parts: &[Part],
    ) -> Result<Self, ConfigError> {
        let mut tree = parse_file(name, text, &mut written);
        overlay(&mut tree, variables, &mut written);
        let faults = Faults::default();
        faults.extend(written);
        let config = Self::of(tree, parts, &faults);
        profile::check(&config, parts, &faults);
        match faults.into_inner() {
            faults if faults.is_empty() => Ok(config),
            faults => Err(ConfigError { faults }),
        }
    }

    fn of(tree: Table, parts: &[Part], faults: &Faults) -> Self {
        let read_file = |path: &str| read_bounded(Path::new(path), section::SECRET_BYTES_MAX);
        let mut root = Section::root(tree, faults, &read_file);
        let profile = root
            .choice("profile", &profile::PROFILES)
            .unwrap_or_default();
        if profile == Profile::Production {
            root.refuse_secrets_in_file();
        }
        let config = Self {
            profile,
            broker: broker::read(root.section("broker")),
            store: store::read(root.section("store"), parts.contains(&Part::Store)),
            telemetry: telemetry::read(root.section("telemetry")),
            probes: probes::read(root.section("probes")),
            gateway: gateway::read(root.section("gateway")),
            worker: worker::read(root.section("worker")),
            orders: orders::read(root.section("orders"), parts.contains(&Part::Orders)),
            sandbox: sandbox::read(root.section("sandbox"), parts.contains(&Part::Sandbox)),
            dependencies: dependencies::read(root.section("dependencies")),
        };
        root.finish();
        config
    }

    /// The effective configuration as a file would say it, secrets redacted.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field has a TOML form")
    }
}

/// At most one byte more than the limit is read, so that the caller sees that it was passed.
fn read_bounded(path: &Path, bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
