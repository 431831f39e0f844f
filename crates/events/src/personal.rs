//! Debug of personal data: it says that something is there, never what.

use std::fmt;

use crate::orders::v1::{Address, Customer};

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(redacted)")
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Customer(redacted)")
    }
}
