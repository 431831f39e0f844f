//! The schema's versions: bringing it up to date, and telling whether it is.
//!
//! Migrations only add, so that the build before still works while the next one is rolled out: a newer schema is fine.

use std::{sync::LazyLock, time::Duration};

use sqlx::{
    Error, PgConnection, Row, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use tokio::time::timeout;

use super::{
    connection::{Connections, Operation},
    fault,
};
use crate::StoreError;

/// Version, name, SQL; never changed once released.
const MIGRATIONS: [(i64, &str, &str); 5] = [
    (
        1,
        "owners effects",
        include_str!("../../migrations/0001_owners_effects.sql"),
    ),
    (
        2,
        "timelines",
        include_str!("../../migrations/0002_timelines.sql"),
    ),
    (
        3,
        "parked",
        include_str!("../../migrations/0003_parked.sql"),
    ),
    (
        4,
        "letters",
        include_str!("../../migrations/0004_letters.sql"),
    ),
    (
        5,
        "suspects",
        include_str!("../../migrations/0005_suspects.sql"),
    ),
];

/// A migration that takes longer is given up, and rolled back.
const MIGRATE_MAX: Duration = Duration::from_secs(600);

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        Migration::new(
            version,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.set_ignore_missing(true);
    migrator
});

/// The newest migration that was applied; 0 on an empty database.
pub(super) struct Version;

impl Operation for Version {
    type Answer = i64;

    async fn run(&self, connection: &mut PgConnection) -> Result<i64, Error> {
        let exists = sqlx::query("select to_regclass('_sqlx_migrations') is not null")
            .fetch_one(&mut *connection)
            .await?;
        if !exists.try_get::<bool, _>(0)? {
            return Ok(0);
        }
        sqlx::query("select coalesce(max(version), 0) from _sqlx_migrations where success")
            .fetch_one(connection)
            .await?
            .try_get(0)
    }
}

pub(super) async fn ping(connections: &Connections) -> Result<(), StoreError> {
    check(connections.run(&Version).await?)
}

/// Whether this build works on that version.
pub(super) fn check(found: i64) -> Result<(), StoreError> {
    let [.., (needed, ..)] = MIGRATIONS;
    if found >= needed {
        return Ok(());
    }
    Err(StoreError::Schema { found, needed })
}

pub(super) async fn migrate(connections: &Connections) -> Result<(), StoreError> {
    let mut alone = connections.alone().await?;
    let migrated = timeout(MIGRATE_MAX, MIGRATOR.run(&mut alone)).await;
    let Ok(migrated) = migrated else {
        return Err(StoreError::Unavailable(format!(
            "the migration did not end within {} s",
            MIGRATE_MAX.as_secs()
        )));
    };
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            fault::store_error(&error)
        }
        other => StoreError::Unreadable(format!("its schema is not ours: {other}")),
    })
}
