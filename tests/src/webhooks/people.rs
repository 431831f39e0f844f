//! Buyers of many scripts, with their addresses.

use serde_json::{Value, json};

use super::chance::Chance;

/// First name, last name, city, province, its code, country, its code, postal code.
const PEOPLE: [[&str; 8]; 8] = [
    [
        "Zoë",
        "O’Brien-Łukasz",
        "Kraków",
        "Małopolskie",
        "MA",
        "Poland",
        "PL",
        "30-001",
    ],
    ["李", "小龍", "台北市", "", "", "Taiwan", "TW", "100"],
    [
        "さくら",
        "山田",
        "大阪市",
        "大阪府",
        "JP-27",
        "Japan",
        "JP",
        "530-0001",
    ],
    [
        "محمد",
        "الأحمد",
        "مدينة الكويت",
        "Al Asimah",
        "KU",
        "Kuwait",
        "KW",
        "13001",
    ],
    [
        "Søren",
        "Ångström",
        "Århus",
        "",
        "",
        "Denmark",
        "DK",
        "8000",
    ],
    [
        "Chloé 🌻",
        "D'Angelo",
        "Montréal",
        "Québec",
        "QC",
        "Canada",
        "CA",
        "H2X 1Y4",
    ],
    [
        "Иван",
        "Жуков",
        "Одеса",
        "Odesa",
        "UA-51",
        "Ukraine",
        "UA",
        "65000",
    ],
    [
        "Nguyễn",
        "Thị \"Bé\" \\ Ba",
        "Springfield",
        "Kentucky",
        "KY",
        "United States",
        "US",
        "40003",
    ],
];

/// A buyer.
#[derive(Debug)]
pub(super) struct Person {
    about: [&'static str; 8],
    street: String,
    apartment: Option<&'static str>,
    pub(super) email: String,
}

impl Person {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let about = chance.pick(PEOPLE);
        Self {
            about,
            street: format!("Allée №{} – 3º", chance.between(1, 999)),
            apartment: chance.one_in(2).then_some("c/o Müller & Söhne"),
            email: format!("buyer+{}@shop.example", chance.next() % 1_000_000),
        }
    }

    pub(super) fn address(&self) -> Value {
        let [
            first,
            last,
            city,
            province,
            province_code,
            country,
            country_code,
            zip,
        ] = self.about;
        json!({
            "first_name": first,
            "last_name": last,
            "name": format!("{first} {last}"),
            "company": null,
            "address1": self.street,
            "address2": self.apartment,
            "city": city,
            "province": province,
            "province_code": province_code,
            "country": country,
            "country_code": country_code,
            "zip": zip,
            "phone": "+48 12 345 67 89",
            "latitude": 50.0614,
            "longitude": null,
        })
    }

    pub(super) fn customer(&self, id: i64, currency: &str, at: &str) -> Value {
        let [first, last, ..] = self.about;
        let consent = json!({
            "state": "not_subscribed",
            "opt_in_level": "single_opt_in",
            "consent_updated_at": null,
        });
        json!({
            "id": id,
            "admin_graphql_api_id": format!("gid://shopify/Customer/{id}"),
            "email": self.email,
            "first_name": first,
            "last_name": last,
            "phone": null,
            "state": "disabled",
            "tags": "",
            "currency": currency,
            "verified_email": true,
            "multipass_identifier": null,
            "note": null,
            "tax_exempt": false,
            "tax_exemptions": [],
            "created_at": at,
            "updated_at": at,
            "default_address": self.default_address(id),
            "email_marketing_consent": consent,
            "sms_marketing_consent": null,
        })
    }

    fn default_address(&self, customer_id: i64) -> Value {
        let mut address = self.address();
        let extra = json!({
            "id": customer_id - 2,
            "customer_id": customer_id,
            "country_name": address["country"],
            "default": true,
        });
        if let (Value::Object(address), Value::Object(extra)) = (&mut address, extra) {
            address.remove("latitude");
            address.remove("longitude");
            address.extend(extra);
        }
        address
    }
}
