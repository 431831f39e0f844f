//! A supplier's refusal: problem+json, reduced to its code and the lines it names.
//!
//! Invariant: texts written for people stay out, because they may repeat an address; what is kept is short.

use std::fmt;

use argosy_events::json::{self, Object};
use argosy_outbound::{Class, Failure, Response, classified, classify_status};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Faults that one refusal names at most; the rest is left out.
const FAULTS_MAX: usize = 20;

/// Longest code, id or pointer that is kept, in characters.
const TEXT_CHARS_MAX: usize = 100;

/// What a supplier said to a request that it understood: recorded as the call's outcome, so that whoever handles the
/// event again decides the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict<T> {
    /// It does it.
    Taken(T),
    /// It does not, and no repair of ours would change that.
    Refused(Refusal),
}

/// What a supplier refuses for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A line is not in stock.
    OutOfStock,
    /// A line costs more than was allowed.
    PriceChanged,
    /// It cannot be sent there.
    AddressInvalid,
    /// The idempotency key was used for another body.
    IdempotencyMismatch,
    /// Our reference is taken, and by what is not said.
    DuplicateOrder,
    /// The supplier does not know the order.
    OrderNotFound,
    /// The supplier cannot be asked by our reference.
    LookupNotSupported,
    /// The order can no longer be changed, or has ended.
    TooLate,
    /// The supplier rejected or cancelled the order.
    OrderClosed,
    /// Another code, or none.
    Other,
}

impl Code {
    fn of(code: Option<&str>) -> Self {
        match code {
            Some("out_of_stock") => Self::OutOfStock,
            Some("price_changed") => Self::PriceChanged,
            Some("address_invalid") => Self::AddressInvalid,
            Some("idempotency_mismatch") => Self::IdempotencyMismatch,
            Some("duplicate_order") => Self::DuplicateOrder,
            Some("order_not_found") => Self::OrderNotFound,
            Some("lookup_not_supported") => Self::LookupNotSupported,
            Some("too_late") => Self::TooLate,
            _ => Self::Other,
        }
    }

    /// Is it the supplier's word on the order itself, which no repair of ours would change?
    fn is_business(self) -> bool {
        match self {
            Self::OutOfStock
            | Self::PriceChanged
            | Self::AddressInvalid
            | Self::TooLate
            | Self::OrderClosed => true,
            Self::IdempotencyMismatch
            | Self::DuplicateOrder
            | Self::OrderNotFound
            | Self::LookupNotSupported
            | Self::Other => false,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::OutOfStock => "out of stock",
            Self::PriceChanged => "the price is above what was allowed",
            Self::AddressInvalid => "it cannot be sent to that address",
            Self::IdempotencyMismatch => "the idempotency key was used for another request",
            Self::DuplicateOrder => {
                "our reference is taken, and the supplier does not say by which order"
            }
            Self::OrderNotFound => "the supplier does not know the order",
            Self::LookupNotSupported => {
                "the supplier finds no orders by our reference; configure it without lookup"
            }
            Self::TooLate => "the order can no longer be changed",
            Self::OrderClosed => "the supplier rejected or cancelled the order",
            Self::Other => "the supplier refuses it",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

/// A supplier's final refusal: a [`Verdict`] if it is the supplier's word on the order, else the failure of the call,
/// in which [`Refusal::of`] finds it.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub struct Refusal {
    /// What for.
    pub code: Code,
    /// What it finds fault with, where it says so.
    pub faults: Vec<Fault>,
}

/// One thing that a refusal finds fault with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Our line reference where the supplier repeats it, else a pointer into the request.
    pub place: String,
    /// The supplier's word for it.
    pub code: Option<String>,
}

impl Refusal {
    /// The refusal that this failure is made of, if it is one.
    pub fn of(failure: &Failure) -> Option<&Self> {
        std::error::Error::source(failure)?.downcast_ref()
    }

    /// Does it name this line, by our reference?
    pub fn names(&self, line: &str) -> bool {
        let place = short(line);
        self.faults.iter().any(|fault| fault.place == place)
    }

    pub(super) fn new(code: Code) -> Self {
        Self {
            code,
            faults: Vec::new(),
        }
    }

    /// The failure that it is: the record's own fault, for good.
    fn failure(self, status: u16) -> Failure {
        classified(Class::Permanent, status, self.to_string()).because(self)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.what())?;
        for (index, fault) in self.faults.iter().enumerate() {
            f.write_str(if index == 0 { " (" } else { ", " })?;
            fault.fmt(f)?;
        }
        f.write_str(if self.faults.is_empty() { "" } else { ")" })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{}: {code}", self.place),
            None => f.write_str(&self.place),
        }
    }
}

/// A problem document, as far as it is used. Everything may be missing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    code: Option<String>,
    pub(super) existing_order_id: Option<String>,
    errors: Vec<Object<FieldError>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FieldError {
    pointer: Option<String>,
    line_ref: Option<String>,
    code: Option<String>,
}

impl Problem {
    /// Reads the document; what is not one is an empty one, since the status speaks too.
    pub(super) fn read(response: &Response) -> Self {
        json::read(&response.body, "body").unwrap_or_default()
    }

    pub(super) fn code(&self) -> Code {
        Code::of(self.code.as_deref())
    }

    /// The verdict that an answer which is not 2xx is, or its failure.
    pub(super) fn verdict<T>(&self, response: &Response) -> Result<Verdict<T>, Failure> {
        let failure = self.failure(response);
        match Refusal::of(&failure) {
            Some(refusal) if refusal.code.is_business() => Ok(Verdict::Refused(refusal.clone())),
            _ => Err(failure),
        }
    }

    /// The failure of an answer that is not 2xx: by its code where that says more than its status.
    pub(super) fn failure(&self, response: &Response) -> Failure {
        let Err(failure) = classify_status(response) else {
            return classified(
                Class::Ambiguous,
                response.status,
                "the answer is a problem with a good status",
            );
        };
        let is_final = match self.code() {
            Code::Other => failure.class == Some(Class::Permanent),
            // Codes count on the statuses that the contract gives them; a gateway's 502 may carry anything.
            _ => {
                (400..500).contains(&response.status)
                    && !matches!(response.status, 401 | 402 | 403 | 408 | 429)
            }
        };
        if is_final {
            self.refusal().failure(response.status)
        } else {
            failure
        }
    }

    fn refusal(&self) -> Refusal {
        let faults = self
            .errors
            .iter()
            .take(FAULTS_MAX)
            .filter_map(|Object(error)| error.fault())
            .collect();
        Refusal {
            code: self.code(),
            faults,
        }
    }
}

impl FieldError {
    fn fault(&self) -> Option<Fault> {
        let place = self.line_ref.as_deref().or(self.pointer.as_deref())?;
        Some(Fault {
            place: short(place),
            code: self.code.as_deref().map(short),
        })
    }
}

fn short(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(TEXT_CHARS_MAX)
        .collect()
}
