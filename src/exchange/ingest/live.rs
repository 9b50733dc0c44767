//! Takes in what a live source sends, a batch at a time, and says line by line what became of it.
//!
//! A batch is read first, and then stored and mapped in one transaction, so that what is told as
//! stored can be read at once.

use std::io::BufRead;

use serde::Serialize;

use super::accept::{self, Incoming, Refused};
use super::intake::{self, Arrival};
use super::lines::{Content, Pieces};
use super::projection::Projector;
use super::reject::Reject;
use super::report::{Report, Verdict};
use super::{Ingest, MAPPED_BY, lines};
use crate::domain::{Kind, Record, SourceId, TenantId};
use crate::error::{Error, Result};
use crate::store::Write;

/// Records in one transaction of a live source: few, so that several sources take turns quickly.
pub const LIVE_BATCH: usize = 100;
/// Bytes after which a batch is closed, however few records it has.
const LIVE_BYTES: usize = 1024 * 1024;

/// How records follow each other in what a source sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One a line.
    Lines,
    /// One JSON array.
    Array,
}

/// What is told about one record; never content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The line on which it starts, from 1.
    pub line: u64,
    /// What became of it.
    pub outcome: Verdict,
    /// Why, as a stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Where, as a JSON pointer into the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// What a source sends, as far as it has been read.
pub struct Sent<R> {
    pieces: Pieces<R>,
    source: SourceId,
    origin: String,
}

impl<R: BufRead> Sent<R> {
    /// Everything that can be read from `input`; `origin` says for quarantine where it came from.
    pub fn new(input: R, layout: Layout, source: SourceId, origin: String) -> Self {
        let layout = match layout {
            Layout::Lines => lines::Layout::Lines,
            Layout::Array => lines::Layout::Json,
        };
        Self { pieces: Pieces::new(input, layout), source, origin }
    }
}

/// Records that were read and are not stored yet.
pub struct Batch {
    items: Vec<Item>,
    origin: String,
    tenant: TenantId,
}

/// A line, and the record on it or what is wrong with it.
type Item = (u64, Offered);

/// A record that may be stored, or one that may not.
type Offered = std::result::Result<Box<Incoming>, Box<Refused>>;

