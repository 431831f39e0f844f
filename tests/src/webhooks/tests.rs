//! That generated webhooks are of the documented shape, differ as asked, and add up.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{money::CURRENCIES, *};

/// Enough for every number of lines to come up.
const MANY: u64 = 300;
const SOME: u64 = 50;

fn settings() -> GeneratorSettings {
    GeneratorSettings {
        sku_prefixes: vec!["ACME-".into(), "GLOBEX-".into()],
        ..GeneratorSettings::default()
    }
}

fn orders(seeds: u64) -> impl Iterator<Item = (GeneratedOrder, Value)> {
    (0..seeds).map(|seed| {
        let order = payload(seed, &settings());
        let json = serde_json::from_slice(&order.body).unwrap();
        (order, json)
    })
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_another() {
    let bodies: BTreeSet<Vec<u8>> = orders(SOME).map(|(order, _)| order.body).collect();
    assert_eq!(bodies.len() as u64, SOME);
    assert_eq!(payload(7, &settings()).body, payload(7, &settings()).body);
}

#[test]
fn every_order_has_the_93_keys_and_agrees_with_what_is_told_of_it() {
    for (order, json) in orders(SOME) {
        assert_eq!(json.as_object().unwrap().len(), 93);
        assert_eq!(json["id"], order.id);
        let items = json["line_items"].as_array().unwrap();
        assert_eq!(items.len(), order.lines.len());
        for (item, line) in items.iter().zip(&order.lines) {
            assert_eq!(item["id"], line.id);
            assert_eq!(item["sku"], *line.sku);
            assert_eq!(item["quantity"], line.quantity);
        }
    }
}

#[test]
fn what_was_asked_for_is_drawn() {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = |what: String| *seen.entry(what).or_default() += 1;
    for (order, json) in orders(MANY) {
        assert!(order.id > 1 << 53 && order.id as f64 as i64 != order.id);
        count(format!("lines {}", order.lines.len()));
        count(format!("currency {}", json["currency"].as_str().unwrap()));
        if json["currency"] != json["presentment_currency"] {
            count("two currencies".into());
        }
        for field in ["customer", "shipping_address"] {
            count(format!("{field} is null: {}", json[field].is_null()));
        }
        for line in &order.lines {
            count(format!("prefix {}", line.sku.split('-').next().unwrap()));
        }
    }
    let lines: Vec<String> = (1..=30).map(|n| format!("lines {n}")).collect();
    let currencies = CURRENCIES.map(|currency| format!("currency {}", currency.code));
    let others = [
        "two currencies",
        "customer is null: true",
        "customer is null: false",
        "shipping_address is null: true",
        "shipping_address is null: false",
        "prefix ACME",
        "prefix GLOBEX",
    ];
    let wanted = lines
        .into_iter()
        .chain(currencies)
        .chain(others.map(String::from));
    for wanted in wanted {
        assert!(seen.contains_key(&wanted), "{wanted} is never drawn");
    }
}

#[test]
fn sums_hold_in_every_currency() {
    for (_, json) in orders(SOME) {
        let decimals = match json["currency"].as_str().unwrap() {
            "JPY" => 0,
            "KWD" => 3,
            _ => 2,
        };
        let minor = |value: &Value| -> u64 {
            let text = value.as_str().unwrap();
            let fraction = text
                .split_once('.')
                .map_or(0, |(_, fraction)| fraction.len());
            assert_eq!(fraction, decimals, "{text}");
            text.replace('.', "").parse().unwrap()
        };
        let items = json["line_items"].as_array().unwrap();
        let whole = items
            .iter()
            .map(|item| minor(&item["price"]) * item["quantity"].as_u64().unwrap());
        assert_eq!(whole.sum::<u64>(), minor(&json["total_line_items_price"]));
        let shipping = minor(&json["total_shipping_price_set"]["shop_money"]["amount"]);
        let total = minor(&json["total_line_items_price"]) - minor(&json["total_discounts"])
            + shipping
            + minor(&json["total_tax"]);
        assert_eq!(total, minor(&json["total_price"]));
    }
}

#[test]
fn a_signature_is_the_one_of_a_known_vector() {
    // RFC 4231, test case 2.
    let signed = signature("Jefe", b"what do ya want for nothing?");
    let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let bytes = STANDARD.decode(signed).unwrap();
    let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown, hex);
}

#[test]
fn every_order_satisfies_the_published_schema_where_it_is_at_hand() {
    let Some(folder) = vendor_contracts() else {
        return;
    };
    let path = folder.join("shopify/webhooks/orders.create.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (_, json) in orders(SOME) {
        let mut faults = Vec::new();
        check(&schema, &json, "", &mut faults);
        // The schema is drawn from samples; guests and goods that are not sent are documented beside it.
        let nullable = ["/customer", "/billing_address", "/shipping_address"];
        faults.retain(|fault| !nullable.contains(&fault.as_str()));
        assert!(faults.is_empty(), "{faults:?}");
    }
}

fn vendor_contracts() -> Option<PathBuf> {
    let named = std::env::var_os("ARGOSY_VENDOR_CONTRACTS").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vendors");
    named.or_else(|| beside.is_dir().then_some(beside))
}

/// As much of JSON Schema as the published one uses; faults are JSON pointers.
fn check(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |wanted: &&str| match *wanted {
        "null" => value.is_null(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    };
    let is_formed = match (schema["format"].as_str(), value.as_str()) {
        (Some("date-time"), Some(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        (Some("ipv4"), Some(text)) => text.parse::<std::net::Ipv4Addr>().is_ok(),
        (Some("email"), Some(text)) => text.contains('@'),
        (Some("uri"), Some(text)) => text.contains("://"),
        _ => true,
    };
    if !is_formed || (!types.is_empty() && !types.iter().any(is)) {
        faults.push(at.to_owned());
        return;
    }
    if let Some(object) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten();
        let missing = required
            .filter_map(Value::as_str)
            .filter(|name| !object.contains_key(*name));
        faults.extend(missing.map(|name| format!("{at}/{name} is missing")));
        for (name, value) in object {
            match &schema["properties"][name] {
                Value::Null => faults.push(format!("{at}/{name} is unknown")),
                inner => check(inner, value, &format!("{at}/{name}"), faults),
            }
        }
    }
    if !schema["items"].is_null() {
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            check(&schema["items"], item, &format!("{at}/{n}"), faults);
        }
    }
}
