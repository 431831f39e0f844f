//! The event that a shop's order becomes.
//!
//! Invariant: what comes out has passed the event's own check, so that it can be published; the version is the shop's
//! own, so that a late delivery is recognised as late.

use argosy_events::{
    Invalid, Payload,
    orders::v1::{Address, Customer, Line, OrderPlaced},
};

use super::{Order, order};

/// Titles and names are cut to this many characters; both are for people alone.
const TITLE_CHARS_MAX: usize = 250;

/// The event that this order was placed at this shop. A line of which nothing is left (quantity 0) is left out.
///
/// # Errors
///
/// The field of the event that is not as the event wants it.
pub fn order_placed(order: Order, shop_domain: &str) -> Result<OrderPlaced, Invalid> {
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
    placed.check()?;
    Ok(placed)
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