impl Ingest<'_> {
    /// Reads the next records; an empty batch is the end.
    pub fn read<R: BufRead>(&self, sent: &mut Sent<R>) -> Result<Batch> {
        let (tenant, origin) = (sent.source.tenant.clone(), sent.origin.clone());
        let mut batch = Batch { items: Vec::new(), origin, tenant };
        let mut bytes = 0;
        while batch.items.len() < LIVE_BATCH && bytes < LIVE_BYTES {
            let Some(piece) = sent.pieces.next_piece().map_err(Error::internal)? else { break };
            if let Content::Whole(content) = &piece.content {
                bytes += content.len();
            }
            batch.items.push((piece.line, accept::accept(piece.content, self.rules)));
        }
        Ok(batch)
    }

    /// Stores a batch, and maps what it changed; tells what became of each record, in order.
    pub fn put(&self, write: &mut dyn Write, batch: Batch, told: &mut Vec<Told>) -> Result<()> {
        let mut report = Report::default();
        let mut changed: Vec<(TenantId, Kind, String)> = Vec::new();
        let received = self.clock.now();
        for (line, item) in batch.items {
            let arrival = Arrival { origin: format!("{}:{line}", batch.origin), received };
            if is_foreign(&item, &batch.tenant) {
                told.push(Told::faulty(line, Verdict::Rejected, FOREIGN, "/tenant_id"));
                continue;
            }
            match item {
                Ok(incoming) => {
                    let outcome = intake::store(write, &incoming, &arrival, &mut report)?;
                    told.push(match outcome {
                        Verdict::Quarantined => {
                            Told::faulty(line, outcome, intake::VERSION_CONFLICT, "/version")
                        }
                        _ => Told { line, outcome, reason: None, pointer: None },
                    });
                    let Record { tenant, kind, id, .. } = incoming.record;
                    if kind.is_mapped() && matches!(outcome, Verdict::Stored | Verdict::Quarantined)
                    {
                        changed.push((tenant, kind, id));
                    }
                }
                Err(mut refused) => {
                    refused.tenant.get_or_insert_with(|| batch.tenant.clone());
                    let Reject { reason, pointer, .. } = &refused.reject;
                    told.push(Told::faulty(line, Verdict::Quarantined, reason, pointer));
                    intake::refuse(write, *refused, &arrival, &mut report)?;
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        if !self.is_in_charge(write)? {
            return Ok(());
        }
        self.projector().map(write, &changed, &mut report)
    }

    /// Stores a record that the gateway makes itself, by the rules for all, and maps it.
    ///
    /// # Errors
    ///
    /// `Conflict` where somebody else changed it at the same moment: nothing may be committed.
    pub(in crate::exchange) fn put_own(
        &self,
        write: &mut dyn Write,
        record: &Record,
    ) -> Result<()> {
        self.put_all_own(write, std::slice::from_ref(record), Vec::new())
    }

    /// Stores several such records, and maps them and these others, so that all of it is there at once.
    ///
    /// # Errors
    ///
    /// As [`Self::put_own`].
    pub(in crate::exchange) fn put_all_own(
        &self,
        write: &mut dyn Write,
        records: &[Record],
        others: Vec<(TenantId, Kind, String)>,
    ) -> Result<()> {
        let mut due = others;
        for record in records {
            due.extend(self.store_own(write, record)?);
        }
        if !due.is_empty() && self.is_in_charge(write)? {
            self.projector().map(write, &due, &mut Report::default())?;
        }
        Ok(())
    }

    /// Stores a record of our own; answers what has to be mapped.
    fn store_own(
        &self,
        write: &mut dyn Write,
        record: &Record,
    ) -> Result<Option<(TenantId, Kind, String)>> {
        let line = Content::Whole(accept::line(record));
        let incoming = accept::accept(line, self.rules).map_err(|refused| {
            let Reject { reason, pointer, .. } = &refused.reject;
            Error::broken(format_args!("a record of our own is refused: {reason} at {pointer}"))
        })?;
        let arrival = Arrival { origin: "throughline".to_owned(), received: self.clock.now() };
        let mut report = Report::default();
        if intake::store(write, &incoming, &arrival, &mut report)? != Verdict::Stored {
            let hint = "it was changed at the same moment: look at it again";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        let Record { tenant, kind, id, .. } = incoming.record;
        Ok(kind.is_mapped().then_some((tenant, kind, id)))
    }

    /// Maps up to `limit` of the records that are due; answers how many there were.
    pub fn map_some(&self, write: &mut dyn Write, limit: usize) -> Result<usize> {
        if !self.is_in_charge(write)? {
            return Ok(0);
        }
        self.projector().drain(write, limit, &mut Report::default())
    }

    /// Whether the maps are those by which records are mapped now. While replicas of two versions run,
    /// the one with other maps stores and marks, and leaves the marks to the others.
    fn is_in_charge(&self, write: &mut dyn Write) -> Result<bool> {
        let hash = self.rules.maps.hash();
        Ok(write.claim_fact(MAPPED_BY, hash)? == hash)
    }

    fn projector(&self) -> Projector<'_> {
        Projector::new(self.rules, self.base, self.clock, self.ids)
    }
}

impl Batch {
    /// Whether there was nothing left to read.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl Told {
    fn faulty(line: u64, outcome: Verdict, reason: &'static str, pointer: &str) -> Self {
        Self { line, outcome, reason: Some(reason), pointer: Some(pointer.to_owned()) }
    }
}

/// The reason for a record of a tenant that the source may not speak for.
const FOREIGN: &str = "foreign_tenant";

/// Whether a record says that it is another tenant's.
fn is_foreign(item: &Offered, tenant: &TenantId) -> bool {
    let named = match item {
        Ok(incoming) => Some(&incoming.record.tenant),
        Err(refused) => refused.tenant.as_ref(),
    };
    named.is_some_and(|named| named != tenant)
}
