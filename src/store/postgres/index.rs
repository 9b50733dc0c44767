//! The rows that resources are found by: added many at a time, and taken away with their resource.

use std::borrow::Cow;

use tokio_postgres::types::Type;

use super::fault::Tried;
use super::row::indexable;
use super::session::{Param, Session};
use crate::fhir::search::IndexRow;

/// Takes the rows of resources out of every table; `$1` are their tenants, `$2` their numbers.
const DELETE: [&str; 6] = [
    "DELETE FROM token x USING unnest($1::text[], $2::bigint[]) AS g (tenant, rid)
     WHERE x.tenant = g.tenant AND x.rid = g.rid",
    "DELETE FROM reference x USING unnest($1::text[], $2::bigint[]) AS g (tenant, rid)
     WHERE x.tenant = g.tenant AND x.rid = g.rid",
    "DELETE FROM date x USING unnest($1::text[], $2::bigint[]) AS g (tenant, rid)
     WHERE x.tenant = g.tenant AND x.rid = g.rid",
    "DELETE FROM text x USING unnest($1::text[], $2::bigint[]) AS g (tenant, rid)
     WHERE x.tenant = g.tenant AND x.rid = g.rid",
    "DELETE FROM quantity x USING unnest($1::text[], $2::bigint[]) AS g (tenant, rid)
     WHERE x.tenant = g.tenant AND x.rid = g.rid",
    "DELETE FROM uri x USING unnest($1::text[], $2::bigint[]) AS g (tenant, rid)
     WHERE x.tenant = g.tenant AND x.rid = g.rid",
];

/// What the index rows of a resource repeat of it, and the rows.
pub(super) struct Entry<'a> {
    pub(super) tenant: &'a str,
    pub(super) rid: i64,
    pub(super) resource_type: &'a str,
    pub(super) patient: &'a str,
    pub(super) updated: i64,
    pub(super) id: &'a str,
    pub(super) rows: &'a [IndexRow],
}

/// The statements that take the rows of resources away.
pub(super) fn deletions<'p>(
    tenants: Param<'p>,
    rids: Param<'p>,
) -> [(&'static str, [Param<'p>; 2]); 6] {
    DELETE.map(|text| (text, [tenants, rids]))
}

/// Adds the rows of resources.
pub(super) fn insert(session: &mut Session, entries: &[&Entry<'_>]) -> Tried<()> {
    let mut tables = Tables::default();
    for &entry in entries {
        let mut seen = Vec::with_capacity(entry.rows.len());
        for row in entry.rows {
            // A repeated row is one row.
            if !seen.contains(&row) {
                seen.push(row);
                tables.add(entry, row);
            }
        }
    }
    tables.copy(session)
}

/// System, code and name of a unit.
type Unit<'a> = [Cow<'a, str>; 3];

