//! From `[orders.suppliers.<name>]` to the suppliers that the worker `orders` calls.

use std::sync::Arc;

use argosy_orders::{Route, Routing};
use argosy_outbound::{Dependency, Repeat};
use argosy_runtime::Worker;
use argosy_shell::{
    config::{self, Config},
    exit::Exit,
};
use argosy_vendors::supplier::Supplier;

use crate::failed::{Failed, OrExit};

/// The worker with all configured suppliers.
pub(crate) fn orders(config: &Config) -> Result<Worker, Failed> {
    let routes = config
        .orders
        .suppliers
        .iter()
        .map(|(name, supplier)| Route {
            skus: supplier.skus.clone(),
            supplier: client(name, supplier),
        });
    let routing = Routing::new(routes).or_exit(Exit::Configuration)?;
    Ok(argosy_orders::worker(routing))
}

/// The supplier as the worker knows it. Its account is a dependency of the same name.
pub(crate) fn client(name: &str, supplier: &config::Supplier) -> Supplier {
    let name: Arc<str> = name.into();
    Supplier {
        dependency: Dependency(Arc::clone(&name)),
        name,
        repeat: match supplier.repeat {
            config::Repeat::Natural => Repeat::Natural,
            config::Repeat::Remembered(span) => Repeat::Remembered(span),
            config::Repeat::Never => Repeat::Never,
        },
        has_lookup: supplier.lookup,
    }
}
