//! The statements of a search, run on a connection.

use std::cell::RefCell;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::fault::{Fault, Tried};
use super::row::{count, get, indexable, resource};
use super::session::{Param, Session};
use crate::error::{Error, Result};
use crate::fhir::search::SortValue;
use crate::store::Shown;
use crate::store::sql::{COLUMNS, Dialect, Found, Snapshot, Statement, Value};

/// A connection inside a read transaction.
pub(super) struct Reading<'a>(RefCell<&'a mut Session>);

/// Reads in one snapshot of the database.
pub(super) fn in_snapshot<T>(
    session: &mut Session,
    read: impl FnOnce(&Reading<'_>) -> Result<T>,
) -> Tried<Result<T>> {
    session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    let answer = read(&Reading(RefCell::new(session)));
    // Where even this fails, the connection is dead and is not used again.
    session.batch("COMMIT")?;
    Ok(answer)
}

impl Reading<'_> {
    fn rows<T>(&self, statement: &Statement, read: impl FnMut(&Row) -> Tried<T>) -> Result<Vec<T>> {
        // Texts as the index holds them.
        let texts: Vec<_> = statement
            .values
            .iter()
            .map(|value| match value {
                Value::Text(text) => indexable(text).into_owned(),
                Value::Int(_) | Value::Real(_) => String::new(),
            })
            .collect();
        let params: Vec<Param<'_>> = statement
            .values
            .iter()
            .zip(&texts)
            .map(|(value, text)| match value {
                Value::Int(number) => number as Param<'_>,
                Value::Real(number) => number,
                Value::Text(_) => text,
            })
            .collect();
        let rows = self.0.borrow_mut().query(&statement.text, &params)?;
        Ok(rows.iter().map(read).collect::<Tried<_>>()?)
    }
}

impl Snapshot for Reading<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn found(&self, statement: &Statement) -> Result<Vec<Found>> {
        self.rows(statement, |row| {
            let keys = (COLUMNS..row.len()).map(|column| key(row, column));
            let keys = keys.collect::<Tried<_>>()?;
            let mut resource = resource(row, 1)?;
            resource.shown = Shown::by(get(row, COLUMNS - 1)?);
            Ok(Found { rid: get(row, 0)?, resource, keys })
        })
    }

    fn texts(&self, statement: &Statement) -> Result<Vec<String>> {
        self.rows(statement, |row| get(row, 0))
    }

    fn number(&self, statement: &Statement) -> Result<u64> {
        let numbers = self.rows(statement, |row| count(row, 0))?;
        numbers.first().copied().ok_or_else(|| Error::broken("a count without a row"))
    }
}

fn key(row: &Row, column: usize) -> Tried<SortValue> {
    let kind = row.columns().get(column).map(|column| column.type_().clone());
    let value = match kind {
        Some(Type::INT8) => get::<Option<i64>>(row, column)?.map(SortValue::Instant),
        Some(Type::FLOAT8) => get::<Option<f64>>(row, column)?.map(SortValue::Number),
        Some(Type::TEXT) => get::<Option<String>>(row, column)?.map(SortValue::Text),
        _ => return Err(Fault::broken("a sort key of another type")),
    };
    Ok(value.unwrap_or(SortValue::Missing))
}
