//! Which line goes to which supplier.
//!
//! Invariant: a SKU has one supplier or none, whatever order patterns were written in. The most specific pattern wins:
//! one without a star first, then the one with most characters beside its stars. Patterns of two suppliers which are
//! equally specific and share a SKU are refused at the start.

mod pattern;

use std::{collections::BTreeMap, fmt, sync::Arc};

use argosy_events::orders::v1::Line;
use argosy_vendors::supplier::Supplier;

use pattern::Pattern;
pub use pattern::PatternFault;

/// Patterns over all suppliers.
const PATTERNS_MAX: usize = 500;

/// A supplier and the SKUs that go to it.
#[derive(Clone, Debug)]
pub struct Route {
    /// SKU patterns; `*` stands for any characters, also none.
    pub skus: Vec<String>,
    /// Who gets them.
    pub supplier: Supplier,
}

/// See the module page.
#[derive(Clone, Debug)]
pub struct Routing {
    suppliers: BTreeMap<Arc<str>, Supplier>,
    /// Most specific first.
    patterns: Vec<(Pattern, Arc<str>)>,
}

/// An order's lines by supplier, in the order of their names.
pub(crate) type Split<'a> = BTreeMap<&'a str, (&'a Supplier, Vec<&'a Line>)>;

impl Routing {
    /// Checks patterns and suppliers.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Result<Self, RoutingFaults> {
        let mut faults = Vec::new();
        let mut suppliers = BTreeMap::new();
        let mut patterns: Vec<(Pattern, Arc<str>)> = Vec::new();
        for Route { skus, supplier } in routes {
            let name = Arc::clone(&supplier.name);
            if skus.is_empty() {
                faults.push(RoutingFault::NoPatterns {
                    supplier: Arc::clone(&name),
                });
            }
            for text in skus {
                match Pattern::new(&text) {
                    Ok(pattern) => patterns.push((pattern, Arc::clone(&name))),
                    Err(fault) => faults.push(RoutingFault::Pattern {
                        supplier: Arc::clone(&name),
                        pattern: text,
                        fault,
                    }),
                }
            }
            if suppliers.insert(Arc::clone(&name), supplier).is_some() {
                faults.push(RoutingFault::SupplierTwice { supplier: name });
            }
        }
        if suppliers.is_empty() {
            faults.push(RoutingFault::NoSuppliers);
        }
        if patterns.len() > PATTERNS_MAX {
            faults.push(RoutingFault::TooManyPatterns);
        } else {
            clashes(&patterns, &mut faults);
        }
        if !faults.is_empty() {
            return Err(RoutingFaults(faults));
        }
        patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
        Ok(Self {
            suppliers,
            patterns,
        })
    }

    /// The supplier of a SKU.
    pub fn supplier(&self, sku: &str) -> Option<&Supplier> {
        let (_, name) = self
            .patterns
            .iter()
            .find(|(pattern, _)| pattern.matches(sku))?;
        self.suppliers.get(name)
    }

    /// Lines by supplier, or the lines that no supplier serves. A line without a SKU is served by nobody.
    pub(crate) fn split<'a>(&'a self, lines: &'a [Line]) -> Result<Split<'a>, Vec<&'a Line>> {
        let mut split = Split::new();
        let mut unserved = Vec::new();
        for line in lines {
            let supplier = Some(&*line.sku).filter(|sku| !sku.is_empty());
            match supplier.and_then(|sku| self.supplier(sku)) {
                Some(supplier) => {
                    let of_supplier = split.entry(&*supplier.name);
                    of_supplier
                        .or_insert_with(|| (supplier, Vec::new()))
                        .1
                        .push(line);
                }
                None => unserved.push(line),
            }
        }
        if unserved.is_empty() {
            return Ok(split);
        }
        Err(unserved)
    }
}

fn clashes(patterns: &[(Pattern, Arc<str>)], faults: &mut Vec<RoutingFault>) {
    for (n, (one, supplier)) in patterns.iter().enumerate() {
        for (other, other_supplier) in &patterns[n + 1..] {
            let is_written_twice = one == other && supplier == other_supplier;
            let is_ambiguous = supplier != other_supplier
                && one.specificity() == other.specificity()
                && one.overlaps(other);
            if is_written_twice || is_ambiguous {
                faults.push(RoutingFault::Clash {
                    patterns: [one.to_string(), other.to_string()],
                    suppliers: [Arc::clone(supplier), Arc::clone(other_supplier)],
                });
            }
        }
    }
}

/// One thing that is wrong with the suppliers' configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutingFault {
    /// Nobody to send to.
    #[error("no supplier is configured; write [orders.suppliers.<name>]")]
    NoSuppliers,
    /// A supplier that gets nothing.
    #[error("orders.suppliers.{supplier}.skus is empty; name at least one pattern")]
    NoPatterns {
        /// Whose.
        supplier: Arc<str>,
    },
    /// A name given twice.
    #[error("supplier `{supplier}` is configured twice")]
    SupplierTwice {
        /// Whose.
        supplier: Arc<str>,
    },
    /// Not a pattern.
    #[error("orders.suppliers.{supplier}.skus: pattern {pattern:?} {fault}")]
    Pattern {
        /// Whose.
        supplier: Arc<str>,
        /// As written.
        pattern: String,
        /// What is wrong with it.
        fault: PatternFault,
    },
    /// More patterns than are searched.
    #[error("there are more than {PATTERNS_MAX} SKU patterns; use wider ones")]
    TooManyPatterns,
    /// A SKU that two patterns claim with the same right, or a pattern written twice.
    #[error(
        "patterns \"{}\" of `{}` and \"{}\" of `{}` claim the same SKUs and neither is more specific; make one longer",
        patterns[0], suppliers[0], patterns[1], suppliers[1]
    )]
    Clash {
        /// The patterns.
        patterns: [String; 2],
        /// Whose they are.
        suppliers: [Arc<str>; 2],
    },
}

/// Everything that is wrong with the suppliers' configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RoutingFaults(pub Vec<RoutingFault>);

impl fmt::Display for RoutingFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            let between = if n == 0 { "" } else { "; " };
            write!(f, "{between}{fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
