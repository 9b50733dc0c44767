//! The floor: the rows of a store inserted into an empty one, without any work but SQLite's.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Rows, Statement, params_from_iter};
use throughline::exchange::ingest::BATCH;
use throughline::store::SqliteStore;

use crate::usage::Usage;

/// The tables of the first half of a run, and in which order their rows come.
const READ: [(&str, &str, &str); 2] = [("source", "seq", "seq"), ("link", "seq", "seq")];
/// Those of the second half. The order is that of the primary keys; there is one tenant.
const MADE: [(&str, &str, &str); 5] = [
    ("resource", "rid", "rid"),
    ("token", "rid", "tenant, rid"),
    ("reference", "rid", "tenant, rid"),
    ("date", "rid", "tenant, rid"),
    ("text", "rid", "tenant, rid"),
];
/// The isolated plane has few rows, and they go in at once.
const ISOLATED: [(&str, &str, &str); 1] = [("isolated_note", "version", "rowid")];
/// Tables that are empty when nothing was refused or changed.
const EMPTY: [&str; 4] = ["dirty", "history", "quarantine", "isolated_quarantine"];

/// Copies the store `from` to `to`. Each transaction has the rows of as many records as a
/// transaction of ingest, and they are in memory before it begins; only inserting is measured.
pub(crate) fn insert_again(from: &Path, to: &Path) -> (Usage, u64) {
    // The store makes the schema and the page size, and closes again.
    drop(SqliteStore::open(to).unwrap());
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    for table in EMPTY {
        assert_eq!(number(&source, &format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    let target = Connection::open(to).unwrap();
    let pragmas = "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;
                   PRAGMA synchronous = NORMAL; PRAGMA cache_size = -49152;";
    target.execute_batch(pragmas).unwrap();
    assert_eq!(number(&target, "SELECT count(*) FROM resource"), 0, "it starts empty");

    let records = keys(&source, "SELECT seq FROM source ORDER BY seq");
    let ends = records.chunks(BATCH).filter_map(<[i64]>::last).copied().collect::<Vec<_>>();
    let (read, stored) = copy(&source, &target, &READ, &ends);
    let (isolated, kept) = copy(&source, &target, &ISOLATED, &[i64::MAX]);
    let origins = "SELECT max(rid) FROM resource GROUP BY tenant, origin_kind, origin_id
                   ORDER BY max(rid)";
    let origins = keys(&source, origins);
    let ends = origins.chunks(BATCH).filter_map(<[i64]>::last).copied().collect::<Vec<_>>();
    let (made, indexed) = copy(&source, &target, &MADE, &ends);
    for (table, ..) in READ.iter().chain(&ISOLATED).chain(&MADE) {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(number(&source, &count), number(&target, &count), "{table} is whole");
    }
    (read.plus(isolated).plus(made), stored + kept + indexed)
}

/// Copies tables, a transaction up to each of the keys `ends`.
fn copy(
    source: &Connection,
    target: &Connection,
    tables: &[(&str, &str, &str)],
    ends: &[i64],
) -> (Usage, u64) {
    let select = |(table, _, order): &(&str, &str, &str)| {
        source.prepare(&format!("SELECT * FROM {table} ORDER BY {order}")).unwrap()
    };
    let mut selects: Vec<Statement<'_>> = tables.iter().map(select).collect();
    let mut inserts = Vec::new();
    let mut feeds = Vec::new();
    for (select, (table, key, _)) in selects.iter_mut().zip(tables) {
        let key = select.column_index(key).unwrap();
        let holes = vec!["?"; select.column_count()].join(", ");
        inserts.push(target.prepare(&format!("INSERT INTO {table} VALUES ({holes})")).unwrap());
        feeds.push(Feed { key, next: None, rows: select.query([]).unwrap() });
    }
    let (mut used, mut count) = (Usage::default(), 0);
    for end in ends {
        let batch: Vec<Vec<Row>> = feeds.iter_mut().map(|feed| feed.up_to(*end)).collect();
        let start = Usage::of_thread();
        target.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (insert, rows) in inserts.iter_mut().zip(&batch) {
            for row in rows {
                insert.execute(params_from_iter(row)).unwrap();
            }
        }
        target.execute_batch("COMMIT").unwrap();
        used = used.plus(Usage::of_thread().since(start));
        count += batch.iter().map(|rows| rows.len() as u64).sum::<u64>();
    }
    (used, count)
}

type Row = Vec<Value>;

/// A table that is being read.
struct Feed<'a> {
    rows: Rows<'a>,
    key: usize,
    next: Option<Row>,
}

impl Feed<'_> {
    /// The rows up to a key.
    fn up_to(&mut self, end: i64) -> Vec<Row> {
        let mut found = Vec::new();
        while let Some(row) = self.next.take().or_else(|| self.read()) {
            if !matches!(row.get(self.key), Some(Value::Integer(key)) if *key <= end) {
                self.next = Some(row);
                break;
            }
            found.push(row);
        }
        found
    }

    fn read(&mut self) -> Option<Row> {
        let row = self.rows.next().unwrap()?;
        Some((0..row.as_ref().column_count()).map(|column| row.get(column).unwrap()).collect())
    }
}

fn number(connection: &Connection, select: &str) -> i64 {
    connection.query_row(select, [], |row| row.get(0)).unwrap()
}

fn keys(connection: &Connection, select: &str) -> Vec<i64> {
    let mut select = connection.prepare(select).unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
