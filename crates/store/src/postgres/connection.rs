//! Connections, and how an operation is run on one: within a bound, repeated once where that may help.
//!
//! A connection whose operation was given up in its middle is closed, never lent again.

use std::{str::FromStr, time::Duration};

use sqlx::{
    Connection, Error, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use super::{fault, schema};
use crate::StoreError;

/// A connection is waited for so long.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);

/// The server gives a statement up after so long.
const STATEMENT_MAX: Duration = Duration::from_secs(10);

/// An operation ends within so long, its repetition included, also if the server vanished without a word.
const OPERATION_MAX: Duration = Duration::from_secs(15);

/// A connection idle for longer is tried before it is lent.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// An operation of the port, bound to its values.
pub(super) trait Operation: Sync {
    type Answer: Send;

    /// Whether it may be run again when nobody knows if it was committed.
    const IS_REPEATABLE: bool = true;

    fn run(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// Connections for one purpose.
pub(super) struct Connections {
    pool: PgPool,
}

pub(super) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let refused = "its url cannot be used: write postgres://user:password@host:port/database";
    // The driver itself would take any scheme.
    let options = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
        .then(|| PgConnectOptions::from_str(url).ok())
        .flatten()
        .ok_or_else(|| StoreError::Unavailable(refused.to_owned()))?;
    let statement_max = STATEMENT_MAX.as_millis().to_string();
    Ok(options.application_name("argosy").options([
        // A grant that the server may forget is none.
        ("synchronous_commit", "on"),
        // Conditions are judged on the newest committed row.
        ("default_transaction_isolation", "read committed"),
        ("statement_timeout", &*statement_max),
        // Locks of a client that is frozen or gone are let go.
        ("idle_in_transaction_session_timeout", &*statement_max),
        ("tcp_user_timeout", &*statement_max),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        // A plan made while a table was empty must not outlive that.
        ("plan_cache_mode", "force_custom_plan"),
        ("jit", "off"),
    ]))
}

pub(super) fn connections(options: PgConnectOptions, connections_max: u32) -> Connections {
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_MAX)
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options);
    Connections { pool }
}

impl Connections {
    /// Runs an operation within its bound.
    pub(super) async fn run<O: Operation>(&self, operation: &O) -> Result<O::Answer, StoreError> {
        match timeout(OPERATION_MAX, self.attempt_twice(operation)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if fault::is_undefined(&error) => Err(self.schema_error(&error).await),
            Ok(Err(error)) => Err(fault::store_error(&error)),
            Err(_) => Err(StoreError::Unavailable(format!(
                "no answer within {} s",
                OPERATION_MAX.as_secs()
            ))),
        }
    }

    /// Host, port and database, for people.
    pub(super) fn server(&self) -> String {
        let options = self.pool.connect_options();
        format!(
            "{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        )
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// A connection outside the pool without time limits, for migrations.
    pub(super) async fn alone(&self) -> Result<PgConnection, StoreError> {
        let options = self.pool.connect_options();
        let unlimited = options
            .as_ref()
            .clone()
            .options([("statement_timeout", "0")]);
        match timeout(ACQUIRE_MAX, PgConnection::connect_with(&unlimited)).await {
            Ok(connected) => connected.map_err(|error| fault::store_error(&error)),
            Err(_) => Err(fault::store_error(&Error::PoolTimedOut)),
        }
    }

    async fn attempt_twice<O: Operation>(&self, operation: &O) -> Result<O::Answer, Error> {
        match self.attempt(operation).await {
            Err(error)
                if fault::is_rolled_back(&error) || (O::IS_REPEATABLE && fault::is_cut(&error)) =>
            {
                tracing::debug!(%error, "the store's operation is run again");
                self.attempt(operation).await
            }
            answered => answered,
        }
    }

    async fn attempt<O: Operation>(&self, operation: &O) -> Result<O::Answer, Error> {
        let mut lent = Lent {
            connection: self.pool.acquire().await?,
            is_clean: false,
        };
        let answered = operation.run(&mut lent.connection).await;
        lent.is_clean = !answered.as_ref().is_err_and(fault::is_cut);
        answered
    }

    /// Says which schema is there, when a statement found it lacking.
    async fn schema_error(&self, error: &Error) -> StoreError {
        let version = timeout(OPERATION_MAX, self.attempt(&schema::Version)).await;
        match version {
            Ok(Ok(found)) => schema::check(found)
                .err()
                .unwrap_or_else(|| fault::store_error(error)),
            _ => fault::store_error(error),
        }
    }
}

/// A connection on loan; dropped in the middle of an operation, it is closed.
struct Lent {
    connection: PoolConnection<Postgres>,
    is_clean: bool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_clean {
            self.connection.close_on_drop();
        }
    }
}
