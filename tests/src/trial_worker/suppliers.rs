//! The suppliers that a trial worker can call: one per repeat class, each by a brisk and by a patient account.

use std::{sync::Arc, time::Duration};

use argosy_outbound::{Credential, Dependency, DependencySettings, Repeat, Secret};
use argosy_vendors::supplier::{Item, Metadata, NewOrder, Supplier};

/// Shorter than the suites' slow answers.
const BRISK: Duration = Duration::from_secs(3);

/// Longer than the suites' slow answers, and than a membership that lapses.
const PATIENT: Duration = Duration::from_secs(45);

const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);

/// How a supplier treats a second identical call, and whether it can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// It changes nothing more.
    Natural,
    /// It knows the idempotency key.
    Remembered,
    /// It happens again; orders are found by our reference.
    Never,
    /// It happens again, and nothing is found.
    Blind,
}

/// All of them.
pub const CLASSES: [Class; 4] = [
    Class::Natural,
    Class::Remembered,
    Class::Never,
    Class::Blind,
];

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Patience {
    /// Few seconds.
    Brisk,
    /// Most of a minute.
    Patient,
}

const PATIENCES: [Patience; 2] = [Patience::Brisk, Patience::Patient];

impl Class {
    /// The sandbox's name of the supplier.
    pub fn name(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Remembered => "remembered",
            Self::Never => "never",
            Self::Blind => "blind",
        }
    }

    /// The class of this name.
    pub fn named(name: &str) -> Option<Self> {
        CLASSES.into_iter().find(|class| class.name() == name)
    }

    /// The keys of its section in the sandbox's configuration.
    pub fn sandbox_keys(self) -> &'static str {
        match self {
            Self::Natural => "repeat = \"natural\"",
            Self::Remembered => "repeat = \"remembered:24h\"",
            Self::Never => "repeat = \"never\"",
            Self::Blind => "repeat = \"never\"\nlookup = false",
        }
    }

    fn repeat(self) -> Repeat {
        match self {
            Self::Natural => Repeat::Natural,
            Self::Remembered => Repeat::Remembered(REMEMBERED),
            Self::Never | Self::Blind => Repeat::Never,
        }
    }
}

impl Patience {
    /// As it stands in a deed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brisk => "brisk",
            Self::Patient => "patient",
        }
    }

    /// The patience of this name.
    pub fn named(name: &str) -> Option<Self> {
        PATIENCES
            .into_iter()
            .find(|patience| patience.name() == name)
    }

    /// How long a call may take.
    pub fn call_timeout(self) -> Duration {
        match self {
            Self::Brisk => BRISK,
            Self::Patient => PATIENT,
        }
    }
}

/// The supplier, as its client knows it.
pub(super) fn supplier(class: Class, patience: Patience) -> Supplier {
    let name: Arc<str> = format!("{}-{}", class.name(), patience.name()).into();
    Supplier {
        dependency: Dependency(Arc::clone(&name)),
        name,
        repeat: class.repeat(),
        has_lookup: class != Class::Blind,
    }
}

/// The account of every supplier.
pub(super) fn accounts(base: &str) -> Vec<DependencySettings> {
    let all = CLASSES
        .into_iter()
        .flat_map(|class| PATIENCES.map(|patience| (class, patience)));
    all.map(|(class, patience)| {
        let url = format!("{base}/{}", class.name());
        let mut account = DependencySettings::new(supplier(class, patience).dependency, url);
        account.credential = Credential::Bearer(Secret::new(token(class)));
        account.call_timeout = patience.call_timeout();
        account
    })
    .collect()
}

/// The token that the sandbox asks for.
pub(crate) fn token(class: Class) -> String {
    format!("{}-token", class.name())
}

/// One piece, under a reference of the event's own; the key is the order's.
pub(super) fn draft(key: &str, event: &str) -> NewOrder {
    NewOrder {
        external_order_id: event.to_owned(),
        items: vec![Item {
            line_ref: "1".to_owned(),
            supplier_sku: "LANTERN".to_owned(),
            quantity: 1,
            max_unit_cost: None,
        }],
        ship_to: None,
        metadata: Metadata {
            order: key.to_owned(),
            sequence: 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_and_patience_has_its_name_and_its_account() {
        assert!(
            CLASSES
                .into_iter()
                .all(|class| Class::named(class.name()) == Some(class))
        );
        assert!(
            PATIENCES
                .into_iter()
                .all(|one| Patience::named(one.name()) == Some(one))
        );
        let mut names: Vec<_> = accounts("http://127.0.0.1:1/suppliers")
            .into_iter()
            .map(|account| account.dependency)
            .collect();
        names.dedup();
        assert_eq!(names.len(), 8);
    }
}
