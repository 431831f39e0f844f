//! Money between its two forms: a decimal string at vendors, integer minor units here.
//!
//! Invariant: nothing is rounded. What has more decimals than its currency, other than zeros, is an error.

use argosy_events::orders::v1::Money;
use thiserror::Error;

/// Digits that an amount may have: more do not fit 64 bits of minor units in any currency.
const DIGITS_MAX: usize = 18;

/// Currencies without minor units (ISO 4217).
const EXPONENT_0: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];

/// Currencies with a thousand minor units to the major one.
const EXPONENT_3: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Currencies with ten thousand.
const EXPONENT_4: &[&str] = &["CLF", "UYW"];

/// Why a text is no amount. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code by its shape.
    #[error("must have a currency of three capital letters")]
    Currency,
    /// Not a plain decimal.
    #[error("must be a decimal amount such as \"12.34\"")]
    Amount,
    /// More decimals than the currency has.
    #[error("has more decimals than its currency")]
    Decimals,
    /// Beyond 64 bits.
    #[error("is too large")]
    TooLarge,
}

/// How many decimals a currency has.
pub fn exponent(currency: &str) -> u32 {
    if EXPONENT_0.contains(&currency) {
        return 0;
    }
    if EXPONENT_3.contains(&currency) {
        return 3;
    }
    if EXPONENT_4.contains(&currency) { 4 } else { 2 }
}

/// Reads `"12.34"` of a currency.
///
/// # Errors
///
/// Says what is wrong with the amount, without repeating it.
pub fn parse(amount: &str, currency: &str) -> Result<Money, MoneyError> {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(MoneyError::Currency);
    }
    let (is_negative, digits) = amount
        .strip_prefix('-')
        .map_or((false, amount), |rest| (true, rest));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = digits.len() > whole.len();
    if whole.is_empty()
        || (has_point && decimals.is_empty())
        || !is_plain(whole)
        || !is_plain(decimals)
    {
        return Err(MoneyError::Amount);
    }
    let exponent = exponent(currency) as usize;
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > exponent {
        return Err(MoneyError::Decimals);
    }
    let digits = format!("{whole}{decimals:0<exponent$}");
    let digits = digits.trim_start_matches('0');
    if digits.len() > DIGITS_MAX {
        return Err(MoneyError::TooLarge);
    }
    let minor: i64 = if digits.is_empty() {
        0
    } else {
        digits.parse().map_err(|_| MoneyError::TooLarge)?
    };
    Ok(Money {
        minor: if is_negative { -minor } else { minor },
        currency: currency.to_owned(),
    })
}

/// Writes minor units as the decimal that vendors want: `"12.34"`, `"1234"` for yen.
pub fn format(money: &Money) -> String {
    let exponent = exponent(&money.currency);
    let sign = if money.minor < 0 { "-" } else { "" };
    let minor = money.minor.unsigned_abs();
    let unit = 10_u64.pow(exponent);
    if exponent == 0 {
        return format!("{sign}{minor}");
    }
    format!(
        "{sign}{}.{:0width$}",
        minor / unit,
        minor % unit,
        width = exponent as usize
    )
}
