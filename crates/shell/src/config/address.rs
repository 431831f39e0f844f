//! Addresses as configuration writes them: base URLs of vendors and `host:port` of brokers, parsed at the edge.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde::{Serialize, Serializer};

/// A base URL: scheme, host, port and path prefix. It carries no credentials, no query and no fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    https: bool,
    host: String,
}

impl Url {
    /// Reads `http(s)://host[:port][/path]`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let remedy = "write http(s)://host[:port][/path]";
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| format!("is no URL: {remedy}"))?;
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(format!("is neither http nor https: {remedy}")),
        };
        let unwanted = |c: char| c.is_whitespace() || c.is_control() || "?#\\@".contains(c);
        if rest.contains(unwanted) {
            return Err(format!(
                "has spaces, credentials, a query or a fragment: {remedy}"
            ));
        }
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = split_port(authority);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let has_port = match port {
            Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
            None => true,
        };
        if host.is_empty() || !has_port {
            return Err(format!("has no host, or no usable port: {remedy}"));
        }
        Ok(Self {
            text: text.trim_end_matches('/').to_owned(),
            https,
            host: host.to_ascii_lowercase(),
        })
    }

    /// The URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host in lower case, without port and brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// Is it a host of the public internet, by its name? (What the name resolves to is checked by who connects.)
    pub(crate) fn is_public(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => is_public_v4(address),
            Ok(IpAddr::V6(address)) => is_public_v6(address),
            Err(_) => {
                let name = self.host.trim_end_matches('.');
                let private = [".localhost", ".local", ".internal", ".svc", ".lan", ".home"];
                name.contains('.') && !private.iter().any(|suffix| name.ends_with(suffix))
            }
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || shared
        || a == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.to_ipv4_mapped() {
        Some(address) => is_public_v4(address),
        None => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Splits `host:port`, where the host may be an IPv6 address in brackets.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Is it `host:port`?
pub(crate) fn is_host_and_port(text: &str) -> bool {
    match split_port(text) {
        (host, Some(port)) => {
            !host.is_empty()
                && !host.contains(['/', ' ', ','])
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_read_into_its_parts() {
        let url = Url::parse("https://API.example.com:8443/v1/").unwrap();
        assert_eq!(
            (url.as_str(), url.host()),
            ("https://API.example.com:8443/v1", "api.example.com")
        );
        assert_eq!(Url::parse("http://[::1]:80").unwrap().host(), "::1");
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://:80",
            "https://a:0",
            "https://a:99999",
            "https://user:pass@a",
            "https://a?x=1",
            "https://a#b",
            "https://a b",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn private_hosts_are_told_from_public_ones() {
        for (host, public) in [
            ("example.com", true),
            ("203.0.114.9", true),
            ("localhost", false),
            ("sandbox", false),
            ("db.internal", false),
            ("10.0.0.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("[::1]", false),
            ("[fd00::1]", false),
            ("[::ffff:10.0.0.1]", false),
            ("[2606:4700::1]", true),
        ] {
            let url = Url::parse(&format!("https://{host}")).unwrap();
            assert_eq!(url.is_public(), public, "{host}");
        }
    }
}
