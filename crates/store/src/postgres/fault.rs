//! From what the driver says to what the caller should do.
//!
//! The server's messages may quote values, so none is passed on: its error code names the fault as well.

use sqlx::Error;

use crate::StoreError;

/// Codes of a schema that lacks something: tables, columns.
const UNDEFINED: [&str; 3] = ["42P01", "42703", "3F000"];

/// What the caller should know of a driver's error.
pub(super) fn store_error(error: &Error) -> StoreError {
    match error {
        Error::Database(fault) => {
            let code = fault.code().unwrap_or_default();
            let said = format!("PostgreSQL answered {code} ({})", meaning(&code));
            if may_pass(&code) {
                StoreError::Unavailable(said)
            } else {
                StoreError::Unreadable(said)
            }
        }
        Error::PoolTimedOut => StoreError::Unavailable(
            "no connection within its bound: the server is down, or all are in use".to_owned(),
        ),
        Error::Io(fault) => StoreError::Unavailable(format!("connection failed: {}", fault.kind())),
        Error::Tls(_) => StoreError::Unavailable(
            "TLS failed: check sslmode and certificates of the store's url".to_owned(),
        ),
        Error::PoolClosed | Error::WorkerCrashed | Error::BeginFailed => {
            StoreError::Unavailable("its connections are closed".to_owned())
        }
        Error::Protocol(_) => StoreError::Unavailable("the connection broke".to_owned()),
        Error::ColumnDecode { index, .. } => {
            StoreError::Unreadable(format!("column {index} has another type"))
        }
        Error::Decode(cause) => StoreError::Unreadable(cause.to_string()),
        _ => StoreError::Unreadable("it does not fit this build's statements".to_owned()),
    }
}

/// An answer that makes no sense to this build; the message must quote no value.
pub(super) fn unreadable(what: &'static str) -> Error {
    Error::Decode(what.into())
}

/// Whether the schema may be another than needed.
pub(super) fn is_undefined(error: &Error) -> bool {
    code_of(error).is_some_and(|code| UNDEFINED.contains(&&*code))
}

/// Rolled back for certain, by nobody's fault: deadlock or serialization.
pub(super) fn is_rolled_back(error: &Error) -> bool {
    code_of(error).is_some_and(|code| code == "40001" || code == "40P01")
}

/// The connection went away, maybe after the commit: another may work.
pub(super) fn is_cut(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Protocol(_) => true,
        _ => code_of(error).is_some_and(|code| code.starts_with("08") || code.starts_with("57P")),
    }
}

fn code_of(error: &Error) -> Option<std::borrow::Cow<'_, str>> {
    match error {
        Error::Database(fault) => fault.code(),
        _ => None,
    }
}

/// By class: connection, authorisation, read-only standby, rollback, resources, state, operator, system.
fn may_pass(code: &str) -> bool {
    ["08", "25", "28", "3D", "40", "53", "55", "57", "58"]
        .iter()
        .any(|class| code.starts_with(class))
}

fn meaning(code: &str) -> &'static str {
    match code {
        "25006" => "read-only: is this a standby?",
        "40001" | "40P01" => "rolled back in favour of another",
        "53100" => "disk full",
        "53200" => "out of memory",
        "53300" => "too many connections",
        "57014" => "cancelled at its time limit",
        "57P01" | "57P02" => "shutting down",
        "57P03" => "starting up or recovering",
        _ if code.starts_with("28") => "authentication refused: check user and password",
        _ if code.starts_with("3D") => "no such database",
        _ if code.starts_with("42") => "statement and schema do not fit",
        _ => "see PostgreSQL's list of error codes",
    }
}
