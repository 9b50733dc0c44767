//! A person's record, as far as retention has to know it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::hold::holds;
use super::{Due, Extent, KeptFor, Survivors, later, survivor};
use crate::domain::{Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::exchange::ingest::derive::Tables;
use crate::exchange::ingest::{dated, instant, zone};
use crate::policy::Born;
use crate::policy::request::State;
use crate::policy::retention::{Dated, Person, Schedule, Until};
use crate::store::{ApartName, Doomed, Survivor, Write};

/// The kinds that go last, since they say whose the others are.
const FRAME: &[Kind] =
    &[Kind::Client, Kind::RelatedParty, Kind::Assignment, Kind::Episode, Kind::Consent];
/// The kinds of which a record is a contact with the person.
const CONTACTS: &[Kind] = &[
    Kind::Appointment,
    Kind::SessionLog,
    Kind::Message,
    Kind::SessionNote,
    Kind::Assessment,
    Kind::Episode,
];

/// A person's record.
pub(super) struct Chart {
    /// The client, and those that were merged into it, whether at once or by way of others.
    pub(super) clients: Vec<String>,
    /// The client's own record.
    client: Arc<Record>,
    /// All records about them that are about nobody else who is still here.
    records: Vec<Arc<Record>>,
    /// How many are about somebody else too.
    shared: usize,
    /// The notes that are kept apart.
    apart: Vec<ApartName>,
    jurisdiction: String,
    zone: TimeZone,
    /// What the practice has set itself.
    own: Vec<Schedule>,
}

impl Chart {
    /// The record of a client; nothing where there is none.
    pub(super) fn of(write: &dyn Write, tenant: &TenantId, client: &str) -> Result<Option<Self>> {
        let Some(own) = write.record(tenant, Kind::Client, client)? else { return Ok(None) };
        let clients = merged(write, tenant, client)?;
        let mut records = BTreeMap::new();
        for one in &clients {
            let record = write.record(tenant, Kind::Client, one)?;
            records.extend(record.map(|record| ((Kind::Client, one.clone()), record)));
            for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Client) {
                for record in write.referring(tenant, *kind, Kind::Client, one)? {
                    let is_about = |id: &String| clients.contains(id);
                    if record.client_ids.iter().any(is_about) || record.kind == Kind::ClientMerge {
                        records.insert((*kind, record.id.clone()), record);
                    }
                }
            }
        }
        let mut others = Others { write, tenant, clients: &clients, known: BTreeMap::new() };
        let mut own_records = Vec::new();
        let mut shared = 0;
        for record in records.into_values() {
            if others.has_any(&record.client_ids)? {
                shared += 1;
            } else {
                own_records.push(record);
            }
        }
        let mut apart = Vec::new();
        for one in &clients {
            for name in write.apart_of(tenant, one)? {
                if others.has_any(&name.clients)? {
                    shared += 1;
                } else if !apart.contains(&name) {
                    apart.push(name);
                }
            }
        }
        let practice = write.records(tenant, Kind::Organization)?;
        let practice = practice.iter().find(|one| one.data.get("jurisdiction").is_some());
        let text = |record: &Record, name: &str| record.data.get(name)?.as_str().map(str::to_owned);
        let policies = write.records(tenant, Kind::RetentionPolicy)?;
        let policies = policies.iter().filter(|policy| policy.op == Op::Upsert);
        Ok(Some(Self {
            clients,
            client: own,
            records: own_records,
            shared,
            apart,
            jurisdiction: practice.and_then(|one| text(one, "jurisdiction")).unwrap_or_default(),
            zone: zone(practice.map(Arc::as_ref)),
            own: policies.filter_map(|one| Schedule::of_practice(&one.id, &one.data)).collect(),
        }))
    }

    /// Whether it goes with the one that it was merged into.
    pub(super) fn is_merged(&self) -> bool {
        merged_into(&self.client).is_some()
    }

    /// The requests about the record, and its transfers, by id.
    pub(super) fn requests(&self) -> impl Iterator<Item = &str> {
        let of =
            |record: &&Arc<Record>| matches!(record.kind, Kind::RecordRequest | Kind::Transfer);
        self.records.iter().filter(of).map(|record| record.id.as_str())
    }

    /// Whether it may be erased as a whole.
    ///
    /// # Errors
    ///
    /// `Conflict` where a hold keeps it, and where it is part of another's: a hold on that one, which
    /// is the same person, counts for this one too.
    pub(super) fn check(&self, write: &dyn Write, tenant: &TenantId, now: Timestamp) -> Result<()> {
        let hint = if self.is_merged() {
            "this record was merged into another client: erase that one".to_owned()
        } else if let Some(why) = self.is_held(write, tenant, now)? {
            format!("{why}: see `throughline retention hold list`, and lift it first")
        } else {
            return Ok(());
        };
        Err(Error::Conflict { hint })
    }

    /// Whether a hold keeps it, and what is to be told.
    fn is_held(
        &self,
        write: &dyn Write,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Option<&'static str>> {
        let is_kept = holds_about(write, tenant, &self.clients, now)?;
        Ok(is_kept.then_some("a legal hold keeps the record"))
    }

    /// Why it stays whatever the schedules say.
    pub(super) fn stays(
        &self,
        write: &dyn Write,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Option<&'static str>> {
        if let Some(why) = self.is_held(write, tenant, now)? {
            return Ok(Some(why));
        }
        let text = |record: &Record, name: &str| record.data.get(name)?.as_str().map(str::to_owned);
        let is_asked = |record: &Arc<Record>| {
            let state = text(record, "status").and_then(|status| status.parse::<State>().ok());
            record.kind == Kind::RecordRequest
                && record.op == Op::Upsert
                && !state.is_some_and(State::is_closed)
        };
        let in_care = |record: &Arc<Record>| {
            let over = ["finished", "cancelled", "entered_in_error"];
            record.kind == Kind::Episode
                && record.op == Op::Upsert
                && text(record, "to").is_none()
                && !text(record, "status").is_some_and(|status| over.contains(&status.as_str()))
        };
        Ok(if self.records.iter().any(is_asked) {
            Some("somebody has asked about the record, and waits for an answer")
        } else if self.records.iter().any(in_care) {
            Some("the client is in care")
        } else {
            None
        })
    }

    /// What is due, by the schedules.
    pub(super) fn sorted(&self, tables: &Tables, now: Timestamp) -> Sorted {
        self.sorted_for(tables, now, Extent::WhatNobodyHasToKeep)
            .without(|until| !matches!(until, Until::Day(..)))
    }

    /// What goes, if somebody asks for it.
    pub(super) fn sorted_for(&self, tables: &Tables, now: Timestamp, extent: Extent) -> Sorted {
        let today = now.to_zoned(self.zone.clone()).date();
        let person = self.person(tables);
        let until = |dated: Dated| tables.schedules.until(&self.own, &person, dated);
        let goes = |until: &Until| match (extent, until) {
            (Extent::Everything, _) => true,
            // Where no schedule is, nobody has to keep it.
            (_, Until::Ever(why)) => *why == NO_SCHEDULE,
            (_, day) => day.is_over(today),
        };
        let stays_in_place =
            |record: &Record| tables.schedules.proof(record.kind).is_some_and(|proof| !proof.apart);
        let mut sorted = Sorted { shared: self.shared, ..Sorted::default() };
        let mut frame = Vec::new();
        for record in &self.records {
            let until = until(self.dated(record));
            if stays_in_place(record) {
                sorted.in_place.push(Arc::clone(record));
            } else if FRAME.contains(&record.kind) || is_form(record) {
                frame.push((Arc::clone(record), until));
            } else if tables.schedules.proof(record.kind).is_some() {
                sorted.apart_as_proof.push((Arc::clone(record), until));
            } else if goes(&until) {
                sorted.due.push((Arc::clone(record), until));
            } else {
                sorted.kept.push((record.kind, until));
            }
        }
        for name in &self.apart {
            let (kind, changed) = (name.note.kind, person.last_contact);
            let until = until(Dated { kind, stated: None, changed, is_apart: true });
            if goes(&until) {
                sorted.apart.push((name.note.clone(), until));
            } else {
                sorted.kept.push((kind, until));
            }
        }
        let frame_goes = frame.iter().all(|(_, until)| goes(until));
        sorted.is_whole = sorted.kept.is_empty() && frame_goes;
        if sorted.is_whole {
            sorted.due.append(&mut frame);
            sorted.due.extend(std::mem::take(&mut sorted.apart_as_proof));
        } else {
            let all = frame.into_iter().chain(std::mem::take(&mut sorted.apart_as_proof));
            sorted.kept.extend(all.map(|(record, until)| (record.kind, until)));
        }
        sorted
    }

    fn person(&self, tables: &Tables) -> Person {
        let contacts = self.records.iter().filter(|record| CONTACTS.contains(&record.kind));
        let days = contacts.map(|record| self.day(record));
        let born = self.client.data.get("birth_date").and_then(|born| born.as_str());
        Person {
            jurisdiction: self.jurisdiction.clone(),
            born: born.map_or(Born::Unknown, Born::read),
            majority: tables.law.of(&self.jurisdiction).majority,
            last_contact: days.max().unwrap_or_else(|| self.day(&self.client)),
        }
    }

    fn dated(&self, record: &Record) -> Dated {
        let changed = record.updated_at.to_zoned(self.zone.clone()).date();
        Dated { kind: record.kind, stated: self.stated(record), changed, is_apart: false }
    }

    /// The day that a record says it is about; that on which care ended.
    fn stated(&self, record: &Record) -> Option<Date> {
        let is_care = record.kind == Kind::Episode;
        let end = is_care.then(|| record.data.get("to")?.as_str()).flatten();
        let at = instant(end.or_else(|| dated(record))?, &self.zone)?;
        Some(at.to_zoned(self.zone.clone()).date())
    }

    /// The same, or else that on which it last changed.
    fn day(&self, record: &Record) -> Date {
        let dated = self.dated(record);
        dated.stated.unwrap_or(dated.changed)
    }
}

