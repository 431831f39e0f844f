//! Names are judged by what they resolve to, and the client exists in both profiles.

use super::*;

async fn resolved(private_hosts: &[&str]) -> Result<Vec<SocketAddr>, String> {
    let private_hosts = private_hosts
        .iter()
        .map(|host| (*host).to_owned())
        .collect();
    let name: Name = "LOCALHOST".parse().unwrap();
    let found = PublicAddresses { private_hosts }.resolve(name).await;
    found
        .map(Iterator::collect)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_name_that_resolves_to_private_addresses_has_none() {
    let error = resolved(&[]).await.unwrap_err();
    assert!(
        error.contains("`localhost` has no public address"),
        "{error}"
    );
}

#[tokio::test]
async fn a_name_that_is_allowed_resolves_to_what_it_is() {
    assert!(!resolved(&["localhost"]).await.unwrap().is_empty());
}

#[test]
fn the_client_is_made_in_both_profiles() {
    client(&Profile::Dev).unwrap();
    client(&Profile::Production {
        private_hosts: vec!["Supplier.internal".to_owned()],
    })
    .unwrap();
}
