//! Where a dependency's requests go: base URL and credential, checked once, and the request as it goes out.
//!
//! Invariant: a request never leaves the base URL's host and path prefix, whatever its path says; in production the
//! host is public and the scheme https, unless the host is allowed by name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use uuid::Uuid;

use crate::{Credential, Method, Profile, Request};

#[derive(Debug)]
pub(crate) struct Target {
    /// Without a slash at its end.
    base: Url,
    credential: Option<(HeaderName, HeaderValue)>,
}

impl Target {
    pub(crate) fn new(
        base_url: &str,
        credential: &Credential,
        profile: &Profile,
    ) -> Result<Self, String> {
        let base = base_of(base_url)?;
        if let Profile::Production { private_hosts } = profile {
            public(&base, private_hosts)?;
        }
        Ok(Self {
            base,
            credential: credential_header(credential)?,
        })
    }

    /// The request as it goes out.
    pub(crate) fn request(
        &self,
        request: &Request,
        key: Option<Uuid>,
    ) -> Result<reqwest::Request, String> {
        let mut out = reqwest::Request::new(method_of(request.method), self.url(&request.path)?);
        let headers = out.headers_mut();
        for (name, value) in &request.headers {
            let name =
                HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a header name"))?;
            let value = HeaderValue::try_from(value)
                .map_err(|_| format!("header `{name}` has no sendable value"))?;
            headers.append(name, value);
        }
        self.own_headers(headers, key);
        if !request.body.is_empty() {
            *out.body_mut() = Some(request.body.clone().into());
        }
        Ok(out)
    }

    /// What the stack adds stands above what a call brings.
    fn own_headers(&self, headers: &mut HeaderMap, key: Option<Uuid>) {
        headers.insert("x-request-id", text(Uuid::new_v4()));
        if let Some(key) = key {
            headers.insert("idempotency-key", text(key));
        }
        if let Some((name, value)) = &self.credential {
            headers.insert(name, value.clone());
        }
    }

    fn url(&self, path: &str) -> Result<Url, String> {
        let prefix = self.base.path().trim_end_matches('/');
        let whole = format!("{}{prefix}{path}", self.base.origin().ascii_serialization());
        let url = Url::parse(&whole)
            .ok()
            .filter(|url| url.origin() == self.base.origin());
        url.filter(|url| path.starts_with('/') && url.path().starts_with(&format!("{prefix}/")))
            .ok_or_else(|| {
                "a call's path must begin with `/` and stay below the base URL".to_owned()
            })
    }
}

fn base_of(base_url: &str) -> Result<Url, String> {
    // The URL itself is not repeated in the message: it may hold a password.
    let base =
        Url::parse(base_url).map_err(|error| format!("the base URL cannot be read: {error}"))?;
    if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
        return Err("the base URL must be http or https with a host".to_owned());
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(
            "the base URL holds a credential; give it as the credential instead".to_owned(),
        );
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err("the base URL must end with its path".to_owned());
    }
    Ok(base)
}

fn public(base: &Url, private_hosts: &[String]) -> Result<(), String> {
    let host = host_of(base);
    if private_hosts
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(host))
    {
        return Ok(());
    }
    if base.scheme() != "https" {
        return Err(format!(
            "in production `{host}` must be called over https, or be allowed by name"
        ));
    }
    let private = host
        .parse()
        .map_or_else(|_| is_private_name(host), is_private);
    if private {
        return Err(format!(
            "in production `{host}` is refused as a private host; allow it by name"
        ));
    }
    Ok(())
}

/// The host as it is written in settings: IPv6 without brackets.
fn host_of(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_private_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    !host.contains('.')
        || [".local", ".internal", ".localhost", ".localdomain"]
            .iter()
            .any(|end| host.ends_with(end))
}

/// Addresses that are no public host's.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => address
            .to_ipv4_mapped()
            .map_or_else(|| is_private_v6(address), is_private_v4),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Public unicast is 2000::/3; of it, 2001:db8::/32 is for documents, and 2001::/32 and 2002::/16 wrap IPv4.
    first & 0xe000 != 0x2000 || first == 0x2002 || (first == 0x2001 && matches!(second, 0 | 0xdb8))
}

fn credential_header(credential: &Credential) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let (name, value) = match credential {
        Credential::None => return Ok(None),
        Credential::Bearer(secret) => (AUTHORIZATION, format!("Bearer {}", secret.expose())),
        Credential::Header { name, value } => {
            let name =
                HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a header name"))?;
            (name, value.expose().to_owned())
        }
    };
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| "the credential has characters that no header can hold")?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

fn method_of(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn text(id: Uuid) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("a UUID is visible ASCII")
}

#[cfg(test)]
mod tests;