/// What the policy says where nothing does.
const NO_SCHEDULE: &str = "there is no schedule for it";

/// What goes of a person's record, and what stays.
#[derive(Default)]
pub(super) struct Sorted {
    /// Whether the person goes as a whole.
    pub(super) is_whole: bool,
    /// What goes.
    pub(super) due: Vec<(Arc<Record>, Until)>,
    /// The notes that are kept apart and go.
    apart: Vec<(Doomed, Until)>,
    /// What goes with the person, and stays as proof.
    apart_as_proof: Vec<(Arc<Record>, Until)>,
    /// What stays where it is, as proof.
    in_place: Vec<Arc<Record>>,
    /// What a schedule keeps.
    kept: Vec<(Kind, Until)>,
    shared: usize,
}

impl Sorted {
    /// The same without what is due for another reason.
    fn without(mut self, other: impl Fn(&Until) -> bool) -> Self {
        let is_other = |(_, until): &(Arc<Record>, Until)| other(until);
        if self.due.iter().any(is_other) || self.apart.iter().any(|(_, until)| other(until)) {
            // Without a schedule nothing goes by itself, and with it the person does not.
            self.is_whole = false;
            let (stay, due) = std::mem::take(&mut self.due).into_iter().partition(is_other);
            let stay: Vec<(Arc<Record>, Until)> = stay;
            self.kept.extend(stay.into_iter().map(|(record, until)| (record.kind, until)));
            self.due = due;
            let goes_with_person = |record: &Record| {
                let is_proof = matches!(record.kind, Kind::Disclosure | Kind::AccessEvent);
                FRAME.contains(&record.kind) || is_form(record) || is_proof
            };
            self.due.retain(|(record, _)| !goes_with_person(record));
            self.apart.retain(|(_, until)| !other(until));
        }
        self
    }

