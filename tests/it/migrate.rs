//! `throughline migrate`: what it does to a database, and which databases are refused.

use std::path::Path;
use std::process::{Command, Output};

use throughline::Error;
use throughline::store::{PostgresStore, SqliteStore, Store};

use crate::support::desk::resources;
use crate::support::postgres::{self, PostgresServer};

fn throughline(arguments: &[&str], data: &Path, url: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).arg("--data").arg(data);
    command.env_remove("THROUGHLINE_DATABASE_URL");
    if let Some(url) = url {
        command.env("THROUGHLINE_DATABASE_URL", url);
    }
    command.output().unwrap()
}

/// The exit code and what was said.
fn outcome(output: &Output) -> (i32, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A command against a database, with a data folder of its own.
fn run(arguments: &[&str], url: &str) -> (i32, String) {
    let data = tempfile::tempdir().unwrap();
    outcome(&throughline(arguments, data.path(), Some(url)))
}

fn refused(arguments: &[&str], url: &str, why: &str) {
    let (code, said) = run(arguments, url);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(why), "{said}");
}

fn server() -> Option<&'static PostgresServer> {
    postgres::shared()
}

#[test]
fn a_database_is_used_once_it_is_migrated() {
    let Some(server) = server() else { return };
    let url = server.database();
    refused(&["quarantine", "list"], &url, "is empty: run `throughline migrate`");
    let (code, said) = run(&["migrate", "--check"], &url);
    assert_eq!((code, said.contains("due: 0001_store")), (1, true), "{said}");
    assert_eq!(
        postgres::number(&url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        0
    );
    let (code, said) = run(&["migrate"], &url);
    assert_eq!((code, said.contains("applied: 0001_store")), (0, true), "{said}");
    for arguments in [&["migrate", "--dry-run"][..], &["migrate"]] {
        assert_eq!(run(arguments, &url), (0, "the store is up to date\n".to_owned()));
    }
    assert_eq!(run(&["quarantine", "list"], &url), (0, "quarantine is empty\n".to_owned()));
}

#[test]
fn several_may_migrate_at_once() {
    let Some(server) = server() else { return };
    let url = server.database();
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| run(&["migrate"], &url).0)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(codes, [0, 0, 0]);
    let (taken, last) = ("SELECT count(*) FROM throughline_migration", newest(&url));
    assert_eq!(postgres::number(&url, taken), last);
}