/// The rows by table.
#[derive(Default)]
struct Tables<'a> {
    token: Vec<(&'a Entry<'a>, i64, Cow<'a, str>, Cow<'a, str>)>,
    reference: Vec<(&'a Entry<'a>, i64, Cow<'a, str>)>,
    date: Vec<(&'a Entry<'a>, i64, i64, i64)>,
    text: Vec<(&'a Entry<'a>, i64, Cow<'a, str>, Cow<'a, str>)>,
    quantity: Vec<(&'a Entry<'a>, i64, f64, f64, Unit<'a>)>,
    uri: Vec<(&'a Entry<'a>, i64, Cow<'a, str>)>,
}

impl<'a> Tables<'a> {
    fn add(&mut self, entry: &'a Entry<'a>, row: &'a IndexRow) {
        match row {
            IndexRow::Token { param, system, code } => {
                self.token.push((entry, (*param).into(), indexable(code), indexable(system)));
            }
            IndexRow::Reference { param, target } => {
                self.reference.push((entry, (*param).into(), indexable(target)));
            }
            IndexRow::Date { param, low, high } => {
                self.date.push((entry, (*param).into(), *low, *high));
            }
            IndexRow::Text { param, value, exact } => {
                self.text.push((entry, (*param).into(), indexable(value), indexable(exact)));
            }
            IndexRow::Quantity { param, low, high, system, code, unit } => {
                let unit = [system, code, unit].map(|text| indexable(text));
                self.quantity.push((entry, (*param).into(), *low, *high, unit));
            }
            IndexRow::Uri { param, value } => {
                self.uri.push((entry, (*param).into(), indexable(value)));
            }
        }
    }

    fn copy(&self, session: &mut Session) -> Tried<()> {
        const TEXT: Type = Type::TEXT;
        const INT: Type = Type::INT8;
        if !self.token.is_empty() {
            session.copy(
                "COPY token (tenant, rid, param, code, system, type, patient, updated, id)
                 FROM STDIN BINARY",
                &[TEXT, INT, INT, TEXT, TEXT, TEXT, TEXT, INT, TEXT],
                self.token.iter().map(|(e, param, code, system)| -> [Param<'_>; 9] {
                    let (kind, patient) = (&e.resource_type, &e.patient);
                    [&e.tenant, &e.rid, param, code, system, kind, patient, &e.updated, &e.id]
                }),
            )?;
        }
        if !self.reference.is_empty() {
            session.copy(
                "COPY reference (tenant, rid, param, target, type, updated, id)
                 FROM STDIN BINARY",
                &[TEXT, INT, INT, TEXT, TEXT, INT, TEXT],
                self.reference.iter().map(|(e, param, target)| -> [Param<'_>; 7] {
                    [&e.tenant, &e.rid, param, target, &e.resource_type, &e.updated, &e.id]
                }),
            )?;
        }
        if !self.date.is_empty() {
            session.copy(
                "COPY date (tenant, rid, param, low, high, type) FROM STDIN BINARY",
                &[TEXT, INT, INT, INT, INT, TEXT],
                self.date.iter().map(|(e, param, low, high)| -> [Param<'_>; 6] {
                    [&e.tenant, &e.rid, param, low, high, &e.resource_type]
                }),
            )?;
        }
        if !self.text.is_empty() {
            session.copy(
                "COPY text (tenant, rid, param, value, exact, type) FROM STDIN BINARY",
                &[TEXT, INT, INT, TEXT, TEXT, TEXT],
                self.text.iter().map(|(e, param, value, exact)| -> [Param<'_>; 6] {
                    [&e.tenant, &e.rid, param, value, exact, &e.resource_type]
                }),
            )?;
        }
        self.copy_rare(session)
    }

    /// The tables that few resources have rows in.
    fn copy_rare(&self, session: &mut Session) -> Tried<()> {
        const TEXT: Type = Type::TEXT;
        const INT: Type = Type::INT8;
        const REAL: Type = Type::FLOAT8;
        if !self.quantity.is_empty() {
            session.copy(
                "COPY quantity (tenant, rid, param, low, high, system, code, unit, type)
                 FROM STDIN BINARY",
                &[TEXT, INT, INT, REAL, REAL, TEXT, TEXT, TEXT, TEXT],
                self.quantity.iter().map(|(e, param, low, high, unit)| -> [Param<'_>; 9] {
                    let [system, code, unit] = unit;
                    [&e.tenant, &e.rid, param, low, high, system, code, unit, &e.resource_type]
                }),
            )?;
        }
        if !self.uri.is_empty() {
            session.copy(
                "COPY uri (tenant, rid, param, value, type) FROM STDIN BINARY",
                &[TEXT, INT, INT, TEXT, TEXT],
                self.uri.iter().map(|(e, param, value)| -> [Param<'_>; 5] {
                    [&e.tenant, &e.rid, param, value, &e.resource_type]
                }),
            )?;
        }
        Ok(())
    }
}