    /// The first thing that keeps it.
    pub(super) fn first_reason(&self) -> String {
        let last = self.kept.iter().map(|(_, until)| until.clone()).reduce(Until::or_later);
        match last {
            Some(Until::Ever(why)) => why.to_owned(),
            Some(Until::Day(_, source)) => format!("its time is not over ({source})"),
            None => "all that is left is about somebody else too".to_owned(),
        }
    }

    /// The records that go, by name.
    pub(super) fn keys(&self) -> Vec<Doomed> {
        let records = self.due.iter();
        let records =
            records.map(|(record, _)| Doomed { kind: record.kind, id: record.id.clone() });
        let keys: BTreeSet<Doomed> =
            records.chain(self.apart.iter().map(|(note, _)| note.clone())).collect();
        keys.into_iter().collect()
    }

    /// What stays of those as proof, where nothing serves it.
    pub(super) fn proof(&self, tables: &Tables, now: Timestamp) -> Result<Vec<Survivor>> {
        let mut proof = Vec::new();
        for (record, _) in &self.due {
            let kind = if is_form(record) { Kind::Consent } else { record.kind };
            if let Some(row) = tables.schedules.proof(kind).filter(|row| row.apart) {
                let own = if record.kind == Kind::Client { Some(&record.id) } else { None };
                let client = own.or(record.client_ids.first()).map_or("", String::as_str);
                proof.push(survivor(client, record, later(now, row.years)?));
            }
        }
        Ok(proof)
    }

