//! Takes a platform's records in: envelope, versions, quarantine, derived facts, mapping, store.
//!
//! A run has two halves. The first reads the sources and stores the records, in transactions of
//! up to [`BATCH`] of them; whatever a change touches is marked in the same transaction. The
//! second maps what is marked, each record once, with all of its neighbours in place. So a run
//! that is killed goes on where it stood when it is started again, and the order of the input
//! does not show in the output.

mod accept;
pub(crate) mod allow;
mod canonical;
mod check;
pub mod derive;
mod envelope;
mod intake;
mod json;
mod lines;
mod live;
mod neighbours;
mod plane;
mod projection;
mod reading;
mod reject;
mod replay;
mod report;
mod rules;
mod schema;
mod source;
mod spans;
mod term;
mod text;
mod time;

use std::path::PathBuf;

pub(in crate::exchange) use self::accept::line;
pub(super) use self::allow::acts_for;
pub(crate) use self::allow::{Case, OUTSIDE};
pub(in crate::exchange) use self::allow::{dated, instant, zone};
pub(crate) use self::derive::note_text;
pub(super) use self::json::read as read_json;
pub use self::live::{Batch, LIVE_BATCH, Layout, Sent, Told};
pub(super) use self::neighbours::practice_of;
pub(crate) use self::neighbours::{Around, Memory};
use self::projection::Projector;
pub(super) use self::reject::Reject;
pub use self::report::{Finding, Outcomes, Report, Verdict};
pub use self::rules::Rules;
pub(super) use self::term::{clock, term};
use crate::clock::Clock;
use crate::domain::{IdKey, Kind};
use crate::error::{Error, Result};
use crate::store::{Store, Write};

/// Records in one transaction.
pub const BATCH: usize = 500;

/// What the store remembers: the hash of the maps by which records are mapped.
pub const MAPPED_BY: &str = "mapped-by";

/// The base of identifier systems and of `meta.source`, where nothing else is configured.
pub const BASE: &str = "https://throughline.example";

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Bytes read, of how many.
    Reading {
        /// Read.
        done: u64,
        /// In all sources.
        total: u64,
    },
    /// Records mapped.
    Mapping {
        /// So far.
        done: u64,
    },
}

/// Is told how far a run has come, after each transaction.
pub type Watch<'a> = &'a mut dyn FnMut(Progress);

/// The use case: everything that a run needs.
#[derive(Clone, Copy)]
pub struct Ingest<'a> {
    /// Where records and resources go.
    pub store: &'a dyn Store,
    /// The maps, schemas and tables.
    pub rules: &'a Rules,
    /// The key of FHIR ids.
    pub ids: &'a IdKey,
    /// The canonical base, without a trailing slash.
    pub base: &'a str,
    /// The time, for entries in quarantine.
    pub clock: &'a dyn Clock,
}

impl Ingest<'_> {
    /// Takes in the records of files and folders, and maps them.
    pub fn files(&self, paths: &[PathBuf], watch: Watch<'_>) -> Result<Report> {
        let mut report = Report::default();
        let sources = source::find(paths)?;
        reading::take_in(self, sources, &mut report, watch)?;
        self.map_due(&mut report, watch)?;
        Ok(report)
    }

    /// Maps the records of some kinds anew, or all of them, as after a change of the maps.
    pub fn reproject(&self, kinds: Option<&[Kind]>, watch: Watch<'_>) -> Result<Report> {
        let mut report = Report::default();
        let mut write = self.store.write()?;
        match kinds {
            Some(kinds) => write.mark_kinds_dirty(kinds)?,
            None => self.take_charge(&mut *write)?,
        }
        write.commit()?;
        self.map_due(&mut report, watch)?;
        Ok(report)
    }

    /// Marks every record that maps make something of, for these maps and no others.
    pub fn take_charge(&self, write: &mut dyn Write) -> Result<()> {
        write.mark_kinds_dirty(&projection::mapped_kinds())?;
        write.set_fact(MAPPED_BY, self.rules.maps.hash())
    }

    /// Offers entries of quarantine again: those of these numbers, or all.
    pub fn replay(&self, numbers: Option<&[i64]>, watch: Watch<'_>) -> Result<Report> {
        let mut report = Report::default();
        replay::replay(self, numbers, &mut report)?;
        self.map_due(&mut report, watch)?;
        Ok(report)
    }

    /// Maps whatever is marked, also what an earlier run left.
    fn map_due(&self, report: &mut Report, watch: Watch<'_>) -> Result<()> {
        let mut projector = Projector::new(self.rules, self.base, self.clock, self.ids);
        loop {
            let mut write = self.store.write()?;
            let count = projector.drain(&mut *write, BATCH, report)?;
            write.commit()?;
            watch(Progress::Mapping { done: report.mapped });
            if count < BATCH {
                return Ok(());
            }
        }
    }
}

/// JSON as strictly as records are read: UTF-8, no name twice, bounded depth.
///
/// # Errors
///
/// `Invalid`, with where it is.
pub(crate) fn strict(body: &[u8]) -> Result<serde_json::Value> {
    let read = json::read(body).map(|document| document.value);
    read.map_err(|reject| {
        Error::invalid("body", format!("the body is no good JSON: {}", reject.reason))
    })
}
