//! Offers what lies in quarantine again, once its cause is thought to be gone.

use super::accept::{self, Incoming};
use super::intake::{self, Arrival, VERSION_CONFLICT};
use super::lines::Content;
use super::projection::UNMAPPED;
use super::report::Report;
use super::{BATCH, Ingest};
use crate::error::{Error, Result};
use crate::store::{Quarantined, Write};

/// The reasons of entries whose records were never held, so that only the file can be read again.
const NOT_HELD: &[&str] = &["line_too_long", "unreadable_file"];

/// Replays the entries of these numbers, or all. What still cannot be taken in stays.
pub(crate) fn replay(
    ingest: &Ingest<'_>,
    numbers: Option<&[i64]>,
    report: &mut Report,
) -> Result<()> {
    let numbers = match numbers {
        Some(numbers) => numbers.to_vec(),
        None => ingest.store.quarantine()?.iter().map(|entry| entry.number).collect(),
    };
    for some in numbers.chunks(BATCH) {
        // The entries are read before the transaction is opened: it is the only one that may be.
        let mut entries = Vec::with_capacity(some.len());
        for number in some {
            let entry = ingest.store.quarantined(*number)?;
            entries.push(entry.ok_or_else(|| {
                Error::Setup(format!("quarantine has no entry {number}: see `quarantine list`"))
            })?);
        }
        let mut write = ingest.store.write()?;
        for entry in entries {
            one(ingest, &mut *write, entry, report)?;
        }
        write.commit()?;
    }
    Ok(())
}

fn one(
    ingest: &Ingest<'_>,
    write: &mut dyn Write,
    entry: Quarantined,
    report: &mut Report,
) -> Result<()> {
    let number = entry.number;
    if NOT_HELD.contains(&entry.reason.as_str()) {
        report.quarantine(&entry.reason);
        return Ok(());
    }
    let body = if entry.isolated { write.isolated_body(number)? } else { None };
    let content = Content::Whole(body.unwrap_or(entry.body));
    let arrival = Arrival { origin: entry.origin, received: ingest.clock.now() };
    match accept::accept(content, ingest.rules) {
        Ok(incoming) if entry.reason == UNMAPPED => {
            // It is stored; mapping it anew says whether the entry goes.
            let record = &incoming.record;
            write.mark_dirty(&record.tenant, record.kind, &record.id)
        }
        Ok(incoming) if entry.reason == VERSION_CONFLICT => {
            if is_settled(write, &incoming)? {
                return write.release(number);
            }
            report.kind(incoming.record.kind.as_str()).quarantined += 1;
            report.quarantine(VERSION_CONFLICT);
            Ok(())
        }
        Ok(incoming) => {
            write.release(number)?;
            intake::store(write, &incoming, &arrival, report)?;
            Ok(())
        }
        Err(refused) => {
            if refused.reject.reason != entry.reason {
                write.release(number)?;
            }
            intake::refuse(write, *refused, &arrival, report)
        }
    }
}

/// Whether a higher version than the disputed one has come.
fn is_settled(write: &dyn Write, disputed: &Incoming) -> Result<bool> {
    let record = &disputed.record;
    let now = write.record(&record.tenant, record.kind, &record.id)?;
    Ok(now.is_some_and(|now| now.version > record.version))
}
