//! Money as Shopify writes it: decimal strings, by the currency's number of decimals, in shop and presentment money.

use serde_json::{Value, json};

use super::chance::Chance;

/// A currency and its decimals by ISO 4217.
#[derive(Clone, Copy, Debug)]
pub(super) struct Currency {
    pub(super) code: &'static str,
    decimals: u32,
}

/// What orders are drawn in.
pub(super) const CURRENCIES: [Currency; 5] = [
    Currency {
        code: "USD",
        decimals: 2,
    },
    Currency {
        code: "EUR",
        decimals: 2,
    },
    Currency {
        code: "GBP",
        decimals: 2,
    },
    Currency {
        code: "JPY",
        decimals: 0,
    },
    Currency {
        code: "KWD",
        decimals: 3,
    },
];

/// The shop's currency and the one that the buyer saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Currencies {
    pub(super) shop: Currency,
    pub(super) presentment: Currency,
}

impl Currencies {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let shop = chance.pick(CURRENCIES);
        let other = chance.pick(CURRENCIES);
        let presentment = if chance.one_in(4) { other } else { shop };
        Self { shop, presentment }
    }

    /// Shop money, from minor units.
    pub(super) fn amount(self, minor: u64) -> String {
        decimal(minor, self.shop.decimals)
    }

    /// Both moneys. The rate is one minor unit to one minor unit: nobody checks rates.
    pub(super) fn set(self, minor: u64) -> Value {
        json!({
            "shop_money": {"amount": self.amount(minor), "currency_code": self.shop.code},
            "presentment_money": {
                "amount": decimal(minor, self.presentment.decimals),
                "currency_code": self.presentment.code,
            },
        })
    }
}

fn decimal(minor: u64, decimals: u32) -> String {
    if decimals == 0 {
        return minor.to_string();
    }
    let unit = 10_u64.pow(decimals);
    let width = decimals as usize;
    format!("{}.{:0width$}", minor / unit, minor % unit)
}