#[test]
fn a_database_of_another_program_is_refused_and_not_touched() {
    let Some(server) = server() else { return };
    let url = server.database();
    postgres::execute(&url, "CREATE TABLE theirs (a int)").unwrap();
    for arguments in [&["migrate"][..], &["migrate", "--check"], &["quarantine", "list"]] {
        refused(arguments, &url, "tables of another program");
    }
    assert_eq!(
        postgres::number(&url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        1
    );
    // A schema of its own in the same database is enough.
    postgres::execute(&url, "CREATE SCHEMA ours").unwrap();
    let ours = format!("{url}?options=-c%20search_path%3Dours");
    assert_eq!(run(&["migrate"], &ours).0, 0);
    assert_eq!(run(&["quarantine", "list"], &ours).0, 0);
}

/// The number of the last migration that a database has taken.
fn newest(url: &str) -> i64 {
    postgres::number(url, "SELECT max(number) FROM throughline_migration")
}

#[test]
fn a_database_of_a_newer_or_another_version_is_refused() {
    let Some(server) = server() else { return };
    let url = server.migrated();
    let last = newest(&url);
    let next = last + 1;
    let more = format!("INSERT INTO throughline_migration VALUES ({next}, 'more', '')");
    postgres::execute(&url, &more).unwrap();
    let newer = format!("newer throughline (schema {next}; this one knows {last})");
    for arguments in [&["migrate"][..], &["quarantine", "list"]] {
        refused(arguments, &url, &newer);
    }
    let changed = format!(
        "DELETE FROM throughline_migration WHERE number = {next};
         UPDATE throughline_migration SET checksum = 'x' WHERE number = 1"
    );
    postgres::execute(&url, &changed).unwrap();
    for arguments in [&["migrate"][..], &["quarantine", "list"]] {
        refused(arguments, &url, "another text of 0001_store");
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_told_without_the_password() {
    let data = tempfile::tempdir().unwrap();
    for url in [
        "postgres://u:SECRET@127.0.0.1:1/d",
        "postgres://u:SECRET@127.0.0.1:1/d?sslmode=require",
        "mysql://u:SECRET@127.0.0.1/d",
        "postgres://u:SECRET@db.example/d?sslmode=disable",
    ] {
        for level in ["warn", "trace"] {
            let arguments = ["migrate", "--log", level];
            let (code, said) = outcome(&throughline(&arguments, data.path(), Some(url)));
            assert_eq!(code, 2, "{said}");
            assert!(!said.contains("SECRET"), "{said}");
            let flag = ["migrate", "--log", level, "--database-url", url];
            let (_, said) = outcome(&throughline(&flag, data.path(), None));
            assert!(!said.contains("SECRET"), "{said}");
        }
    }
    let Some(server) = server() else { return };
    let missing = server.database().replace("/t", "/nothing");
    refused(&["migrate"], &missing, "there is no such database");
}

/// Takes in some clients' records; answers what can be seen.
fn fill(data: &Path, url: Option<&str>) {
    let file = data.join("records.ndjson");
    let out = file.to_str().unwrap();
    let made = throughline(&["synth", "--clients", "3", "--seed", "7", "--out", out], data, None);
    assert_eq!(outcome(&made).0, 0);
    assert_eq!(outcome(&throughline(&["ingest", out], data, url)).0, 0);
}

const TENANT: &str = "hv";

#[test]
fn the_index_in_postgres_is_made_anew_when_the_parameters_have_changed() {
    let Some(server) = server() else { return };
    let (url, data) = (server.migrated(), tempfile::tempdir().unwrap());
    fill(data.path(), Some(&url));
    let running = PostgresStore::open(&postgres::settings(&url)).unwrap();
    let rows = |table: &str| {
        let columns = "SELECT md5(x::text) AS h FROM (SELECT tenant, rid, param, type FROM";
        let all = format!("SELECT string_agg(h, '' ORDER BY h) FROM ({columns} {table}) x) y");
        postgres::lines(&url, &all)
    };
    let tables = ["token", "reference", "date", "text"];
    let before = tables.map(rows);
    let spoil =
        "DELETE FROM token; DELETE FROM date WHERE low > 0; UPDATE resource SET patient = '';
                 INSERT INTO text SELECT tenant, rid, 1, 'stale', 'Stale', type FROM resource;
                 UPDATE fact SET value = 'older' WHERE name = 'index'";
    postgres::execute(&url, spoil).unwrap();
    refused(&["quarantine", "list"], &url, "search index of another version");
    let write = running.write().map(drop);
    assert!(matches!(write, Err(Error::Unavailable(_))), "it would write rows of another version");
    assert_eq!(run(&["migrate", "--check"], &url).0, 1);
    let (code, said) = run(&["migrate"], &url);
    assert_eq!((code, said.as_str()), (0, "search index made anew\n"));
    assert_eq!(tables.map(rows), before);
    let without = postgres::number(
        &url,
        "SELECT count(*) FROM resource WHERE type = 'Encounter' AND patient = ''",
    );
    assert_eq!(without, 0);
    assert_eq!(run(&["migrate"], &url), (0, "the store is up to date\n".to_owned()));
}

#[test]
fn making_the_index_anew_goes_on_where_it_was_ended() {
    let Some(server) = server() else { return };
    let (url, data) = (server.migrated(), tempfile::tempdir().unwrap());
    fill(data.path(), Some(&url));
    let half = "DELETE FROM token; INSERT INTO fact
                SELECT 'index_after', (percentile_disc(0.5) WITHIN GROUP (ORDER BY rid))::text
                FROM resource";
    postgres::execute(&url, half).unwrap();
    assert_eq!(run(&["migrate"], &url).0, 0);
    let done = postgres::number(&url, "SELECT count(DISTINCT rid) FROM token");
    let all = postgres::number(&url, "SELECT count(*) FROM resource");
    assert!(done > all / 3 && done <= all / 2 + 1, "{done} of {all}");
}

#[test]
fn the_index_of_a_file_is_made_anew_when_it_is_opened() {
    let data = tempfile::tempdir().unwrap();
    fill(data.path(), None);
    let path = data.path().join("store.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = || {
        let rows = |table: &str| -> i64 {
            let text = format!("SELECT count(*) FROM {table}");
            connection.query_row(&text, [], |row| row.get(0)).unwrap()
        };
        ["token", "reference", "date", "text"].map(rows)
    };
    let before = count();
    let expected = resources(&SqliteStore::open(&path).unwrap(), &[TENANT]);
    assert!(expected.len() > 100);
    connection
        .execute_batch(
            "DELETE FROM token; DELETE FROM reference;
             UPDATE fact SET value = 'older' WHERE name = 'index'",
        )
        .unwrap();
    let check = throughline(&["migrate", "--check"], data.path(), None);
    assert_eq!(outcome(&check), (1, "due: making the search index anew\n".to_owned()));
    assert_eq!(resources(&SqliteStore::open(&path).unwrap(), &[TENANT]), expected);
    assert_eq!(count(), before);
    let check = throughline(&["migrate", "--check"], data.path(), None);
    assert_eq!(outcome(&check).0, 0);
}

fn tables(file: &rusqlite::Connection) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    names(file, tables)
}

fn names(file: &rusqlite::Connection, query: &str) -> Vec<String> {
    let mut select = file.prepare(query).unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_file_of_the_first_schema_is_brought_up_to_date_when_it_is_opened() {
    let data = tempfile::tempdir().unwrap();
    fill(data.path(), None);
    let path = data.path().join("store.sqlite");
    let expected = resources(&SqliteStore::open(&path).unwrap(), &[TENANT]);
    // What the first version left: no facts, and no list of migrations.
    let file = rusqlite::Connection::open(&path).unwrap();
    let first = rusqlite::Connection::open_in_memory().unwrap();
    first.execute_batch(include_str!("../../src/store/sqlite/migrations/0001_store.sql")).unwrap();
    let later = tables(&file).into_iter().filter(|name| !tables(&first).contains(name));
    for table in later.collect::<Vec<_>>() {
        file.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
    let of_kind = |kind: &str| {
        format!("SELECT name FROM sqlite_schema WHERE type = '{kind}' AND sql NOT NULL")
    };
    for trigger in names(&file, &of_kind("trigger")) {
        file.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    let there = names(&first, &of_kind("index"));
    for index in names(&file, &of_kind("index")).iter().filter(|name| !there.contains(name)) {
        file.execute_batch(&format!("DROP INDEX {index}")).unwrap();
    }
    for column in ["class", "related", "dated", "arrived"] {
        file.execute_batch(&format!("ALTER TABLE resource DROP COLUMN {column}")).unwrap();
    }
    file.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(file);
    let check = throughline(&["migrate", "--check"], data.path(), None);
    let (code, said) = outcome(&check);
    assert_eq!(code, 1);
    let begin = "due: 0002_facts\ndue: 0003_search\ndue: 0004_feeds\n";
    assert!(said.starts_with(begin), "{said}");
    assert!(said.ends_with("due: making the search index anew\n"), "{said}");
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(resources(&store, &[TENANT]), expected);
    assert!(store.fact("index").unwrap().is_some());
}

#[test]
fn a_replica_with_other_keys_is_refused() {
    let Some(server) = server() else { return };
    let url = server.migrated();
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let list = |data: &Path| outcome(&throughline(&["quarantine", "list"], data, Some(&url)));
    assert_eq!(list(first.path()).0, 0);
    let (code, said) = list(second.path());
    assert_eq!((code, said.contains("filled with other keys")), (2, true), "{said}");
    std::fs::copy(first.path().join("keys.json"), second.path().join("keys.json")).unwrap();
    assert_eq!(list(second.path()).0, 0);
}
