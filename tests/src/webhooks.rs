//! Generates Shopify `orders/create` webhooks of the documented shape, the same for the same seed, and signs them.
//!
//! Pure functions. What is drawn: 1 to 30 lines, ids above 2^53, names from many scripts, guests, orders without a
//! shipping address, currencies of no, two and three decimals, and a presentment currency that is not the shop's.
//! Sums hold: lines less discounts plus shipping and tax is the total.

mod chance;
mod lines;
mod money;
mod people;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use chance::Chance;
use lines::Basket;
use money::Currencies;
use people::Person;

/// What is generated.
#[derive(Clone, Debug)]
pub struct GeneratorSettings {
    /// SKUs begin with one of these.
    pub sku_prefixes: Vec<String>,
    /// At least 1.
    pub lines_max: u64,
}

impl Default for GeneratorSettings {
    fn default() -> Self {
        Self {
            sku_prefixes: vec!["ACME-".into()],
            lines_max: 30,
        }
    }
}

/// A generated webhook and what a judge must know of it.
#[derive(Clone, Debug)]
pub struct GeneratedOrder {
    /// The order's id; above 2^53.
    pub id: i64,
    /// The webhook's raw body.
    pub body: Vec<u8>,
    /// Its lines, in order.
    pub lines: Vec<GeneratedLine>,
}

/// One line of a generated order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedLine {
    /// The line's id; above 2^53.
    pub id: i64,
    /// Begins with one of the given prefixes.
    pub sku: String,
    /// How many.
    pub quantity: u64,
}

/// The value of `X-Shopify-Hmac-Sha256` for this body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The order of this seed.
pub fn payload(seed: u64, settings: &GeneratorSettings) -> GeneratedOrder {
    let mut chance = Chance::new(seed);
    let id = chance.id();
    let currencies = Currencies::draw(&mut chance);
    let person = Person::draw(&mut chance);
    let basket = Basket::draw(&mut chance, settings, currencies);
    let at = chance.time();
    let mut order = Map::new();
    for part in [
        identity(&mut chance, id),
        times(&at),
        status(&mut chance),
        contact(&mut chance, &person),
        prices(&basket),
        totals(&basket),
        lists(&basket),
        people(&mut chance, &person, currencies, &at),
    ] {
        if let Value::Object(part) = part {
            order.extend(part);
        }
    }
    let body = serde_json::to_vec(&order).expect("JSON values always serialize");
    GeneratedOrder {
        id,
        body,
        lines: basket.lines,
    }
}

fn identity(chance: &mut Chance, id: i64) -> Value {
    let number = chance.between(1, 1_000_000);
    let token = format!("{:016x}{:016x}", chance.next(), chance.next());
    let checkout = chance.one_in(3).then(|| format!("{:032x}", chance.next()));
    json!({
        "id": id,
        "admin_graphql_api_id": format!("gid://shopify/Order/{id}"),
        "name": format!("#{}", number + 1_000),
        "number": number,
        "order_number": number + 1_000,
        "confirmation_number": chance.one_in(2).then_some("XPAV284CT"),
        "token": token,
        "cart_token": checkout,
        "checkout_token": checkout,
        "reference": checkout,
        "source_identifier": checkout,
        "source_name": chance.pick(["web", "pos", "580111"]),
        "source_url": null,
        "app_id": chance.one_in(2).then_some(580_111),
        "user_id": null,
        "location_id": null,
        "device_id": null,
        "merchant_business_entity_id": "MTU0ODM4MDAwOQ",
        "merchant_of_record_app_id": null,
        "po_number": chance.one_in(5).then_some("PO-Ünï-7"),
    })
}

fn times(at: &str) -> Value {
    json!({
        "created_at": at,
        "updated_at": at,
        "processed_at": at,
        "cancelled_at": null,
        "closed_at": null,
        "cancel_reason": null,
    })
}

fn status(chance: &mut Chance) -> Value {
    json!({
        "financial_status": chance.pick(["paid", "authorized", "pending", "partially_paid"]),
        "fulfillment_status": null,
        "confirmed": true,
        "test": false,
        "buyer_accepts_marketing": chance.one_in(2),
        "tax_exempt": false,
        "taxes_included": false,
        "duties_included": false,
        "estimated_taxes": chance.one_in(2),
    })
}

