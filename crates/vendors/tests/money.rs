//! Money is never rounded, in whatever currency.

use argosy_vendors::money::{MoneyError, format, parse};
use proptest::prelude::*;

#[test]
fn amounts_have_the_decimals_of_their_currency() {
    for (amount, currency, minor) in [
        ("12.34", "USD", 1234),
        ("12.3", "USD", 1230),
        ("12", "USD", 1200),
        ("0.00", "USD", 0),
        ("007.50", "USD", 750),
        ("12.3400", "USD", 1234),
        ("1200", "JPY", 1200),
        ("1200.00", "JPY", 1200),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
        ("-3.50", "EUR", -350),
        ("9999999999999999.99", "USD", 999_999_999_999_999_999),
    ] {
        assert_eq!(
            parse(amount, currency).unwrap().minor,
            minor,
            "{amount} {currency}"
        );
    }
}

#[test]
fn what_is_no_amount_is_refused() {
    for (amount, currency, error) in [
        ("", "USD", MoneyError::Amount),
        (".", "USD", MoneyError::Amount),
        (".5", "USD", MoneyError::Amount),
        ("5.", "USD", MoneyError::Amount),
        ("1e3", "USD", MoneyError::Amount),
        ("1,50", "USD", MoneyError::Amount),
        ("+1", "USD", MoneyError::Amount),
        ("--1", "USD", MoneyError::Amount),
        ("1 ", "USD", MoneyError::Amount),
        ("NaN", "USD", MoneyError::Amount),
        ("١٢", "USD", MoneyError::Amount),
        ("1.2.3", "USD", MoneyError::Amount),
        ("1.001", "USD", MoneyError::Decimals),
        ("1.5", "JPY", MoneyError::Decimals),
        ("1", "usd", MoneyError::Currency),
        ("1", "", MoneyError::Currency),
        ("1", "USDT", MoneyError::Currency),
        ("99999999999999999999", "USD", MoneyError::TooLarge),
    ] {
        assert_eq!(parse(amount, currency), Err(error), "{amount} {currency}");
    }
    assert_eq!(
        parse(&"9".repeat(1_000_000), "USD"),
        Err(MoneyError::TooLarge)
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        minor in -999_999_999_999_999_999_i64..=999_999_999_999_999_999,
        currency in prop::sample::select(vec!["USD", "JPY", "KWD", "CLF"]),
    ) {
        let money = argosy_events::orders::v1::Money { minor, currency: currency.to_owned() };
        prop_assert_eq!(parse(&format(&money), currency), Ok(money));
    }

    #[test]
    fn no_text_makes_it_panic(amount in "\\PC{0,40}", currency in "\\PC{0,4}") {
        drop(parse(&amount, &currency));
    }
}
