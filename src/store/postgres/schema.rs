//! The schema: its migrations, what may be opened, and what the installation remembers.

use tokio_postgres::types::ToSql;

use super::fault::{Fault, Tried};
use super::reindex;
use super::row::get;
use super::session::Session;
use crate::error::{Error, Result};
use crate::store::upgrade::{Applied, Migration, Upgrade, Upgraded, check_losses, due};

/// Every migration, oldest first.
const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "store",
        sql: include_str!("migrations/0001_store.sql"),
        loses: None,
    },
    Migration {
        number: 2,
        name: "audit",
        sql: include_str!("migrations/0002_audit.sql"),
        loses: None,
    },
    Migration {
        number: 3,
        name: "authorization",
        sql: include_str!("migrations/0003_authorization.sql"),
        loses: None,
    },
    Migration {
        number: 4,
        name: "allowed",
        sql: include_str!("migrations/0004_allowed.sql"),
        loses: None,
    },
    Migration {
        number: 5,
        name: "logins",
        sql: include_str!("migrations/0005_logins.sql"),
        loses: None,
    },
    Migration {
        number: 6,
        name: "jobs",
        sql: include_str!("migrations/0006_jobs.sql"),
        loses: None,
    },
    Migration {
        number: 7,
        name: "duties",
        sql: include_str!("migrations/0007_duties.sql"),
        loses: None,
    },
    Migration {
        number: 8,
        name: "links",
        sql: include_str!("migrations/0008_links.sql"),
        loses: None,
    },
    Migration {
        number: 9,
        name: "received",
        sql: include_str!("migrations/0009_received.sql"),
        loses: None,
    },
    Migration {
        number: 10,
        name: "arrived",
        sql: include_str!("migrations/0010_arrived.sql"),
        loses: None,
    },
    Migration {
        number: 11,
        name: "retention",
        sql: include_str!("migrations/0011_retention.sql"),
        loses: None,
    },
    Migration {
        number: 12,
        name: "closed",
        sql: include_str!("migrations/0012_closed.sql"),
        loses: None,
    },
];
/// The oldest PostgreSQL, as `server_version_num`, that its makers still look after.
const OLDEST: i32 = 130_000;
/// Held while the schema or the meaning of the index changes; writers share it.
const WRITERS: &str = "SELECT pg_advisory_xact_lock(7526692004)";
const WRITERS_SHARED: &str = "SELECT pg_advisory_xact_lock_shared(7526692004)";
/// Held by the one process that migrates.
const MIGRATE: &str = "SELECT pg_advisory_lock(7526692005)";

/// What a database is.
enum State {
    Empty,
    Foreign,
    Ours(Vec<Applied>),
}

/// Refuses a database that is not ready to be used, and says what to do.
pub(super) fn check(session: &mut Session, fingerprint: &str) -> Result<()> {
    let applied = match state(session)? {
        State::Empty => return Err(unready("is empty")),
        State::Foreign => return Err(foreign()),
        State::Ours(applied) => applied,
    };
    if !due(MIGRATIONS, &applied)?.is_empty() {
        return Err(unready("has an older schema"));
    }
    if reindex::is_due(session, fingerprint)? {
        return Err(unready("has the search index of another version"));
    }
    Ok(())
}

fn unready(what: &str) -> Error {
    Error::Setup(format!("the database {what}: run `throughline migrate` on it first"))
}

fn foreign() -> Error {
    Error::Setup(
        "the database holds tables of another program: give throughline a database, or a schema \
         in the search_path, of its own"
            .to_owned(),
    )
}

/// Brings a database up to date, or says what that would take.
pub(super) fn migrate(
    session: &mut Session,
    upgrade: Upgrade,
    fingerprint: &str,
    watch: &mut dyn FnMut(u64),
) -> Result<Upgraded> {
    if !upgrade.only_check {
        session.query(MIGRATE, &[]).map_err(|fault| {
            Error::Setup(format!("another `throughline migrate` is at work, wait for it: {fault}"))
        })?;
        session.without_limit()?;
    }
    let applied = match state(session)? {
        State::Empty => Vec::new(),
        State::Foreign => return Err(foreign()),
        State::Ours(applied) => applied,
    };
    let due = due(MIGRATIONS, &applied)?;
    check_losses(due, upgrade.allow_loss)?;
    let migrations = due.iter().map(Migration::title).collect();
    let reindex = applied.is_empty() || reindex::is_due(session, fingerprint)?;
    if !upgrade.only_check {
        due.iter().try_for_each(|migration| apply(session, migration))?;
        reindex::run(session, fingerprint, watch)?;
    }
    // An empty index is of any version.
    Ok(Upgraded { migrations, reindex: reindex && !applied.is_empty() })
}

