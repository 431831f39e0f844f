//! What the production profile refuses.

use super::*;

#[test]
fn production_refuses_what_a_laptop_may_do() {
    let text = "profile = \"production\"\n[sandbox.suppliers.a]\nrepeat = \"natural\"\ntoken = \"t\"\n\
        [orders.suppliers.a]\nskus = [\"A\"]\nrepeat = \"natural\"\nbase_url = \"http://example.com\"\n\
        [gateway.shopify]\nsecret = \"0123456789abcdef0123456789abcdef\"\n";
    let variables = [
        ("ARGOSY__ORDERS__SUPPLIERS__A__TOKEN", "short"),
        ("ARGOSY__STORE__URL", "postgres://a:short@b/c"),
    ];
    let all = [Part::Store, Part::Gateway, Part::Orders];
    let error = read(text, &variables, &all).unwrap_err();
    let mut keys: Vec<&str> = error
        .faults
        .iter()
        .map(|fault| fault.key.as_str())
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "gateway.intake_token",
            "gateway.operator_token",
            "gateway.shopify.secret",
            "orders.suppliers.a.base_url",
            "orders.suppliers.a.token",
            "sandbox",
            "sandbox.suppliers.a.token",
            "store.url"
        ]
    );
}

#[test]
fn production_accepts_long_secrets_https_and_hosts_allowed_by_name() {
    let text = "profile = \"production\"\n\
        [orders.suppliers.a]\nskus = [\"A\"]\nrepeat = \"natural\"\nbase_url = \"https://example.com\"\n\
        [orders.suppliers.b]\nskus = [\"B\"]\nrepeat = \"natural\"\nbase_url = \"http://b.internal:80\"\n\
        [dependencies]\nprivate_hosts = [\"B.internal\"]\n";
    let variables = [
        ("ARGOSY__GATEWAY__OPERATOR_TOKEN", STRONG),
        ("ARGOSY__GATEWAY__INTAKE_TOKEN", STRONG),
    ];
    read(text, &variables, &[Part::Gateway, Part::Orders]).unwrap();
}

#[test]
fn production_refuses_a_gateway_that_takes_events_from_anybody() {
    let text = "profile = \"production\"\n";
    let variables = [("ARGOSY__GATEWAY__OPERATOR_TOKEN", STRONG)];
    let error = read(text, &variables, &[Part::Gateway]).unwrap_err();
    let keys: Vec<&str> = error.faults.iter().map(|fault| &*fault.key).collect();
    assert_eq!(keys, ["gateway.intake_token"], "{error}");
    read("", &variables, &[Part::Gateway]).unwrap();
}
