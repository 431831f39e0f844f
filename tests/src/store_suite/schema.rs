//! The schema: told apart when missing or old, migrated by several at once, fine when newer.

use anyhow::Context;
use argosy_store::{Postgres, Store, StoreError};
use sqlx::{Connection, PgConnection};

/// Begins on an empty database and leaves a migrated one.
pub(super) async fn try_all(
    postgres: &Postgres,
    url: &str,
    violations: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut expect = |what: &str, holds: bool| {
        if !holds {
            violations.push(format!("schema: {what}"));
        }
    };
    let pinged = postgres.ping().await;
    let needed = match pinged {
        Err(StoreError::Schema { found: 0, needed }) => needed,
        other => anyhow::bail!("an empty database is told apart by ping, which said {other:?}"),
    };
    let asked = postgres.status("shop".to_owned(), "1".to_owned()).await;
    expect(
        "a statement on an empty database asks for the migration",
        matches!(asked, Err(StoreError::Schema { found: 0, .. })),
    );

    let migrations = [(); 4].map(|()| postgres.migrate());
    for migrated in futures_util::future::join_all(migrations).await {
        migrated.context("several may migrate at once")?;
    }
    expect(
        "a migrated schema is fine",
        postgres.ping().await.is_ok() && postgres.migrate().await.is_ok(),
    );

    let mut direct = PgConnection::connect(url).await?;
    let older = "update _sqlx_migrations set success = false where version = $1";
    sqlx::query(older).bind(needed).execute(&mut direct).await?;
    let found = needed - 1;
    expect(
        "a migration that failed does not count",
        matches!(postgres.ping().await, Err(StoreError::Schema { found: seen, .. }) if seen == found),
    );
    expect(
        "a failed migration is not run over",
        matches!(postgres.migrate().await, Err(StoreError::Unreadable(_))),
    );
    sqlx::query("update _sqlx_migrations set success = true")
        .execute(&mut direct)
        .await?;

    let newer =
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (1000000, 'of a newer build', true, '', 0)";
    sqlx::query(newer).execute(&mut direct).await?;
    expect(
        "a newer schema is fine, and left alone",
        postgres.ping().await.is_ok() && postgres.migrate().await.is_ok(),
    );
    sqlx::query("delete from _sqlx_migrations where version = 1000000")
        .execute(&mut direct)
        .await?;
    direct.close().await?;
    Ok(())
}
