//! Where requests may go, and that they go nowhere else.

use bytes::Bytes;

use super::*;
use crate::Secret;

fn production(base_url: &str, allowed: &[&str]) -> Result<Target, String> {
    let private_hosts = allowed.iter().map(|host| (*host).to_owned()).collect();
    Target::new(
        base_url,
        &Credential::None,
        &Profile::Production { private_hosts },
    )
}

fn get(path: &str, headers: &[(&str, &str)]) -> Request {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Request {
        method: Method::Get,
        path: path.to_owned(),
        headers,
        body: Bytes::new(),
    }
}

#[test]
fn in_production_only_https_to_public_hosts_is_taken() {
    for public in [
        "https://api.example.com",
        "https://api.example.com:8443/v1",
        "https://93.184.215.14",
        "https://[2606:4700::1111]/",
    ] {
        production(public, &[]).unwrap();
    }
    for refused in [
        "http://api.example.com",
        "https://localhost",
        "https://vendor",
        "https://vendor.internal",
        "https://vendor.local.",
        "https://127.0.0.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://10.1.2.3",
        "https://172.16.0.1",
        "https://192.168.1.1",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://0.0.0.0",
        "https://[::1]",
        "https://[fd00::1]",
        "https://[fe80::1]",
        "https://[::ffff:10.0.0.1]",
        "https://[64:ff9b::a00:1]",
        "https://[2002:a00:1::]",
    ] {
        let error = production(refused, &[]).unwrap_err();
        assert!(error.contains("by name"), "{refused}: {error}");
    }
}

#[test]
fn a_host_allowed_by_name_may_be_private_and_without_tls() {
    production("http://supplier.internal:8090/x", &["SUPPLIER.internal"]).unwrap();
    production("http://[::1]:8090", &["::1"]).unwrap();
    production("http://other.internal", &["supplier.internal"]).unwrap_err();
}

#[test]
fn base_urls_that_are_none_are_refused_without_being_repeated() {
    for bad in [
        "",
        "api.example.com",
        "ftp://a.example",
        "file:///etc/passwd",
        "https://",
        "https://u:hush@a.example",
        "https://hush@a.example",
        "https://a.example/?q=hush",
        "https://a.example/#hush",
    ] {
        let error = Target::new(bad, &Credential::None, &Profile::Dev).unwrap_err();
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn a_path_is_appended_to_the_base_and_cannot_leave_it() {
    for base in [
        "http://host:81/suppliers/acme",
        "http://host:81/suppliers/acme/",
    ] {
        let target = Target::new(base, &Credential::None, &Profile::Dev).unwrap();
        let url = target
            .request(&get("/v1/orders?a=%2F", &[]), None)
            .unwrap()
            .url()
            .to_string();
        assert_eq!(url, "http://host:81/suppliers/acme/v1/orders?a=%2F");
        for path in [
            "",
            "v1",
            "@evil.example/",
            "/../globex/v1",
            "/%2e%2e/globex",
            "/..\\..\\x",
            ".evil.example/",
        ] {
            target.request(&get(path, &[]), None).unwrap_err();
        }
    }
    let root = Target::new("http://host:81", &Credential::None, &Profile::Dev).unwrap();
    assert_eq!(
        root.request(&get("//evil.example/x", &[]), None)
            .unwrap()
            .url()
            .host_str(),
        Some("host")
    );
    root.request(&get("@evil.example/", &[]), None).unwrap_err();
}

#[test]
fn the_stacks_own_headers_stand_above_a_calls() {
    let credential = Credential::Bearer(Secret::new("hush"));
    let target = Target::new("http://host", &credential, &Profile::Dev).unwrap();
    let key = Uuid::from_u128(7);
    let call = get(
        "/",
        &[
            ("Authorization", "Bearer mine"),
            ("Idempotency-Key", "mine"),
            ("accept", "a/b"),
        ],
    );
    let request = target.request(&call, Some(key)).unwrap();
    let all = |name| {
        request
            .headers()
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(all("authorization"), ["Bearer hush"]);
    assert_eq!(all("idempotency-key"), [key.to_string()]);
    assert_eq!(all("accept"), ["a/b"]);
    assert!(!format!("{target:?} {request:?} {credential:?}").contains("hush"));
}

#[test]
fn headers_that_no_request_can_hold_are_errors() {
    let target = Target::new("http://host", &Credential::None, &Profile::Dev).unwrap();
    for (name, value) in [("a b", "x"), ("", "x"), ("a", "x\r\nb: y"), ("a", "x\0")] {
        let error = target
            .request(&get("/", &[(name, value)]), None)
            .unwrap_err();
        assert!(!error.contains('\n'), "{error}");
    }
    let own = Credential::Header {
        name: "x-key".to_owned(),
        value: Secret::new("a\nb"),
    };
    Target::new("http://host", &own, &Profile::Dev).unwrap_err();
    let own = Credential::Header {
        name: "x key".to_owned(),
        value: Secret::new("a"),
    };
    Target::new("http://host", &own, &Profile::Dev).unwrap_err();
}
