//! The sandbox's own endpoints under `/__control`: faults, receipts, health. Open to whoever reaches the port.

pub(crate) mod faults;
pub(crate) mod health;
pub(crate) mod receipts;
