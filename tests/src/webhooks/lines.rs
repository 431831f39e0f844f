//! What is in an order: its lines, shipping, discounts and taxes, with sums that hold.

use serde_json::{Value, json};

use super::{GeneratedLine, GeneratorSettings, chance::Chance, money::Currencies};

const TITLES: [&str; 6] = [
    "Lampion „Mond“",
    "提灯 (赤)",
    "Lantern, 12\" \\ wide",
    "فانوس رمضان",
    "Светильник",
    "Lantern 🏮 deluxe",
];
const TAX_PERCENT: u64 = 8;

/// The goods of one order; sums in minor units of the shop's currency.
#[derive(Debug)]
pub(super) struct Basket {
    pub(super) lines: Vec<GeneratedLine>,
    pub(super) currencies: Currencies,
    pub(super) line_items: u64,
    pub(super) discounts: u64,
    pub(super) shipping: u64,
    pub(super) tax: u64,
    pub(super) grams: u64,
    pub(super) line_items_json: Vec<Value>,
    pub(super) shipping_lines_json: Vec<Value>,
}

/// Prices of one line.
struct Drawn {
    line: GeneratedLine,
    price: u64,
    discount: u64,
    tax: u64,
    grams: u64,
}

impl Basket {
    pub(super) fn draw(
        chance: &mut Chance,
        settings: &GeneratorSettings,
        currencies: Currencies,
    ) -> Self {
        let mut basket = Self {
            lines: Vec::new(),
            currencies,
            line_items: 0,
            discounts: 0,
            shipping: chance.between(0, 2_000),
            tax: 0,
            grams: 0,
            line_items_json: Vec::new(),
            shipping_lines_json: Vec::new(),
        };
        let is_discounted = chance.one_in(4);
        for number in 0..chance.between(1, settings.lines_max.max(1)) {
            let prefix = &settings.sku_prefixes[chance.index(settings.sku_prefixes.len())];
            let line = GeneratedLine {
                id: chance.id(),
                sku: format!("{prefix}{:04}-{number}", chance.between(0, 9_999)),
                quantity: chance.between(1, 12),
            };
            let price = chance.between(1, 99_999);
            let whole = price * line.quantity;
            let discount = if is_discounted { whole / 10 } else { 0 };
            let drawn = Drawn {
                tax: (whole - discount) * TAX_PERCENT / 100,
                grams: chance.between(0, 5_000),
                line,
                price,
                discount,
            };
            basket.add(chance, drawn);
        }
        let shipping = basket.shipping_line(chance);
        basket.shipping_lines_json.push(shipping);
        basket
    }

    pub(super) fn subtotal(&self) -> u64 {
        self.line_items - self.discounts
    }

    pub(super) fn total(&self) -> u64 {
        self.subtotal() + self.shipping + self.tax
    }

    pub(super) fn tax_lines(&self, tax: u64) -> Value {
        json!([{
            "title": "MwSt. / 消費税",
            "rate": 0.08,
            "price": self.currencies.amount(tax),
            "price_set": self.currencies.set(tax),
            "channel_liable": false,
        }])
    }

    pub(super) fn discount_codes(&self) -> Value {
        if self.discounts == 0 {
            return json!([]);
        }
        let amount = self.currencies.amount(self.discounts);
        json!([{"code": "ZEHN-PROZENT", "amount": amount, "type": "percentage"}])
    }

    pub(super) fn discount_applications(&self) -> Value {
        if self.discounts == 0 {
            return json!([]);
        }
        json!([{
            "type": "discount_code",
            "code": "ZEHN-PROZENT",
            "value": "10.0",
            "value_type": "percentage",
            "allocation_method": "across",
            "target_selection": "all",
            "target_type": "line_item",
        }])
    }

    fn add(&mut self, chance: &mut Chance, drawn: Drawn) {
        self.line_items_json.push(self.line_item(chance, &drawn));
        self.line_items += drawn.price * drawn.line.quantity;
        self.discounts += drawn.discount;
        self.tax += drawn.tax;
        self.grams += drawn.grams * drawn.line.quantity;
        self.lines.push(drawn.line);
    }

    fn line_item(&self, chance: &mut Chance, drawn: &Drawn) -> Value {
        let money = self.currencies;
        let GeneratedLine { id, sku, quantity } = &drawn.line;
        let title = chance.pick(TITLES);
        let is_known = !chance.one_in(10);
        let net = drawn.price * quantity - drawn.discount;
        let allocation = json!({
            "amount": money.amount(drawn.discount),
            "amount_set": money.set(drawn.discount),
            "discount_application_index": 0,
        });
        let allocations: Vec<Value> = (drawn.discount > 0)
            .then_some(allocation)
            .into_iter()
            .collect();
        json!({
            "id": id,
            "admin_graphql_api_id": format!("gid://shopify/LineItem/{id}"),
            "attributed_staffs": [],
            "current_quantity": quantity,
            "discount_allocations": allocations,
            "duties": [],
            "fulfillable_quantity": quantity,
            "fulfillment_service": "manual",
            "fulfillment_status": null,
            "gift_card": false,
            "grams": drawn.grams,
            "name": format!("{title} - Größe M"),
            "pre_tax_price": money.amount(net),
            "pre_tax_price_set": money.set(net),
            "price": money.amount(drawn.price),
            "price_set": money.set(drawn.price),
            "product_exists": is_known,
            "product_id": is_known.then(|| chance.id()),
            "properties": [{"name": "Gravur", "value": "für 李 ❤"}],
            "quantity": quantity,
            "requires_shipping": true,
            "sales_line_item_group_id": null,
            "sku": sku,
            "tax_lines": self.tax_lines(drawn.tax),
            "taxable": true,
            "title": title,
            "total_discount": money.amount(0),
            "total_discount_set": money.set(0),
            "variant_id": is_known.then(|| chance.id()),
            "variant_inventory_management": is_known.then_some("shopify"),
            "variant_title": chance.one_in(2).then_some("Größe M"),
            "vendor": chance.one_in(2).then_some("Lantern & Co"),
        })
    }

    fn shipping_line(&self, chance: &mut Chance) -> Value {
        let money = self.currencies;
        json!({
            "id": chance.id(),
            "carrier_identifier": null,
            "code": "Standard",
            "current_discounted_price_set": money.set(self.shipping),
            "discount_allocations": [],
            "discounted_price": money.amount(self.shipping),
            "discounted_price_set": money.set(self.shipping),
            "is_removed": false,
            "phone": null,
            "price": money.amount(self.shipping),
            "price_set": money.set(self.shipping),
            "requested_fulfillment_service_id": null,
            "source": "shopify",
            "tax_lines": [],
            "title": "Envío estándar",
        })
    }
}
