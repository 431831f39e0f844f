//! The bodies on `argosy.order-events.v1`.

use std::collections::HashSet;

use super::{
    check::{at_most, currency, id, invalid, not_negative, optional_id, text},
    payload,
};
use crate::{
    Invalid, catalogue,
    orders::v1::{
        Address, Customer, Line, Money, OrderApproved, OrderPlaced, OrderRefused, OrderRouted,
    },
};

/// Most lines of one order.
const LINES_MAX: usize = 1_000;

/// Most pieces of one line.
const QUANTITY_MAX: u32 = 1_000_000;

payload!(
    OrderPlaced,
    "argosy.orders.v1.OrderPlaced",
    catalogue::ORDER_EVENTS,
    |order| order.order_id.clone(),
    check_placed
);
payload!(
    OrderApproved,
    "argosy.orders.v1.OrderApproved",
    catalogue::ORDER_EVENTS,
    |order| order.order_id.clone(),
    check_approved
);
payload!(
    OrderRouted,
    "argosy.orders.v1.OrderRouted",
    catalogue::ORDER_EVENTS,
    |order| order.order_id.clone(),
    check_routed
);
payload!(
    OrderRefused,
    "argosy.orders.v1.OrderRefused",
    catalogue::ORDER_EVENTS,
    |order| order.order_id.clone(),
    check_refused
);

/// An order that nobody has to look at is approved as it was placed.
impl From<OrderPlaced> for OrderApproved {
    fn from(placed: OrderPlaced) -> Self {
        Self {
            order_id: placed.order_id,
            version: placed.version,
            shop: placed.shop,
            name: placed.name,
            currency: placed.currency,
            lines: placed.lines,
            total: placed.total,
            customer: placed.customer,
            shipping_address: placed.shipping_address,
        }
    }
}

fn check_placed(order: &OrderPlaced) -> Result<(), Invalid> {
    header(&order.order_id, order.version, &order.shop)?;
    text("name", &order.name)?;
    currency("currency", &order.currency)?;
    lines(&order.lines)?;
    money("total", order.total.as_ref())?;
    order.customer.as_ref().map_or(Ok(()), customer)?;
    order.shipping_address.as_ref().map_or(Ok(()), address)
}

fn check_approved(order: &OrderApproved) -> Result<(), Invalid> {
    header(&order.order_id, order.version, &order.shop)?;
    text("name", &order.name)?;
    currency("currency", &order.currency)?;
    lines(&order.lines)?;
    money("total", order.total.as_ref())?;
    order.customer.as_ref().map_or(Ok(()), customer)?;
    order.shipping_address.as_ref().map_or(Ok(()), address)
}

fn check_routed(order: &OrderRouted) -> Result<(), Invalid> {
    header(&order.order_id, order.version, &order.shop)?;
    id("supplier", &order.supplier)?;
    id("supplier_order_id", &order.supplier_order_id)?;
    id("reference", &order.reference)?;
    at_most("line_ids", order.line_ids.len(), LINES_MAX)?;
    order
        .line_ids
        .iter()
        .enumerate()
        .try_for_each(|(index, line)| id(&format!("line_ids[{index}]"), line))
}

fn check_refused(order: &OrderRefused) -> Result<(), Invalid> {
    header(&order.order_id, order.version, &order.shop)?;
    text("reason", &order.reason)?;
    optional_id("supplier", &order.supplier)?;
    at_most("lines", order.lines.len(), LINES_MAX)?;
    for (index, line) in order.lines.iter().enumerate() {
        id(&format!("lines[{index}].line_id"), &line.line_id)?;
        optional_id(&format!("lines[{index}].sku"), &line.sku)?;
        text(&format!("lines[{index}].reason"), &line.reason)?;
    }
    Ok(())
}

fn header(order_id: &str, version: i64, shop: &str) -> Result<(), Invalid> {
    id("order_id", order_id)?;
    not_negative("version", version)?;
    id("shop", shop)
}

fn lines(lines: &[Line]) -> Result<(), Invalid> {
    at_most("lines", lines.len(), LINES_MAX)?;
    let mut seen = HashSet::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        id(&format!("lines[{index}].line_id"), &line.line_id)?;
        if !seen.insert(line.line_id.as_str()) {
            return Err(invalid(
                format!("lines[{index}].line_id"),
                "stands on another line too",
            ));
        }
        optional_id(&format!("lines[{index}].sku"), &line.sku)?;
        if !(1..=QUANTITY_MAX).contains(&line.quantity) {
            return Err(invalid(
                format!("lines[{index}].quantity"),
                format!("is not between 1 and {QUANTITY_MAX}"),
            ));
        }
        text(&format!("lines[{index}].title"), &line.title)?;
        money(
            &format!("lines[{index}].unit_price"),
            line.unit_price.as_ref(),
        )?;
    }
    Ok(())
}

fn money(path: &str, money: Option<&Money>) -> Result<(), Invalid> {
    let Some(money) = money else { return Ok(()) };
    not_negative(&format!("{path}.minor"), money.minor)?;
    currency(&format!("{path}.currency"), &money.currency)
}

fn customer(customer: &Customer) -> Result<(), Invalid> {
    optional_id("customer.customer_id", &customer.customer_id)?;
    text("customer.email", &customer.email)?;
    text("customer.first_name", &customer.first_name)?;
    text("customer.last_name", &customer.last_name)?;
    text("customer.phone", &customer.phone)
}

fn address(address: &Address) -> Result<(), Invalid> {
    text("shipping_address.name", &address.name)?;
    text("shipping_address.company", &address.company)?;
    text("shipping_address.address1", &address.address1)?;
    text("shipping_address.address2", &address.address2)?;
    text("shipping_address.city", &address.city)?;
    text("shipping_address.province_code", &address.province_code)?;
    text("shipping_address.postal_code", &address.postal_code)?;
    text("shipping_address.country_code", &address.country_code)?;
    text("shipping_address.phone", &address.phone)
}