fn contact(chance: &mut Chance, person: &Person) -> Value {
    let browser = json!({
        "accept_language": "ja-JP,ja;q=0.9",
        "browser_height": 1_320,
        "browser_ip": "192.0.2.17",
        "browser_width": 1_280,
        "session_hash": null,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) \"quoted\" \\ back",
    });
    json!({
        "email": person.email,
        "contact_email": person.email,
        "phone": chance.one_in(2).then_some("+81312345678"),
        "customer_locale": chance.pick([Some("en"), Some("ja-JP"), Some("ar"), None]),
        "browser_ip": chance.one_in(2).then_some("192.0.2.17"),
        "client_details": chance.one_in(2).then_some(browser),
        "landing_site": chance.one_in(2).then_some("/?utm_source=ünïcode&utm_medium=mail"),
        "landing_site_ref": null,
        "referring_site": chance.one_in(2).then_some("https://search.example/?q=%E6%9D%8E"),
        "order_status_url": "https://lantern.example/548380009/orders/123456abcd/authenticate?key=abcdefg",
        "note": chance.one_in(3).then_some("Bitte klingeln 🔔\nund \"leise\" sein"),
        "tags": chance.pick(["", "vip", "vip, überraschung, 新客"]),
    })
}

fn prices(basket: &Basket) -> Value {
    let money = basket.currencies;
    json!({
        "currency": money.shop.code,
        "presentment_currency": money.presentment.code,
        "total_line_items_price": money.amount(basket.line_items),
        "total_line_items_price_set": money.set(basket.line_items),
        "total_discounts": money.amount(basket.discounts),
        "total_discounts_set": money.set(basket.discounts),
        "subtotal_price": money.amount(basket.subtotal()),
        "subtotal_price_set": money.set(basket.subtotal()),
        "total_tax": money.amount(basket.tax),
        "total_tax_set": money.set(basket.tax),
        "total_price": money.amount(basket.total()),
        "total_price_set": money.set(basket.total()),
        "total_shipping_price_set": money.set(basket.shipping),
        "total_outstanding": money.amount(0),
        "total_tip_received": money.amount(0),
        "total_weight": basket.grams,
        "original_total_duties_set": null,
        "original_total_additional_fees_set": null,
        "total_cash_rounding_payment_adjustment_set": money.set(0),
        "total_cash_rounding_refund_adjustment_set": money.set(0),
    })
}

fn totals(basket: &Basket) -> Value {
    let money = basket.currencies;
    json!({
        "current_subtotal_price": money.amount(basket.subtotal()),
        "current_subtotal_price_set": money.set(basket.subtotal()),
        "current_total_price": money.amount(basket.total()),
        "current_total_price_set": money.set(basket.total()),
        "current_total_tax": money.amount(basket.tax),
        "current_total_tax_set": money.set(basket.tax),
        "current_total_discounts": money.amount(basket.discounts),
        "current_total_discounts_set": money.set(basket.discounts),
        "current_shipping_price_set": money.set(basket.shipping),
        "current_total_duties_set": null,
        "current_total_additional_fees_set": null,
    })
}

fn lists(basket: &Basket) -> Value {
    json!({
        "line_items": basket.line_items_json,
        "shipping_lines": basket.shipping_lines_json,
        "tax_lines": basket.tax_lines(basket.tax),
        "discount_codes": basket.discount_codes(),
        "discount_applications": basket.discount_applications(),
        "fulfillments": [],
        "refunds": [],
        "returns": [],
        "line_item_groups": [],
        "note_attributes": [{"name": "gift wrap", "value": "はい"}],
        "payment_gateway_names": ["bogus"],
        "payment_terms": null,
    })
}

fn people(chance: &mut Chance, person: &Person, currencies: Currencies, at: &str) -> Value {
    let shipping = (!chance.one_in(20)).then(|| person.address());
    let billing = (!chance.one_in(20)).then(|| person.address());
    let is_guest = chance.one_in(5);
    let customer = (!is_guest).then(|| person.customer(chance.id(), currencies.shop.code, at));
    json!({
        "customer": customer,
        "shipping_address": shipping,
        "billing_address": billing,
    })
}

#[cfg(test)]
mod tests;
