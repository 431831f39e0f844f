//! Signatures and headers of webhooks: the good ones, and every way in which they are not.

use argosy_vendors::shopify::{
    Delivery, HeaderError, SIGNATURE_HEADER, SecretError, SignatureError, WebhookSecrets,
};

/// `printf '{"id":1}' | openssl dgst -sha256 -hmac hush -binary | base64`
const BODY: &[u8] = br#"{"id":1}"#;
const SIGNED_BY_HUSH: &[u8] = b"VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=";
const SIGNED_BY_OLD: &[u8] = b"VNgtOXEUWITqLL9sVzosLjMuwRp+sRXl89vH2/aeEoo=";

#[test]
fn the_current_and_the_previous_secret_are_live() {
    let secrets = WebhookSecrets::new("hush", Some("old")).unwrap();
    assert_eq!(secrets.verify(Some(SIGNED_BY_HUSH), BODY), Ok(()));
    assert_eq!(secrets.verify(Some(SIGNED_BY_OLD), BODY), Ok(()));
    let rotated = WebhookSecrets::new("hush", None).unwrap();
    assert_eq!(
        rotated.verify(Some(SIGNED_BY_OLD), BODY),
        Err(SignatureError::Wrong)
    );
    assert_eq!(format!("{secrets:?}"), "WebhookSecrets(2, redacted)");
}

#[test]
fn a_signature_is_over_the_raw_bytes() {
    let secrets = WebhookSecrets::new("hush", None).unwrap();
    for other in [&br#"{"id": 1}"#[..], b"", br#"{"id":2}"#] {
        assert_eq!(
            secrets.verify(Some(SIGNED_BY_HUSH), other),
            Err(SignatureError::Wrong)
        );
    }
}

#[test]
fn missing_and_malformed_signatures_are_named() {
    let secrets = WebhookSecrets::new("hush", None).unwrap();
    assert_eq!(SIGNATURE_HEADER, "x-shopify-hmac-sha256");
    assert_eq!(secrets.verify(None, BODY), Err(SignatureError::Missing));
    let huge = vec![b'A'; 1_000_000];
    for bad in [
        &b""[..],
        b"AAAA",
        b"\xff\xfe",
        &SIGNED_BY_HUSH[..43],
        &[b'!'; 44],
        &huge,
    ] {
        assert_eq!(
            secrets.verify(Some(bad), BODY),
            Err(SignatureError::Malformed)
        );
    }
    assert_eq!(
        secrets.verify(Some(&[b'A'; 44]), BODY),
        Err(SignatureError::Malformed)
    );
    let zeros = [&[b'A'; 43][..], b"="].concat();
    assert_eq!(
        secrets.verify(Some(&zeros), BODY),
        Err(SignatureError::Wrong)
    );
}

#[test]
fn an_empty_secret_is_refused() {
    assert_eq!(
        WebhookSecrets::new("", None).unwrap_err(),
        SecretError::Empty
    );
    assert_eq!(
        WebhookSecrets::new("hush", Some("")).unwrap_err(),
        SecretError::Empty
    );
}

const GOOD: [(&str, &str); 7] = [
    ("X-Shopify-Topic", "orders/create"),
    (
        "x-shopify-webhook-id",
        "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
    ),
    ("X-SHOPIFY-SHOP-DOMAIN", "Shop.myshopify.com"),
    ("X-Shopify-API-Version", "2026-04"),
    ("X-Shopify-Event-Id", "98880550-7158-44d4-b7cd-2c97c8a091b5"),
    ("X-Shopify-Triggered-At", "2026-11-21T12:00:00.123456789Z"),
    ("content-type", "application/json"),
];

fn read(headers: &[(&str, &str)]) -> Result<Delivery, HeaderError> {
    Delivery::read(
        headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes())),
    )
}

fn with(name: &str, value: &str) -> Result<Delivery, HeaderError> {
    let replaced: Vec<_> = GOOD
        .iter()
        .map(|(other, old)| {
            (
                *other,
                if other.eq_ignore_ascii_case(name) {
                    value
                } else {
                    *old
                },
            )
        })
        .collect();
    read(&replaced)
}

#[test]
fn headers_are_read_without_case() {
    let delivery = read(&GOOD).unwrap();
    assert_eq!(delivery.topic, "orders/create");
    assert_eq!(delivery.shop_domain, "shop.myshopify.com");
    assert_eq!(delivery.triggered_at.unwrap().as_second(), 1_795_262_400);
    let least = read(&GOOD[..4]).unwrap();
    assert_eq!((least.event_id, least.triggered_at), (None, None));
}

#[test]
fn every_missing_or_repeated_header_is_named() {
    for (index, (name, _)) in GOOD[..4].iter().enumerate() {
        let mut headers = GOOD.to_vec();
        headers.remove(index);
        let error = read(&headers).unwrap_err();
        assert!(matches!(error, HeaderError::Missing(_)), "{error}");
        assert_eq!(error.header(), name.to_ascii_lowercase());
    }
    for (name, value) in &GOOD[..6] {
        let error = read(&[&GOOD[..], &[(*name, *value)]].concat()).unwrap_err();
        assert!(matches!(error, HeaderError::Repeated(_)), "{error}");
    }
}

#[test]
fn hostile_values_are_refused() {
    let long = "x".repeat(256);
    for name in [
        "X-Shopify-Topic",
        "X-Shopify-Webhook-Id",
        "X-Shopify-API-Version",
        "X-Shopify-Event-Id",
    ] {
        for value in ["", "a b", "a\tb", "ü", "a\0b", &long] {
            let error = with(name, value).unwrap_err();
            assert!(
                matches!(error, HeaderError::Unreadable(_)),
                "{name} {value:?}"
            );
        }
    }
    for value in ["a..b", ".", "a/b", "-a.b", "user@host", "a:443", "a?b"] {
        assert_eq!(
            with("X-Shopify-Shop-Domain", value),
            Err(HeaderError::ShopDomain),
            "{value}"
        );
    }
    for value in ["yesterday", "2026-11-21", "1795262400"] {
        assert_eq!(
            with("X-Shopify-Triggered-At", value),
            Err(HeaderError::TriggeredAt),
            "{value}"
        );
    }
}
