//! What an HTTP status says of a call, where the vendor's contract says nothing else.
//!
//! Invariant: a status is called "not executed" only if it is so by its definition; what may have happened is
//! ambiguous.

use std::time::Duration;

use crate::{Class, Decision, Failure, Response};

use argosy_kernel::Death;

/// A longer `Retry-After` is cut to this, so that a vendor's slip cannot silence us for a day.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Succeeds for 2xx; else the failure that the status stands for, to be refined where the vendor's contract says more.
///
/// # Errors
///
/// A failure with its [`Class`]; the stack derives the decision from it.
pub fn classify_status(response: &Response) -> Result<(), Failure> {
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let (class, what) = match status {
        300..400 => (
            Class::Ambiguous,
            "redirects are not followed; check the base URL",
        ),
        401 | 403 | 407 => (
            Class::Unauthorized,
            "the credential is refused; check the token and its rights",
        ),
        402 => (
            Class::Quota,
            "payment is required; check the account's bill",
        ),
        408 => (
            Class::Ambiguous,
            "the vendor did not read the request in time",
        ),
        409 | 412 => (Class::Conflict, "it conflicts with what the vendor holds"),
        421 | 425 | 503 => (
            Class::NotExecuted(retry_after(response)),
            "the vendor does not take it now",
        ),
        429 => (
            Class::Throttled(retry_after(response)),
            "the vendor asks for fewer calls",
        ),
        400..500 => (Class::Permanent, "the vendor refuses the request"),
        _ => (
            Class::Ambiguous,
            "the vendor failed, and whether it acted is unknown",
        ),
    };
    Err(classified(
        class,
        status,
        format!("status {status}: {what}"),
    ))
}

/// A failure of this class with this status. The decision stands until the stack replaces it by the class's own.
pub fn classified(class: Class, status: u16, message: impl Into<String>) -> Failure {
    Failure::new(Decision::Dead(Death::Refused), message).with_class(class, Some(status))
}

/// A 2xx whose body is not what the contract says: it may have happened, and what came of it is unknown.
pub fn unreadable(response: &Response, message: impl Into<String>) -> Failure {
    classified(Class::Ambiguous, response.status, message)
}

/// `Retry-After` in seconds or as an HTTP date, at most [`RETRY_AFTER_MAX`]. A date counts from the answer's own
/// `Date`, so that no two clocks are compared; without that it says nothing.
pub fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.header("retry-after")?.trim();
    let wait = match seconds(value) {
        Some(wait) => wait,
        None => {
            let at = httpdate::parse_http_date(value).ok()?;
            let date = httpdate::parse_http_date(response.header("date")?.trim()).ok()?;
            at.duration_since(date).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn seconds(value: &str) -> Option<Duration> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
