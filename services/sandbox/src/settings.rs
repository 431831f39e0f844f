//! What the sandbox is told at its start: where to listen, where receipts go, and which suppliers it stands in for.

use std::{
    collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::SandboxError;

/// Suppliers of one sandbox.
pub(crate) const SUPPLIERS_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 64;
const REMEMBERED_DEFAULT: Duration = Duration::from_secs(24 * 3600);
const REMEMBERED_MAX: Duration = Duration::from_secs(90 * 24 * 3600);

/// The sandbox's settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The receipts file; made if it is not there, continued if it is.
    pub receipts: PathBuf,
    /// A fault script to start with.
    #[serde(default)]
    pub faults: Option<PathBuf>,
    /// By name, which is also a part of the path.
    pub suppliers: BTreeMap<String, SupplierSettings>,
}

/// One supplier.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SupplierSettings {
    /// What a second identical call does.
    pub repeat: RepeatClass,
    /// What `Authorization: Bearer` must carry.
    #[serde(skip_serializing)]
    pub token: String,
}

impl fmt::Debug for SupplierSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupplierSettings")
            .field("repeat", &self.repeat)
            .field("token", &"redacted")
            .finish()
    }
}

/// What a second identical call does at a supplier. Written `natural`, `remembered`, `remembered:24h`, `never` or
/// `never-without-lookup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum RepeatClass {
    /// `external_order_id` is unique and a confirmation changes nothing when repeated.
    Natural,
    /// The `Idempotency-Key` is recognised for this long; without it the call happens again.
    Remembered(Duration),
    /// Every call happens again.
    Never {
        /// Whether orders can be found by `external_order_id`.
        lookup: bool,
    },
}

impl RepeatClass {
    /// Whether orders can be found by `external_order_id`.
    pub(crate) fn has_lookup(self) -> bool {
        self != Self::Never { lookup: false }
    }
}

/// Not a repeat class.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a repeat class; use natural, remembered, remembered:<n>s|m|h (at most 90 days), never or never-without-lookup"
)]
pub struct RepeatClassError(String);

impl FromStr for RepeatClass {
    type Err = RepeatClassError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || RepeatClassError(text.chars().take(64).collect());
        match text {
            "natural" => Ok(Self::Natural),
            "remembered" => Ok(Self::Remembered(REMEMBERED_DEFAULT)),
            "never" => Ok(Self::Never { lookup: true }),
            "never-without-lookup" => Ok(Self::Never { lookup: false }),
            _ => {
                let time = text.strip_prefix("remembered:").and_then(parse_time);
                time.map(Self::Remembered).ok_or_else(wrong)
            }
        }
    }
}

impl TryFrom<String> for RepeatClass {
    type Error = RepeatClassError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RepeatClass> for String {
    fn from(class: RepeatClass) -> Self {
        match class {
            RepeatClass::Natural => "natural".into(),
            RepeatClass::Remembered(time) => format!("remembered:{}s", time.as_secs()),
            RepeatClass::Never { lookup: true } => "never".into(),
            RepeatClass::Never { lookup: false } => "never-without-lookup".into(),
        }
    }
}

impl Settings {
    /// What serde cannot say.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        if self.suppliers.is_empty() || self.suppliers.len() > SUPPLIERS_MAX {
            let reason = format!("between 1 and {SUPPLIERS_MAX} suppliers are needed");
            return Err(wrong("suppliers", reason));
        }
        for (name, supplier) in &self.suppliers {
            let setting = format!("suppliers.{name}");
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
                let reason = format!("a name is 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -");
                return Err(wrong(setting, reason));
            }
            if supplier.token.is_empty() || !supplier.token.bytes().all(|b| b.is_ascii_graphic()) {
                let reason = "it must be visible ASCII and not empty";
                return Err(wrong(format!("{setting}.token"), reason));
            }
        }
        Ok(())
    }
}

fn wrong(setting: impl Into<String>, reason: impl Into<String>) -> SandboxError {
    SandboxError::Setting {
        setting: setting.into(),
        reason: reason.into(),
    }
}

fn parse_time(text: &str) -> Option<Duration> {
    let digits = text.len().checked_sub(1)?;
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = plain.then(|| number.parse().ok())??;
    let time = Duration::from_secs(number.checked_mul(seconds)?);
    (!time.is_zero() && time <= REMEMBERED_MAX).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeat_classes_are_read_and_written() {
        for (text, class) in [
            ("natural", RepeatClass::Natural),
            (
                "remembered",
                RepeatClass::Remembered(Duration::from_secs(86_400)),
            ),
            (
                "remembered:90s",
                RepeatClass::Remembered(Duration::from_secs(90)),
            ),
            (
                "remembered:24h",
                RepeatClass::Remembered(Duration::from_secs(86_400)),
            ),
            ("never", RepeatClass::Never { lookup: true }),
            ("never-without-lookup", RepeatClass::Never { lookup: false }),
        ] {
            assert_eq!(text.parse::<RepeatClass>().unwrap(), class);
            let written = String::from(class);
            assert_eq!(written.parse::<RepeatClass>().unwrap(), class);
        }
    }

    #[test]
    fn what_is_no_repeat_class_is_refused() {
        for text in [
            "",
            "Natural",
            "remembered:",
            "remembered:h",
            "remembered:0s",
            "remembered:+1s",
            "remembered:-1s",
            "remembered:1d",
            "remembered:99999999999999999999h",
            "remembered:18446744073709551615h",
            "remembered:1ü",
            "never ",
            "remembered:9999h",
        ] {
            assert!(text.parse::<RepeatClass>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_never_shows() {
        let settings = SupplierSettings {
            repeat: RepeatClass::Natural,
            token: "hidden-token".into(),
        };
        assert!(!format!("{settings:?}").contains("hidden-token"));
        let json = serde_json::to_string(&settings).unwrap();
        assert!(!json.contains("hidden-token"));
    }

    #[test]
    fn settings_with_a_wrong_part_are_refused_by_name() {
        let settings = |name: &str, token: &str| Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            receipts: "receipts.jsonl".into(),
            faults: None,
            suppliers: BTreeMap::from([(
                name.to_owned(),
                SupplierSettings {
                    repeat: RepeatClass::Natural,
                    token: token.to_owned(),
                },
            )]),
        };
        assert!(settings("acme", "token").check().is_ok());
        for (name, token, named) in [
            ("", "token", "suppliers."),
            ("Acme", "token", "suppliers.Acme"),
            ("a/b", "token", "suppliers.a/b"),
            ("acme", "", "suppliers.acme.token"),
            ("acme", "a b", "suppliers.acme.token"),
        ] {
            let said = settings(name, token).check().unwrap_err().to_string();
            assert!(said.contains(named), "{said}");
        }
        let none = Settings {
            suppliers: BTreeMap::new(),
            ..settings("acme", "token")
        };
        assert!(none.check().is_err());
        let unknown = r#"{"listen":"127.0.0.1:0","receipts":"r","suppliers":{},"recipts":"x"}"#;
        assert!(serde_json::from_str::<Settings>(unknown).is_err());
    }
}