    /// The same for a plan.
    pub(super) fn into_due(self, client: &str) -> Due {
        let mut records: BTreeMap<Kind, usize> = BTreeMap::new();
        let mut sources = BTreeSet::new();
        for (kind, until) in self
            .due
            .iter()
            .map(|(record, until)| (record.kind, until))
            .chain(self.apart.iter().map(|(note, until)| (note.kind, until)))
        {
            *records.entry(kind).or_default() += 1;
            if let Until::Day(_, source) = until {
                sources.insert(source.clone());
            }
        }
        Due {
            client: client.to_owned(),
            is_whole: self.is_whole,
            records,
            apart: self.apart.len(),
            sources,
            keys: self.keys(),
        }
    }

    /// The same for whoever asked.
    pub(super) fn survivors(&self) -> Survivors {
        let mut proof: BTreeMap<Kind, usize> = BTreeMap::new();
        let stays = self.due.iter().map(|(record, _)| record);
        let is_proof = |record: &&Arc<Record>| {
            is_form(record)
                || matches!(record.kind, Kind::Consent | Kind::Disclosure | Kind::AccessEvent)
        };
        for record in self.in_place.iter().chain(stays.filter(is_proof)) {
            *proof.entry(record.kind).or_default() += 1;
        }
        let mut kept: BTreeMap<(Kind, Option<Date>, String), usize> = BTreeMap::new();
        for (kind, until) in &self.kept {
            let (day, source) = match until {
                Until::Day(day, source) => (Some(*day), source.clone()),
                Until::Ever(why) => (None, (*why).to_owned()),
            };
            *kept.entry((*kind, day, source)).or_default() += 1;
        }
        let kept = kept.into_iter().map(|((kind, until, source), count)| KeptFor {
            kind,
            until,
            source,
            count,
        });
        Survivors {
            records: self.keys().len() as u64,
            resources: 0,
            is_whole: self.is_whole,
            proof,
            shared: self.shared,
            kept: kept.collect(),
        }
    }
}

/// Who else a record may be about.
struct Others<'a> {
    write: &'a dyn Write,
    tenant: &'a TenantId,
    clients: &'a [String],
    known: BTreeMap<String, bool>,
}

impl Others<'_> {
    /// Whether any of these is somebody else who is still here.
    fn has_any(&mut self, ids: &[String]) -> Result<bool> {
        for id in ids.iter().filter(|id| !self.clients.contains(id)) {
            let is_here = match self.known.get(id) {
                Some(is_here) => *is_here,
                None => self.write.record(self.tenant, Kind::Client, id)?.is_some(),
            };
            self.known.insert(id.clone(), is_here);
            if is_here {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a hold keeps the record of a client: one about them, or about whom was merged into them.
pub(in crate::exchange) fn is_held(
    write: &dyn Write,
    tenant: &TenantId,
    client: &str,
    now: Timestamp,
) -> Result<bool> {
    holds_about(write, tenant, &merged(write, tenant, client)?, now)
}

/// Whether a hold is in force that is about one of these clients.
fn holds_about(
    write: &dyn Write,
    tenant: &TenantId,
    clients: &[String],
    now: Timestamp,
) -> Result<bool> {
    let holds = holds(write, tenant)?;
    Ok(holds
        .iter()
        .any(|hold| hold.is_in_force(now) && clients.iter().any(|client| hold.is_about(client))))
}

/// A client and all who were merged into it, in however many steps.
fn merged(write: &dyn Write, tenant: &TenantId, client: &str) -> Result<Vec<String>> {
    let mut clients = vec![client.to_owned()];
    let mut next = 0;
    while let Some(one) = clients.get(next).cloned() {
        for other in write.referring(tenant, Kind::Client, Kind::Client, &one)? {
            if merged_into(&other) == Some(&one) && !clients.contains(&other.id) {
                clients.push(other.id.clone());
            }
        }
        next += 1;
    }
    Ok(clients)
}

fn merged_into(client: &Record) -> Option<&str> {
    client.data.get("merged_into")?.as_str()
}

/// Whether it is the signed form of a consent.
fn is_form(record: &Record) -> bool {
    let owner = record.data.get("owner").and_then(|owner| owner.get("kind"));
    record.kind == Kind::Attachment && owner.and_then(|kind| kind.as_str()) == Some("consent")
}
