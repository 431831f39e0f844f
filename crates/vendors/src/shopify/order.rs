//! The payload of `orders/create`, as far as it is used: parsed once, into values that cannot be wrong.
//!
//! Invariant: ids are whole numbers, never rounded; money is minor units; an error names the field's path and what is
//! asked there, never what was found. Unknown fields are ignored.

use std::fmt;

use argosy_events::{
    Invalid,
    json::{self, Object},
    orders::v1::Money,
};
use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use crate::money;

/// An order, as a shop sent it.
#[derive(Clone, PartialEq)]
pub struct Order {
    /// The shop's id of it.
    pub id: u64,
    /// What people call it, such as #1001.
    pub name: String,
    /// Its last update: the vendor's own version.
    pub updated_at: Timestamp,
    /// ISO 4217 currency of the shop, in which all amounts here are.
    pub currency: String,
    /// What it costs in all.
    pub total: Money,
    /// What is ordered.
    pub lines: Vec<Line>,
    /// Who ordered; `None` for guests, and where access to customers is not granted.
    pub customer: Option<Customer>,
    /// Where to send it; `None` if nothing is sent.
    pub shipping_address: Option<Address>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The shop's id of it.
    pub id: u64,
    /// The stock keeping unit; empty if the shop has none.
    pub sku: String,
    /// The product's title.
    pub title: String,
    /// How many.
    pub quantity: u32,
    /// Price of one.
    pub unit_price: Money,
}

/// Who ordered. Personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Customer {
    /// The shop's id.
    pub id: u64,
    /// Electronic mail address; empty if unknown, as all texts here.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Telephone number.
    pub phone: String,
}

/// Where to send it. Personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The recipient's name; empty if unknown, as all texts here.
    pub name: String,
    /// The recipient's company.
    pub company: String,
    /// Street and number.
    pub address1: String,
    /// Second address line.
    pub address2: String,
    /// City.
    pub city: String,
    /// Province or state code.
    pub province_code: String,
    /// Postal code.
    pub zip: String,
    /// ISO 3166-1 code.
    pub country_code: String,
    /// Telephone number.
    pub phone: String,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.len();
        f.debug_struct("Order")
            .field("id", &self.id)
            .field("lines", &lines)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Customer(redacted)")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(redacted)")
    }
}

/// Why a payload is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path} {message}")]
pub struct PayloadError {
    /// The field, as in `line_items[2].price`; `body` if it is no JSON at all.
    pub path: String,
    /// What is asked there, without what was found.
    pub message: String,
}

impl Order {
    /// Reads the body of a delivery.
    ///
    /// # Errors
    ///
    /// The first field that is missing or not as it should be.
    pub fn parse(body: &[u8]) -> Result<Self, PayloadError> {
        let raw: RawOrder = json::read(body, "body")
            .map_err(|Invalid { path, message }| PayloadError { path, message })?;
        raw.order()
    }
}

#[derive(Deserialize)]
struct RawOrder {
    id: u64,
    name: Option<String>,
    updated_at: String,
    currency: String,
    total_price: String,
    line_items: Vec<Object<RawLine>>,
    customer: Option<Object<RawCustomer>>,
    shipping_address: Option<Object<RawAddress>>,
}

#[derive(Deserialize)]
struct RawLine {
    id: u64,
    sku: Option<String>,
    title: Option<String>,
    quantity: u32,
    price: String,
}

#[derive(Deserialize)]
struct RawCustomer {
    id: Option<u64>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct RawAddress {
    name: Option<String>,
    company: Option<String>,
    address1: Option<String>,
    address2: Option<String>,
    city: Option<String>,
    province_code: Option<String>,
    zip: Option<String>,
    country_code: Option<String>,
    phone: Option<String>,
}

impl RawOrder {
    fn order(self) -> Result<Order, PayloadError> {
        let updated_at = self.updated_at.parse();
        let updated_at =
            updated_at.map_err(|_| fault("updated_at", "must be an ISO 8601 time with offset"))?;
        let amount = |path: String, amount: &str| {
            money::parse(amount, &self.currency).map_err(|error| match error {
                money::MoneyError::Currency => fault("currency", "must be three capital letters"),
                _ => fault(path, error.to_string()),
            })
        };
        let total = amount("total_price".to_owned(), &self.total_price)?;
        let mut lines = Vec::with_capacity(self.line_items.len());
        for (index, Object(line)) in self.line_items.into_iter().enumerate() {
            let unit_price = amount(format!("line_items[{index}].price"), &line.price)?;
            let (sku, title) = (line.sku.unwrap_or_default(), line.title.unwrap_or_default());
            lines.push(Line {
                id: line.id,
                sku,
                title,
                quantity: line.quantity,
                unit_price,
            });
        }
        Ok(Order {
            id: self.id,
            name: self.name.unwrap_or_default(),
            updated_at,
            total,
            lines,
            customer: self.customer.and_then(|Object(raw)| raw.customer()),
            shipping_address: self.shipping_address.map(|Object(raw)| raw.address()),
            currency: self.currency,
        })
    }
}

impl RawCustomer {
    /// Without id it is nobody that the shop knows.
    fn customer(self) -> Option<Customer> {
        Some(Customer {
            id: self.id?,
            email: self.email.unwrap_or_default(),
            first_name: self.first_name.unwrap_or_default(),
            last_name: self.last_name.unwrap_or_default(),
            phone: self.phone.unwrap_or_default(),
        })
    }
}

impl RawAddress {
    fn address(self) -> Address {
        Address {
            name: self.name.unwrap_or_default(),
            company: self.company.unwrap_or_default(),
            address1: self.address1.unwrap_or_default(),
            address2: self.address2.unwrap_or_default(),
            city: self.city.unwrap_or_default(),
            province_code: self.province_code.unwrap_or_default(),
            zip: self.zip.unwrap_or_default(),
            country_code: self.country_code.unwrap_or_default(),
            phone: self.phone.unwrap_or_default(),
        }
    }
}

fn fault(path: impl Into<String>, message: impl Into<String>) -> PayloadError {
    PayloadError {
        path: path.into(),
        message: message.into(),
    }
}
