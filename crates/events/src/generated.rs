//! The types generated from proto/. Nothing here is written by hand.
#![expect(
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::too_many_lines,
    reason = "the generators write full paths"
)]

/// The fleet's own records.
pub mod fleet {
    /// Version 1.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/argosy.fleet.v1.rs"));
        include!(concat!(env!("OUT_DIR"), "/argosy.fleet.v1.serde.rs"));
    }
}

/// Orders.
pub mod orders {
    /// Version 1.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/argosy.orders.v1.rs"));
        include!(concat!(env!("OUT_DIR"), "/argosy.orders.v1.serde.rs"));
    }
}
