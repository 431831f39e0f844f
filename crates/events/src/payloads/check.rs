//! The checks that bodies share. A message says what is wrong, never what was found.

use crate::Invalid;

/// Longest id, in bytes: what a key of a record and a column of the store take.
pub(crate) const ID_BYTES_MAX: usize = 255;

/// Longest text that people read, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 1_024;

pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Invalid {
    Invalid {
        path: path.into(),
        message: message.into(),
    }
}

/// An id: present, short, printable.
pub(crate) fn id(path: &str, value: &str) -> Result<(), Invalid> {
    if value.is_empty() {
        return Err(invalid(path, "is missing"));
    }
    optional_id(path, value)
}

/// An id that may be absent.
pub(crate) fn optional_id(path: &str, value: &str) -> Result<(), Invalid> {
    if value.len() > ID_BYTES_MAX {
        return Err(invalid(
            path,
            format!("is longer than {ID_BYTES_MAX} bytes"),
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(invalid(path, "has control characters"));
    }
    Ok(())
}

/// Text for people, which may be absent.
pub(crate) fn text(path: &str, value: &str) -> Result<(), Invalid> {
    if value.len() > TEXT_BYTES_MAX {
        return Err(invalid(
            path,
            format!("is longer than {TEXT_BYTES_MAX} bytes"),
        ));
    }
    if value.contains('\0') {
        return Err(invalid(path, "has a NUL character"));
    }
    Ok(())
}

/// An ISO 4217 code by its shape.
pub(crate) fn currency(path: &str, value: &str) -> Result<(), Invalid> {
    if value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(invalid(
        path,
        "is not an ISO 4217 code of three capital letters",
    ))
}

/// A count that is not negative.
pub(crate) fn not_negative(path: &str, value: i64) -> Result<(), Invalid> {
    if value < 0 {
        return Err(invalid(path, "is negative"));
    }
    Ok(())
}

/// A list or text that is not too long.
pub(crate) fn at_most(path: &str, count: usize, count_max: usize) -> Result<(), Invalid> {
    if count > count_max {
        return Err(invalid(path, format!("is longer than {count_max}")));
    }
    Ok(())
}
