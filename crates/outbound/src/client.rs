//! The one HTTP client of the process: pooled, without redirects or proxies, and blind to private addresses in
//! production.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::{Profile, StackError, settings::CONNECT_TIMEOUT, target::is_private};

/// An idle connection is closed after this long: shorter than vendors keep theirs, so that fewer calls end on a
/// connection that is being closed, with an unknown outcome.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// Idle connections kept per host.
const IDLE_CONNECTIONS_MAX: usize = 256;

pub(crate) fn client(profile: &Profile) -> Result<Client, StackError> {
    // An error says that the process has a provider already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that builds the stack's client"
    )]
    let builder = Client::builder();
    let builder = builder
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .redirect(Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .retry(reqwest::retry::never())
        .user_agent(concat!("argosy/", env!("CARGO_PKG_VERSION")));
    let builder = match profile {
        Profile::Dev => builder,
        Profile::Production { private_hosts } => {
            let private_hosts = private_hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect();
            builder.dns_resolver(Arc::new(PublicAddresses { private_hosts }))
        }
    };
    builder
        .build()
        .map_err(|error| StackError::Client(Box::new(error)))
}

/// Resolves names to public addresses only, so that a vendor's name cannot be pointed at what is ours.
#[derive(Debug)]
struct PublicAddresses {
    private_hosts: Vec<String>,
}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let allowed = self.private_hosts.contains(&host);
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found
                .filter(|found| allowed || !is_private(found.ip()))
                .collect();
            if addresses.is_empty() {
                return Err(format!(
                    "`{host}` has no public address; allow it by name if it is ours"
                )
                .into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
