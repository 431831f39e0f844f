//! The committed contracts: every example fits the shape it is an example of, and so does what the client sends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::PathBuf};

use argosy_events::orders::v1::{Address, Money};
use argosy_outbound::{Dependency, Repeat};
use argosy_vendors::supplier::{Item, Metadata, NewOrder, Supplier};
use serde_json::Value;

fn contract(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../contracts")
        .join(name);
    serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
}

/// The part of JSON Schema that the contracts use.
fn faults(schema: &Value, root: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return faults(root.pointer(&reference[1..]).unwrap(), root, value, at);
    }
    let mut found = Vec::new();
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(kind, value)) {
        found.push(format!("{at} is not {kinds:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{at} is none of {allowed:?}"));
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !object.contains_key(name) {
                found.push(format!("{at}/{name} is missing"));
            }
        }
        for (name, value) in object {
            match schema["properties"].get(name) {
                Some(schema) => found.extend(faults(schema, root, value, &format!("{at}/{name}"))),
                None if schema["additionalProperties"] == false => {
                    found.push(format!("{at}/{name} is unknown"))
                }
                None => {}
            }
        }
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = schema.get("items") {
            found.extend(faults(schema, root, value, &format!("{at}/{index}")));
        }
    }
    found
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("the contracts use no `{other}`"),
    }
}

#[test]
fn every_example_fits_the_contract() {
    let supplier = contract("supplier/contract.schema.json");
    for (shape, example) in [
        ("NewOrder", "new-order"),
        ("Order", "order-draft"),
        ("Order", "order-accepted"),
        ("OrderPage", "page-one"),
        ("OrderPage", "page-empty"),
        ("Problem", "problem-duplicate-order"),
        ("Problem", "problem-idempotency-mismatch"),
        ("Problem", "problem-out-of-stock"),
        ("Problem", "problem-address-invalid"),
        ("Problem", "problem-order-not-found"),
    ] {
        let value = contract(&format!("supplier/{example}.json"));
        assert_eq!(
            faults(&supplier["$defs"][shape], &supplier, &value, example),
            [""; 0]
        );
    }
    let shopify = contract("shopify/orders.create.schema.json");
    for example in ["orders.create", "orders.create.guest"] {
        let value = contract(&format!("shopify/{example}.json"));
        assert_eq!(faults(&shopify, &shopify, &value, example), [""; 0]);
    }
}

#[test]
fn a_draft_is_sent_as_the_contract_shows_it() {
    let dependency = Dependency("acme".into());
    let supplier = Supplier {
        name: "acme".into(),
        dependency,
        repeat: Repeat::Natural,
        has_lookup: true,
    };
    let item = |line_ref: &str, sku: &str, quantity, cost: Option<i64>| Item {
        line_ref: line_ref.to_owned(),
        supplier_sku: sku.to_owned(),
        quantity,
        max_unit_cost: cost.map(|minor| Money {
            minor,
            currency: "USD".to_owned(),
        }),
    };
    let order = NewOrder {
        external_order_id: "9007199254740993-acme-5f1d".to_owned(),
        items: vec![
            item("11", "ACME-TEE-M", 2, Some(705)),
            item("12", "ACME-MÜTZE", 1, None),
        ],
        ship_to: Some(Address {
            name: "Zoë 李".to_owned(),
            address1: "1 Harbour Street".to_owned(),
            city: "Bremen".to_owned(),
            postal_code: "28195".to_owned(),
            country_code: "DE".to_owned(),
            ..Address::default()
        }),
        metadata: Metadata {
            order: "9007199254740993".to_owned(),
            sequence: 1_763_726_400_000,
        },
    };
    let call = supplier.draft(&order);
    let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
    assert_eq!(sent, contract("supplier/new-order.json"));
    assert_eq!(
        call.request.body,
        supplier.draft(&order).request.body,
        "the same order, the same bytes"
    );
    let shape = contract("supplier/contract.schema.json");
    assert_eq!(
        faults(&shape["$defs"]["NewOrder"], &shape, &sent, ""),
        [""; 0]
    );
}
