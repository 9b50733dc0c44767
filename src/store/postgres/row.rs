//! Values as PostgreSQL holds them, out of rows and into parameters.

use std::borrow::Cow;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::fault::{Fault, Tried};
use crate::store::{Shown, StoredResource};

/// The longest text in an index, in bytes: an entry has to fit a third of a page.
const LONGEST: usize = 800;

/// A row of type, id, version id, last update and bytes, after `skip` other columns.
pub(super) fn resource(row: &Row, skip: usize) -> Tried<StoredResource> {
    Ok(StoredResource {
        resource_type: get(row, skip)?,
        id: parsed(row, skip + 1)?,
        version_id: get(row, skip + 2)?,
        last_updated: instant(row, skip + 3)?,
        body: Arc::from(get::<&[u8]>(row, skip + 4)?),
        shown: Shown::default(),
    })
}

/// A column.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Tried<T> {
    Ok(row.try_get(column)?)
}

/// A column of text in one of our own types.
pub(super) fn parsed<T: std::str::FromStr>(row: &Row, column: usize) -> Tried<T> {
    let text: &str = get(row, column)?;
    text.parse().map_err(|_unparsed: T::Err| Fault::broken("a column holds what was never written"))
}

/// A column of microseconds since 1970.
pub(super) fn instant(row: &Row, column: usize) -> Tried<Timestamp> {
    Timestamp::from_microsecond(get(row, column)?).map_err(Fault::broken)
}

/// A column of microseconds since 1970, or nothing.
pub(super) fn maybe_instant(row: &Row, column: usize) -> Tried<Option<Timestamp>> {
    let micros: Option<i64> = get(row, column)?;
    micros.map(|micros| Timestamp::from_microsecond(micros).map_err(Fault::broken)).transpose()
}

/// A column of something counted.
pub(super) fn count(row: &Row, column: usize) -> Tried<u64> {
    get::<i64>(row, column).map(i64::cast_unsigned)
}

/// A column of a SHA-256.
pub(super) fn hash(row: &Row, column: usize) -> Tried<[u8; 32]> {
    get::<&[u8]>(row, column)?.try_into().map_err(|_length| Fault::broken("a hash is too short"))
}

/// Text that PostgreSQL can hold: it knows no NUL.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Text that fits into an index, so that equal texts stay equal and others do not become it.
pub(super) fn indexable(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return storable(text);
    }
    let hash = hex::encode(digest(&SHA256, text.as_bytes()));
    let end = text.floor_char_boundary(LONGEST - hash.len());
    let start = text.get(..end).unwrap_or_default();
    format!("{}{hash}", storable(start)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_shortened_without_becoming_other_text() {
        let [a, b] = ["a", "b"].map(|end| "é".repeat(4_000) + end);
        assert_eq!(indexable(&a), indexable(&a.clone()));
        assert_ne!(indexable(&a), indexable(&b));
        assert!(indexable(&a).len() <= LONGEST);
        assert_eq!(indexable("short\0"), "short\u{fffd}");
    }
}
