//! The schema: its migrations, whose file it is, and what the installation remembers.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::store::upgrade::{Applied, Migration, Upgrade, check_losses, due};

use super::connection::broken;

/// What a file of ours holds.
#[derive(Debug)]
pub(super) struct Schema {
    /// Marks the file as one of these (`application_id`).
    application: i64,
    /// Every migration, oldest first. The file's `user_version` is the number of the last one
    /// taken.
    migrations: &'static [Migration],
}

/// The store's file: "thrl".
pub(super) const STORE: Schema = Schema { application: 0x7468_726c, migrations: MIGRATIONS };

/// The ledger's file: "thra".
pub(super) const LEDGER: Schema = Schema {
    application: 0x7468_7261,
    migrations: &[Migration {
        number: 1,
        name: "ledger",
        sql: include_str!("migrations/audit_0001_ledger.sql"),
        loses: None,
    }],
};

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "store",
        sql: include_str!("migrations/0001_store.sql"),
        loses: None,
    },
    Migration {
        number: 2,
        name: "facts",
        sql: include_str!("migrations/0002_facts.sql"),
        loses: None,
    },
    Migration {
        number: 3,
        name: "search",
        sql: include_str!("migrations/0003_search.sql"),
        loses: None,
    },
    Migration {
        number: 4,
        name: "feeds",
        sql: include_str!("migrations/0004_feeds.sql"),
        loses: None,
    },
    Migration {
        number: 5,
        name: "compartment",
        sql: include_str!("migrations/0005_compartment.sql"),
        loses: None,
    },
    Migration {
        number: 6,
        name: "authorization",
        sql: include_str!("migrations/0006_authorization.sql"),
        loses: None,
    },
    Migration {
        number: 7,
        name: "allowed",
        sql: include_str!("migrations/0007_allowed.sql"),
        loses: None,
    },
    Migration {
        number: 8,
        name: "logins",
        sql: include_str!("migrations/0008_logins.sql"),
        loses: None,
    },
    Migration {
        number: 9,
        name: "jobs",
        sql: include_str!("migrations/0009_jobs.sql"),
        loses: None,
    },
    Migration {
        number: 10,
        name: "duties",
        sql: include_str!("migrations/0010_duties.sql"),
        loses: None,
    },
    Migration {
        number: 11,
        name: "links",
        sql: include_str!("migrations/0011_links.sql"),
        loses: None,
    },
    Migration {
        number: 12,
        name: "received",
        sql: include_str!("migrations/0012_received.sql"),
        loses: None,
    },
    Migration {
        number: 13,
        name: "arrived",
        sql: include_str!("migrations/0013_arrived.sql"),
        loses: None,
    },
    Migration {
        number: 14,
        name: "retention",
        sql: include_str!("migrations/0014_retention.sql"),
        loses: None,
    },
    Migration {
        number: 15,
        name: "seen",
        sql: include_str!("migrations/0015_seen.sql"),
        loses: None,
    },
    Migration {
        number: 16,
        name: "closed",
        sql: include_str!("migrations/0016_closed.sql"),
        loses: None,
    },
];
/// What a file is, by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Empty,
    Ours,
    Foreign,
}

/// Looks at a file without changing it.
pub(super) fn kind(connection: &Connection, schema: &Schema) -> rusqlite::Result<FileKind> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    Ok(if application == schema.application {
        FileKind::Ours
    } else if application == 0 && version == 0 && number("schema_version")? == 0 {
        FileKind::Empty
    } else {
        FileKind::Foreign
    })
}

/// The migrations that are due.
pub(super) fn pending(connection: &Connection, schema: &Schema) -> Result<&'static [Migration]> {
    due(schema.migrations, &applied(connection).map_err(broken)?)
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    let last: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut applied: Vec<_> = (1..=last).map(|number| Applied { number, checksum: None }).collect();
    if exists(connection, "throughline_migration")? {
        let mut select =
            connection.prepare("SELECT number, checksum FROM throughline_migration")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            if let Some(step) = applied.iter_mut().find(|step| step.number == number) {
                step.checksum = Some(row.get(1)?);
            }
        }
    }
    Ok(applied)
}