fn state(session: &mut Session) -> Tried<State> {
    let rows = session.query(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding'),
           to_regclass('throughline_migration') IS NOT NULL,
           (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S'))",
        &[],
    )?;
    let row = rows.first().ok_or_else(|| Fault::broken("the server says nothing of itself"))?;
    if get::<i32>(row, 0)? < OLDEST {
        return Err(Fault::setup("PostgreSQL is too old: throughline needs version 13 or newer"));
    }
    if get::<&str>(row, 1)? != "UTF8" {
        return Err(Fault::setup("the database is not in UTF-8: create one with ENCODING 'UTF8'"));
    }
    if !get::<bool>(row, 2)? {
        let tables: i64 = get(row, 3)?;
        return Ok(if tables == 0 { State::Empty } else { State::Foreign });
    }
    let rows =
        session.query("SELECT number, checksum FROM throughline_migration ORDER BY number", &[])?;
    let applied =
        rows.iter().map(|row| Ok(Applied { number: get(row, 0)?, checksum: Some(get(row, 1)?) }));
    applied.collect::<Tried<_>>().map(State::Ours)
}

/// Takes one step, and notes it, in one transaction.
fn apply(session: &mut Session, migration: &Migration) -> Tried<()> {
    session.batch("BEGIN")?;
    session.query(WRITERS, &[])?;
    session.batch(
        "CREATE TABLE IF NOT EXISTS throughline_migration (
           number bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL)",
    )?;
    session.batch(migration.sql)?;
    let params: [&(dyn ToSql + Sync); 3] =
        [&migration.number, &migration.name, &migration.checksum()];
    session.execute("INSERT INTO throughline_migration VALUES ($1, $2, $3)", &params)?;
    session.batch("COMMIT")
}

/// Keeps writers out until the transaction ends.
pub(super) fn keep_writers_out(session: &mut Session) -> Tried<()> {
    session.query(WRITERS, &[]).map(drop)
}

/// Begins a write transaction, unless another version has changed what the index means.
pub(super) fn begin(session: &mut Session, fingerprint: &str) -> Tried<()> {
    let answers = session.queries(&[
        ("BEGIN", &[]),
        (WRITERS_SHARED, &[]),
        ("SELECT value FROM fact WHERE name = $1", &[&reindex::INDEX]),
    ])?;
    let row = answers.last().and_then(|rows| rows.first());
    if row.map(|row| get::<&str>(row, 0)).transpose()? == Some(fingerprint) {
        return Ok(());
    }
    session.batch("ROLLBACK")?;
    Err(Fault::outdated())
}

/// What the installation remembers under a name.
pub(super) fn fact(session: &mut Session, name: &str) -> Tried<Option<String>> {
    let rows = session.query("SELECT value FROM fact WHERE name = $1", &[&name])?;
    rows.first().map(|row| get(row, 0)).transpose()
}

/// Remembers something under a name, unless something is; answers what is remembered.
pub(super) fn claim_fact(session: &mut Session, name: &str, value: &str) -> Tried<String> {
    session.execute(
        "INSERT INTO fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        &[&name, &value],
    )?;
    Ok(fact(session, name)?.unwrap_or_default())
}

/// Remembers something under a name.
pub(super) fn set_fact(session: &mut Session, name: &str, value: &str) -> Tried<()> {
    session.execute(
        "INSERT INTO fact (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[&name, &value],
    )?;
    Ok(())
}

/// Remembers nothing under a name.
pub(super) fn unset_fact(session: &mut Session, name: &str) -> Tried<()> {
    session.execute("DELETE FROM fact WHERE name = $1", &[&name]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::upgrade::tests::{files, titles};

    #[test]
    fn migrations_are_numbered_from_one_without_gaps_as_their_files_are() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/postgres/migrations");
        assert_eq!(titles(MIGRATIONS), files(folder));
    }
}
