//! The profile: what a laptop may do and production may not. Every rule that differs is in this file.

use serde::Serialize;

use super::{Config, Part, Secret, address::Url, section::Faults};
use crate::config::fault::{Origin, variable_of};

/// In production no secret is shorter.
pub const SECRET_CHARACTERS_MIN: usize = 32;

/// Where the process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A developer's machine: stand-ins and plain HTTP are welcome.
    #[default]
    Dev,
    /// The real thing: no stand-in, no short secret, no plain HTTP unless allowed by name.
    Production,
}

/// As they are written.
pub(crate) const PROFILES: [(&str, Profile); 2] =
    [("dev", Profile::Dev), ("production", Profile::Production)];

/// What production refuses.
pub(crate) fn check(config: &Config, parts: &[Part], faults: &Faults) {
    if config.profile == Profile::Dev {
        return;
    }
    let refuse = |key: &str, message: String| {
        faults.push(Origin::Production, key.to_owned(), message);
    };
    if config.sandbox.is_some() || parts.contains(&Part::Sandbox) {
        let message = "the sandbox invents answers and is refused: remove the section";
        refuse("sandbox", message.to_owned());
    }
    // Without its token an address is open to everybody, or closed to its operator.
    let gateway = &config.gateway;
    for (key, token) in [
        ("gateway.operator_token", &gateway.operator_token),
        ("gateway.intake_token", &gateway.intake_token),
    ] {
        if parts.contains(&Part::Gateway) && token.is_none() {
            let variable = variable_of(key);
            refuse(
                key,
                format!("is missing: set {variable} or {variable}_FILE"),
            );
        }
    }
    for (key, secret) in secrets(config) {
        if secret.expose().chars().count() < SECRET_CHARACTERS_MIN {
            let message =
                format!("is shorter than {SECRET_CHARACTERS_MIN} characters: use a longer one");
            refuse(&key, message);
        }
    }
    for (name, supplier) in &config.orders.suppliers {
        if !is_allowed(&supplier.base_url, &config.dependencies.private_hosts) {
            refuse(
                &format!("orders.suppliers.{name}.base_url"),
                format!(
                    "is not https to a public host: use https, or add \"{}\" to dependencies.private_hosts",
                    supplier.base_url.host()
                ),
            );
        }
    }
}

fn is_allowed(url: &Url, private_hosts: &[String]) -> bool {
    (url.is_https() && url.is_public()) || private_hosts.iter().any(|host| host == url.host())
}

/// Every secret that is set, with its key; of a URL only its password is one.
fn secrets(config: &Config) -> Vec<(String, Secret)> {
    let gateway = &config.gateway;
    let mut all: Vec<(String, Secret)> = Vec::new();
    let mut add = |key: &str, secret: Option<&Secret>| {
        all.extend(secret.map(|secret| (key.to_owned(), secret.clone())));
    };
    add("gateway.operator_token", gateway.operator_token.as_ref());
    add("gateway.intake_token", gateway.intake_token.as_ref());
    add("gateway.shopify.secret", gateway.shopify.secret.as_ref());
    add(
        "gateway.shopify.secret_previous",
        gateway.shopify.secret_previous.as_ref(),
    );
    add("broker.password", config.broker.password.as_ref());
    let password = config.store.password();
    add("store.url", password.as_ref());
    for (name, supplier) in &config.orders.suppliers {
        let key = format!("orders.suppliers.{name}.token");
        add(&key, supplier.token.as_ref());
    }
    all
}