/// Whether there is a table of that name.
pub(super) fn exists(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?
        .exists([table])
}

/// Takes the steps that are due, all or none.
pub(super) fn migrate(connection: &Connection, schema: &Schema, upgrade: Upgrade) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(broken)?;
    // Another process may have taken them meanwhile.
    let taken = pending(connection, schema).and_then(|due| {
        check_losses(due, upgrade.allow_loss)?;
        due.iter().try_for_each(|migration| apply(connection, schema, migration)).map_err(broken)
    });
    let end = if taken.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.execute_batch(end).map_err(broken)?;
    taken
}

fn apply(connection: &Connection, schema: &Schema, migration: &Migration) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS throughline_migration (
           number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT",
    )?;
    connection.execute_batch(migration.sql)?;
    connection.execute(
        "INSERT INTO throughline_migration VALUES (?1, ?2, ?3)",
        params![migration.number, migration.name, migration.checksum()],
    )?;
    connection.pragma_update(None, "application_id", schema.application)?;
    connection.pragma_update(None, "user_version", migration.number)
}

/// Refuses a file that is not ours.
pub(super) fn judge(kind: FileKind, name: &std::path::Path) -> Result<()> {
    match kind {
        FileKind::Empty | FileKind::Ours => Ok(()),
        FileKind::Foreign => Err(Error::Setup(format!(
            "{} is a database of another program; name a data folder of its own",
            name.display()
        ))),
    }
}

/// What the installation remembers under a name.
pub(super) fn fact(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM fact WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// Remembers something under a name, unless something is; answers what is remembered.
pub(super) fn claim_fact(
    connection: &Connection,
    name: &str,
    value: &str,
) -> rusqlite::Result<String> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO fact (name, value) VALUES (?1, ?2)")?
        .execute([name, value])?;
    Ok(fact(connection, name)?.unwrap_or_default())
}

/// Remembers something under a name.
pub(super) fn set_fact(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)")?
        .execute([name, value])?;
    Ok(())
}

/// Remembers nothing under a name.
pub(super) fn unset_fact(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM fact WHERE name = ?1")?.execute([name])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::upgrade::tests::{files, titles};

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sqlite/migrations");

    #[test]
    fn migrations_are_numbered_from_one_without_gaps_as_their_files_are() {
        let (audit, store): (Vec<_>, Vec<_>) =
            files(FOLDER).into_iter().partition(|name| name.starts_with("audit_"));
        assert_eq!(titles(STORE.migrations), store);
        let titles = titles(LEDGER.migrations).into_iter();
        assert_eq!(titles.map(|title| format!("audit_{title}")).collect::<Vec<_>>(), audit);
    }

    #[test]
    fn a_file_of_any_earlier_version_is_brought_up_to_date_with_what_it_holds() {
        for taken in 1..MIGRATIONS.len() {
            let earlier = Schema { migrations: &MIGRATIONS[..taken], ..STORE };
            let connection = Connection::open_in_memory().unwrap();
            migrate(&connection, &earlier, Upgrade::default()).unwrap();
            connection
                .execute_batch(
                    r#"INSERT INTO source VALUES (1, 'hv', 'staff', 'st', 1, x'00', 0, 1, '{}');
                       INSERT INTO isolated_note VALUES ('hv', 'session_note', 'n', 1, x'00',
                         CAST('{"client_ids":["cl_1","cl_2"]}' AS BLOB));"#
                        .replace("'{}'", "CAST('{}' AS BLOB)")
                        .as_str(),
                )
                .unwrap();
            migrate(&connection, &STORE, Upgrade::default()).unwrap();
            assert!(pending(&connection, &STORE).unwrap().is_empty());
            let count = |table: &str| {
                let select = format!("SELECT count(*) FROM {table}");
                connection.query_row(&select, [], |row| row.get::<_, i64>(0)).unwrap()
            };
            let filed = MIGRATIONS.iter().position(|step| step.name == "retention").unwrap();
            let held = if taken <= filed { 2 } else { 0 };
            assert_eq!((count("source"), count("isolated_subject")), (1, held), "from {taken}");
        }
    }
}
