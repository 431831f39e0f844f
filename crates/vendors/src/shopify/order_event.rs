//! The event that a shop's order becomes.
//!
//! Invariant: what comes out has passed the event's own check, so that it can be published; the version is the shop's
//! own, so that a late delivery is recognised as late.

use argosy_events::{
    Payload,
    orders::v1::{Address, Customer, Line, OrderPlaced},
};

use super::{Order, PayloadError, order};

/// Titles and names are cut to this many characters; both are for people alone.
const TITLE_CHARS_MAX: usize = 250;

/// The event that this order was placed at this shop. A line of which nothing is left (quantity 0) is left out.
///
/// # Errors
///
/// The field of the payload that is not as the event wants it; the header, if it is the shop.
pub fn order_placed(order: Order, shop_domain: &str) -> Result<OrderPlaced, PayloadError> {
    let kept: Vec<usize> = (0..order.lines.len())
        .filter(|index| order.lines[*index].quantity > 0)
        .collect();
    let placed = OrderPlaced {
        order_id: order.id.to_string(),
        version: order.updated_at.as_millisecond(),
        shop: shop_domain.to_owned(),
        name: cut(&order.name),
        currency: order.currency,
        lines: order
            .lines
            .into_iter()
            .filter(|line| line.quantity > 0)
            .map(line)
            .collect(),
        total: Some(order.total),
        customer: order.customer.map(customer),
        shipping_address: order.shipping_address.map(address),
    };
    placed.check().map_err(|invalid| PayloadError {
        path: as_sent(&invalid.path, &kept),
        message: invalid.message,
    })?;
    Ok(placed)
}

/// The payload's path of a field of the event; `kept` are the lines of the payload that became lines of the event.
fn as_sent(path: &str, kept: &[usize]) -> String {
    if let Some((index, field)) = line_field(path) {
        let index = kept.get(index).copied().unwrap_or(index);
        let field = match field {
            "line_id" => "id",
            "unit_price.minor" | "unit_price.currency" => "price",
            same => same,
        };
        return format!("line_items[{index}].{field}");
    }
    match path {
        "order_id" => "id",
        "version" => "updated_at",
        "shop" => "x-shopify-shop-domain",
        "lines" => "line_items",
        "total.minor" | "total.currency" => "total_price",
        "customer.customer_id" => "customer.id",
        "shipping_address.postal_code" => "shipping_address.zip",
        same => same,
    }
    .to_owned()
}

fn line_field(path: &str) -> Option<(usize, &str)> {
    let (index, field) = path.strip_prefix("lines[")?.split_once("].")?;
    Some((index.parse().ok()?, field))
}

fn line(line: order::Line) -> Line {
    Line {
        line_id: line.id.to_string(),
        sku: line.sku,
        quantity: line.quantity,
        title: cut(&line.title),
        unit_price: Some(line.unit_price),
    }
}

fn customer(customer: order::Customer) -> Customer {
    Customer {
        customer_id: customer.id.to_string(),
        email: customer.email,
        first_name: customer.first_name,
        last_name: customer.last_name,
        phone: customer.phone,
    }
}

fn address(address: order::Address) -> Address {
    Address {
        name: address.name,
        company: address.company,
        address1: address.address1,
        address2: address.address2,
        city: address.city,
        province_code: address.province_code,
        postal_code: address.zip,
        country_code: address.country_code,
        phone: address.phone,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TITLE_CHARS_MAX).collect()
}
