//! The body of a draft.
//!
//! Invariant: the same order gives the same bytes, because a claim stores them and a supplier may compare them.

use argosy_events::orders::v1::{Address, Money};
use bytes::Bytes;
use serde::Serialize;

use super::{Metadata, NewOrder};
use crate::money;

#[derive(Serialize)]
struct DraftBody<'a> {
    external_order_id: &'a str,
    items: Vec<ItemBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ship_to: Option<ShipTo<'a>>,
    metadata: &'a Metadata,
}

#[derive(Serialize)]
struct ItemBody<'a> {
    line_ref: &'a str,
    supplier_sku: &'a str,
    quantity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_unit_cost: Option<MoneyBody<'a>>,
}

#[derive(Serialize)]
struct MoneyBody<'a> {
    amount: String,
    currency: &'a str,
}

/// An empty text is left out: the contract has no empty texts.
#[derive(Serialize)]
struct ShipTo<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    company: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    address1: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    address2: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    city: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    province_code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    postal_code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    country_code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    phone: &'a str,
}

pub(super) fn draft(order: &NewOrder) -> Bytes {
    let items = order.items.iter().map(|item| ItemBody {
        line_ref: &item.line_ref,
        supplier_sku: &item.supplier_sku,
        quantity: item.quantity,
        max_unit_cost: item.max_unit_cost.as_ref().map(cost),
    });
    let body = DraftBody {
        external_order_id: &order.external_order_id,
        items: items.collect(),
        ship_to: order.ship_to.as_ref().map(ship_to),
        metadata: &order.metadata,
    };
    serde_json::to_vec(&body)
        .expect("texts and whole numbers always have a JSON form")
        .into()
}

fn cost(money: &Money) -> MoneyBody<'_> {
    MoneyBody {
        amount: money::format(money),
        currency: &money.currency,
    }
}

fn ship_to(address: &Address) -> ShipTo<'_> {
    ShipTo {
        name: &address.name,
        company: &address.company,
        address1: &address.address1,
        address2: &address.address2,
        city: &address.city,
        province_code: &address.province_code,
        postal_code: &address.postal_code,
        country_code: &address.country_code,
        phone: &address.phone,
    }
}
