//! The body of a draft, checked strictly: every field at fault is named by its JSON pointer.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::problem::FieldError;

const ITEMS_MAX: usize = 1_000;
const TEXT_CHARS_MAX: usize = 255;
const NOTES_CHARS_MAX: usize = 4_096;
const QUANTITY_MAX: u64 = 1_000_000;
/// Faults named in one answer; the rest is left for the next try.
const ERRORS_MAX: usize = 50;

/// What the sandbox keeps of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DraftOrder {
    pub(crate) our_reference: Arc<str>,
    pub(crate) aggregate_key: Option<Arc<str>>,
    pub(crate) sequence: Option<i64>,
}

/// Reads a draft, or says what is wrong with it.
pub(crate) fn read(body: &Value) -> Result<DraftOrder, Vec<FieldError>> {
    let mut check = Check::default();
    let Some(draft) = body.as_object() else {
        check.fault("", "wrong_type", "the body must be an object");
        return Err(check.faults);
    };
    let known = [
        "external_order_id",
        "items",
        "ship_to",
        "shipping_service",
        "notes",
        "metadata",
    ];
    check.no_others(draft, "", &known);
    let our_reference = check.text(draft, "", "external_order_id", TEXT_CHARS_MAX);
    check.items(draft.get("items"));
    check.texts(draft.get("ship_to"), "/ship_to");
    check.optional_text(draft, "shipping_service", TEXT_CHARS_MAX);
    check.optional_text(draft, "notes", NOTES_CHARS_MAX);
    let (aggregate_key, sequence) = check.metadata(draft.get("metadata"));
    match our_reference {
        Some(our_reference) if check.faults.is_empty() => Ok(DraftOrder {
            our_reference,
            aggregate_key,
            sequence,
        }),
        _ => Err(check.faults),
    }
}

/// The body of a confirmation: empty, or an object which may carry `metadata` of its own (checked, not kept: an
/// order's metadata is its draft's).
pub(crate) fn read_confirmation(body: &Value) -> Result<(), Vec<FieldError>> {
    let mut check = Check::default();
    match body.as_object() {
        Some(confirmation) => {
            check.no_others(confirmation, "", &["metadata"]);
            check.metadata(confirmation.get("metadata"));
        }
        None => check.fault("", "wrong_type", "the body must be an object"),
    }
    if check.faults.is_empty() {
        return Ok(());
    }
    Err(check.faults)
}

#[derive(Default)]
struct Check {
    faults: Vec<FieldError>,
}

impl Check {
    fn fault(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        if self.faults.len() < ERRORS_MAX {
            self.faults.push(FieldError {
                pointer: pointer.into(),
                code,
                detail: detail.into(),
            });
        }
    }

