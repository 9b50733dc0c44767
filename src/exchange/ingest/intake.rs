//! Puts what was read into the store: records, what their change makes due, and quarantine.

use serde_json::Value;

use super::accept::{self, Incoming, Refused};
use super::derive::{DEPENDENCIES, Dependency, Needs, Side, links};
use super::projection::mapped_kinds;
use super::reject::Reject;
use super::report::{Report, Verdict};
use crate::domain::{Kind, Record};
use crate::error::Result;
use crate::store::{Accepted, Offer, Quarantined, Write};
use jiff::Timestamp;

/// Where and when something came in.
pub(crate) struct Arrival {
    /// `file:line`.
    pub origin: String,
    /// The time.
    pub received: Timestamp,
}

/// Stores a record, and marks what has to be mapped because of it; says what became of it.
pub(crate) fn store(
    write: &mut dyn Write,
    incoming: &Incoming,
    arrival: &Arrival,
    report: &mut Report,
) -> Result<Verdict> {
    let Incoming { record, hash, links, isolated, .. } = incoming;
    let kind = record.kind.as_str();
    let accepted = if *isolated {
        write.put_isolated(record, hash)?
    } else {
        let origin = arrival.origin.as_str();
        write.put_record(&Offer { record, content_hash: hash, links, origin })?
    };
    for (code, pointer) in &incoming.warnings {
        report.warning(kind, pointer, code);
    }
    if !isolated {
        for pointer in &incoming.unknown {
            report.loss(kind, pointer, "unknown_field");
        }
    }
    match accepted {
        Accepted::Unchanged => {
            report.kind(kind).unchanged += 1;
            Ok(Verdict::Unchanged)
        }
        Accepted::Older => {
            report.kind(kind).older += 1;
            Ok(Verdict::Older)
        }
        Accepted::Stored { before } => {
            let counts = report.kind(kind);
            counts.stored += 1;
            counts.isolated += u64::from(*isolated);
            counts.not_mapped += u64::from(!record.kind.is_mapped());
            mark(write, incoming, before.as_deref())?;
            Ok(Verdict::Stored)
        }
        Accepted::Conflict { before, rival, origin } => {
            report.kind(kind).quarantined += 1;
            report.quarantine(VERSION_CONFLICT);
            let origin = origin.unwrap_or_else(|| EARLIER.to_owned());
            let rivals = Arrival { origin, received: arrival.received };
            write.quarantine(&disputed(record, arrival))?;
            write.quarantine(&disputed(&rival, &rivals))?;
            mark(write, incoming, before.as_deref())?;
            Ok(Verdict::Quarantined)
        }
    }
}

/// The reason for a version that was sent with different contents.
pub(crate) const VERSION_CONFLICT: &str = "version_conflict";

/// The origin of what was taken in before origins were noted.
const EARLIER: &str = "taken in before";

/// The entry for one of the contents of a version.
fn disputed(record: &Record, arrival: &Arrival) -> Quarantined {
    let detail = "this version was sent with different contents; the version before it is served, \
                  or of a first version the content with the lowest hash; send a higher version";
    let refused = Refused {
        reject: Reject::new(VERSION_CONFLICT, "/version", detail),
        tenant: Some(record.tenant.clone()),
        kind: Some(record.kind.as_str().to_owned()),
        id: Some(record.id.clone()),
        isolated: false,
        body: accept::line(record),
    };
    entry(refused, arrival)
}

/// Puts what may not be stored into quarantine.
pub(crate) fn refuse(
    write: &mut dyn Write,
    refused: Refused,
    arrival: &Arrival,
    report: &mut Report,
) -> Result<()> {
    let kind = refused.kind.as_deref().unwrap_or("unreadable");
    // A kind that nobody knows may be anything, and there may be any number of them.
    let kind = if kind.parse::<Kind>().is_ok() { kind } else { "unreadable" };
    report.kind(kind).quarantined += 1;
    report.quarantine(refused.reject.reason);
    write.quarantine(&entry(refused, arrival))
}

fn entry(refused: Refused, arrival: &Arrival) -> Quarantined {
    Quarantined {
        number: 0,
        tenant: refused.tenant,
        kind: refused.kind,
        id: refused.id,
        reason: refused.reject.reason.to_owned(),
        detail: refused.reject.detail,
        pointer: refused.reject.pointer,
        origin: arrival.origin.clone(),
        received: arrival.received,
        isolated: refused.isolated,
        body: refused.body,
    }
}

/// Marks a changed record, and those that use something of it.
fn mark(write: &mut dyn Write, incoming: &Incoming, before: Option<&Record>) -> Result<()> {
    let record = &incoming.record;
    let (tenant, kind, id) = (&record.tenant, record.kind, record.id.as_str());
    if !kind.is_mapped() {
        return Ok(());
    }
    if !incoming.isolated {
        write.mark_dirty(tenant, kind, id)?;
    }
    let presence = before.is_none_or(|before| standing(before) != standing(record));
    let users = users(kind, Side::Forward, |uses| presence || uses.needs == Needs::Facts);
    write.mark_referring_dirty(tenant, &users, kind, id)?;
    mark_referred(write, record, &incoming.links)?;
    if let Some(before) = before {
        mark_referred(write, before, &links(before))?;
    }
    if kind == Kind::Organization {
        write.mark_kinds_dirty(&mapped_kinds())?;
    }
    if kind == Kind::Staff && presence {
        // An assignment makes no resource of its own: what shows it shows its therapist too.
        for assignment in write.referring(tenant, Kind::Assignment, kind, id)? {
            mark_referred(write, &assignment, &links(&assignment))?;
        }
    }
    Ok(())
}

/// Marks what uses a record that refers to it, or to the same client.
fn mark_referred(write: &mut dyn Write, record: &Record, links: &[(Kind, String)]) -> Result<()> {
    let reverse = users(record.kind, Side::Reverse, |_| true);
    for (target, id) in links.iter().filter(|(target, _)| reverse.contains(target)) {
        write.mark_dirty(&record.tenant, *target, id)?;
    }
    let of_client = users(record.kind, Side::SameClient, |_| true);
    if of_client.is_empty() {
        return Ok(());
    }
    for (_, client) in links.iter().filter(|(to, _)| *to == Kind::Client) {
        write.mark_referring_dirty(&record.tenant, &of_client, Kind::Client, client)?;
    }
    Ok(())
}

/// The kinds that use records of `on`, on one side of the reference.
fn users(on: Kind, side: Side, counts: impl Fn(&Dependency) -> bool) -> Vec<Kind> {
    let all = DEPENDENCIES.iter().filter(|uses| uses.on == on && uses.side == side);
    all.filter(|uses| counts(uses)).map(|uses| uses.kind).collect()
}

/// What decides whether a record makes a resource at all.
fn standing(record: &Record) -> (crate::domain::Op, Option<&Value>, bool) {
    (record.op, record.data.get("status"), record.data.is_null())
}
