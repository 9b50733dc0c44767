//! The statements of a search, run on a connection.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql, params_from_iter};

use super::connection::broken;
use super::read;
use crate::error::{Error, Result};
use crate::fhir::search::SortValue;
use crate::store::Shown;
use crate::store::sql::{COLUMNS, Dialect, Found, Snapshot, Statement, Value};

/// A connection inside a read transaction.
pub(super) struct Reading<'a>(pub(super) &'a Connection);

impl Reading<'_> {
    pub(super) fn rows<T>(
        &self,
        statement: &Statement,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let run = || {
            self.0
                .prepare_cached(&statement.text)?
                .query_map(params_from_iter(&statement.values), read)?
                .collect::<rusqlite::Result<Vec<T>>>()
        };
        run().map_err(broken)
    }
}

impl Snapshot for Reading<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn found(&self, statement: &Statement) -> Result<Vec<Found>> {
        self.rows(statement, |row| {
            let mut keys = Vec::new();
            for column in COLUMNS..row.as_ref().column_count() {
                keys.push(key(row.get_ref(column)?));
            }
            let mut resource = read::resource_at(row, 1)?;
            resource.shown = Shown::by(row.get_ref(COLUMNS - 1)?.as_str()?);
            Ok(Found { rid: row.get(0)?, resource, keys })
        })
    }

    fn texts(&self, statement: &Statement) -> Result<Vec<String>> {
        self.rows(statement, |row| row.get(0))
    }

    fn number(&self, statement: &Statement) -> Result<u64> {
        let numbers = self.rows(statement, |row| read::count(row, 0))?;
        numbers.first().copied().ok_or_else(|| Error::broken("a count without a row"))
    }
}

fn key(value: ValueRef<'_>) -> SortValue {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => SortValue::Missing,
        ValueRef::Integer(instant) => SortValue::Instant(instant),
        ValueRef::Real(number) => SortValue::Number(number),
        ValueRef::Text(text) => SortValue::Text(String::from_utf8_lossy(text).into_owned()),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Int(value) => value.to_sql(),
            Self::Real(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
        }
    }
}