    fn no_others(&mut self, object: &Map<String, Value>, at: &str, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let short: String = name.chars().take(64).collect();
            let escaped = short.replace('~', "~0").replace('/', "~1");
            self.fault(
                format!("{at}/{escaped}"),
                "unknown_field",
                "the contract has no such field",
            );
        }
    }

    /// A text that must be there.
    fn text(
        &mut self,
        object: &Map<String, Value>,
        at: &str,
        name: &str,
        chars_max: usize,
    ) -> Option<Arc<str>> {
        let pointer = format!("{at}/{name}");
        match object.get(name) {
            None => {
                self.fault(pointer, "missing", "this field is required");
                None
            }
            Some(Value::String(text)) => {
                let proper = !text.is_empty()
                    && text.chars().count() <= chars_max
                    && !text.chars().any(char::is_control);
                if !proper {
                    let detail =
                        format!("1 to {chars_max} characters without control characters are asked");
                    self.fault(pointer, "out_of_range", detail);
                }
                proper.then(|| Arc::from(text.as_str()))
            }
            Some(_) => {
                self.fault(pointer, "wrong_type", "a string is asked");
                None
            }
        }
    }

    fn optional_text(&mut self, object: &Map<String, Value>, name: &str, chars_max: usize) {
        match object.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.chars().count() <= chars_max => {}
            Some(Value::String(_)) => {
                let detail = format!("at most {chars_max} characters are taken");
                self.fault(format!("/{name}"), "out_of_range", detail);
            }
            Some(_) => self.fault(format!("/{name}"), "wrong_type", "a string is asked"),
        }
    }

    /// An object of texts; may be left out or null.
    fn texts(&mut self, value: Option<&Value>, at: &str) {
        let object = match value {
            None | Some(Value::Null) => return,
            Some(Value::Object(object)) => object,
            Some(_) => return self.fault(at, "wrong_type", "an object is asked"),
        };
        for (name, value) in object {
            let proper = match value {
                Value::Null => true,
                Value::String(text) => text.chars().count() <= NOTES_CHARS_MAX,
                _ => false,
            };
            if !proper {
                let short: String = name.chars().take(64).collect();
                let escaped = short.replace('~', "~0").replace('/', "~1");
                self.fault(
                    format!("{at}/{escaped}"),
                    "wrong_type",
                    "a short string or null is asked",
                );
            }
        }
    }

    fn items(&mut self, value: Option<&Value>) {
        let items = match value {
            None => return self.fault("/items", "missing", "this field is required"),
            Some(Value::Array(items)) => items,
            Some(_) => return self.fault("/items", "wrong_type", "an array is asked"),
        };
        if items.is_empty() || items.len() > ITEMS_MAX {
            let detail = format!("1 to {ITEMS_MAX} items are asked");
            return self.fault("/items", "out_of_range", detail);
        }
        for (n, item) in items.iter().enumerate() {
            let at = format!("/items/{n}");
            match item.as_object() {
                Some(item) => self.item(item, &at),
                None => self.fault(at, "wrong_type", "an object is asked"),
            }
        }
    }

    fn item(&mut self, item: &Map<String, Value>, at: &str) {
        self.no_others(
            item,
            at,
            &["line_ref", "supplier_sku", "quantity", "max_unit_cost"],
        );
        self.text(item, at, "line_ref", TEXT_CHARS_MAX);
        self.text(item, at, "supplier_sku", TEXT_CHARS_MAX);
        let pointer = format!("{at}/quantity");
        match item.get("quantity") {
            None => self.fault(pointer, "missing", "this field is required"),
            Some(value) => match value.as_u64() {
                Some(1..=QUANTITY_MAX) => {}
                Some(_) => self.fault(
                    pointer,
                    "out_of_range",
                    format!("1 to {QUANTITY_MAX} is asked"),
                ),
                None => self.fault(pointer, "wrong_type", "a whole number above 0 is asked"),
            },
        }
        self.money(item.get("max_unit_cost"), &format!("{at}/max_unit_cost"));
    }

    /// `{amount: "12.34", currency: "USD"}`; may be left out or null.
    fn money(&mut self, value: Option<&Value>, at: &str) {
        let money = match value {
            None | Some(Value::Null) => return,
            Some(Value::Object(money)) => money,
            Some(_) => return self.fault(at, "wrong_type", "an object is asked"),
        };
        self.no_others(money, at, &["amount", "currency"]);
        let amount = money.get("amount").and_then(Value::as_str);
        if !amount.is_some_and(is_decimal) {
            let detail = "a decimal like \"12.34\" is asked, as a string";
            self.fault(format!("{at}/amount"), "wrong_type", detail);
        }
        let currency = money.get("currency").and_then(Value::as_str);
        let is_code = |code: &str| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
        if !currency.is_some_and(is_code) {
            let detail = "an ISO 4217 code like \"USD\" is asked";
            self.fault(format!("{at}/currency"), "wrong_type", detail);
        }
    }

    fn metadata(&mut self, value: Option<&Value>) -> (Option<Arc<str>>, Option<i64>) {
        let metadata = match value {
            None | Some(Value::Null) => return (None, None),
            Some(Value::Object(metadata)) => metadata,
            Some(_) => {
                self.fault("/metadata", "wrong_type", "an object is asked");
                return (None, None);
            }
        };
        self.no_others(metadata, "/metadata", &["order", "sequence"]);
        let order = match metadata.get("order") {
            None | Some(Value::Null) => None,
            Some(_) => self.text(metadata, "/metadata", "order", TEXT_CHARS_MAX),
        };
        let sequence = match metadata.get("sequence") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let sequence = value.as_i64();
                if sequence.is_none() {
                    self.fault(
                        "/metadata/sequence",
                        "wrong_type",
                        "a whole number is asked",
                    );
                }
                sequence
            }
        };
        (order, sequence)
    }
}

fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit())
    };
    // All that 64 bits of minor units can say.
    digits(whole, 19) && digits(fraction, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn proper() -> Value {
        json!({
            "external_order_id": "1001-ab",
            "items": [
                {"line_ref": "1", "supplier_sku": "ACME-1", "quantity": 2, "max_unit_cost": {"amount": "12.34", "currency": "USD"}},
                {"line_ref": "2", "supplier_sku": "ACME-ü", "quantity": 1},
            ],
            "ship_to": {"name": "Zoë 李", "address2": null},
            "shipping_service": null,
            "metadata": {"order": "1001", "sequence": 9_007_199_254_740_993_i64},
        })
    }

    #[test]
    fn a_proper_draft_is_read_with_its_aggregate_and_sequence() {
        let read = read(&proper()).unwrap();
        assert_eq!(&*read.our_reference, "1001-ab");
        assert_eq!(read.aggregate_key.as_deref(), Some("1001"));
        assert_eq!(read.sequence, Some(9_007_199_254_740_993));
    }

    #[test]
    fn every_fault_is_named_by_its_pointer() {
        let long = "x".repeat(256);
        for (pointer, value, expected) in [
            ("/external_order_id", json!(null), "/external_order_id"),
            ("/external_order_id", json!(""), "/external_order_id"),
            ("/external_order_id", json!("a\u{0}b"), "/external_order_id"),
            ("/external_order_id", json!(long), "/external_order_id"),
            ("/items", json!({}), "/items"),
            ("/items", json!([]), "/items"),
            ("/items", json!([7]), "/items/0"),
            ("/items/1/quantity", json!(0), "/items/1/quantity"),
            ("/items/1/quantity", json!(-1), "/items/1/quantity"),
            ("/items/1/quantity", json!(1.5), "/items/1/quantity"),
            ("/items/1/quantity", json!("1"), "/items/1/quantity"),
            ("/items/1/quantity", json!(1_000_001), "/items/1/quantity"),
            ("/items/0/supplier_sku", json!(12), "/items/0/supplier_sku"),
            (
                "/items/0/max_unit_cost/amount",
                json!(12.34),
                "/items/0/max_unit_cost/amount",
            ),
            (
                "/items/0/max_unit_cost/amount",
                json!("1e3"),
                "/items/0/max_unit_cost/amount",
            ),
            (
                "/items/0/max_unit_cost/currency",
                json!("usd"),
                "/items/0/max_unit_cost/currency",
            ),
            ("/ship_to", json!([]), "/ship_to"),
            ("/ship_to/name", json!({}), "/ship_to/name"),
            ("/metadata", json!("x"), "/metadata"),
            ("/metadata/sequence", json!("1"), "/metadata/sequence"),
            ("/metadata/order", json!(1), "/metadata/order"),
        ] {
            let mut body = proper();
            *body.pointer_mut(pointer).unwrap() = value;
            let faults = read(&body).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].pointer, expected);
        }
    }

    #[test]
    fn missing_and_unknown_fields_are_named() {
        let faults = read(&json!({"a/b": 1})).unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a~1b", "/external_order_id", "/items"]);
        for body in [json!([]), json!("x"), json!(null)] {
            assert_eq!(read(&body).unwrap_err()[0].pointer, "");
        }
    }

    #[test]
    fn the_list_of_faults_is_bounded() {
        let items: Vec<Value> = (0..ITEMS_MAX).map(|_| json!({})).collect();
        let faults = read(&json!({"external_order_id": "1", "items": items})).unwrap_err();
        assert_eq!(faults.len(), ERRORS_MAX);
    }

    #[test]
    fn a_confirmation_is_empty_or_has_metadata() {
        assert!(read_confirmation(&json!({})).is_ok());
        assert!(read_confirmation(&json!({"metadata": {"order": "1"}})).is_ok());
        assert!(read_confirmation(&json!({"items": []})).is_err());
        assert!(read_confirmation(&json!([])).is_err());
    }
}
