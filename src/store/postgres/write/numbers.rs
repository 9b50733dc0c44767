//! Numbers for rows, a block at a time, so that a row is known before it is sent.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::store::postgres::fault::{Fault, Tried};
use crate::store::postgres::row::get;
use crate::store::postgres::session::Session;

/// How many numbers the sequence hands out at a time: its increment.
const BLOCK: i64 = 4_096;

/// The numbers that are left of the last block; shared by the transactions of a process.
#[derive(Default)]
pub(in crate::store::postgres) struct Numbers(Mutex<Range<i64>>);

impl Numbers {
    /// A number that no other row has or will have.
    pub(super) fn next(&self, session: &mut Session) -> Tried<i64> {
        if let Some(number) = self.take() {
            return Ok(number);
        }
        let rows = session.query("SELECT nextval('row_block')", &[])?;
        let row = rows.first().ok_or_else(|| Fault::broken("a sequence gave no number"))?;
        let start: i64 = get(row, 0)?;
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = start + 1..start + BLOCK;
        Ok(start)
    }

    fn take(&self) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}
