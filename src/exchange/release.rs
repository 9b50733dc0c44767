//! The release of a note that is kept apart: psychotherapy notes by an authorization for such notes
//! (45 CFR 164.508(a)(2)), SUD counselling notes by a consent for those alone (42 CFR 2.31(b)).
//!
//! It is their only way out. Each release, and each refusal, is an event of a stream of its own, on
//! the disk before anything is handed over.

use std::cell::RefCell;

use super::explain::{Who, actor};
use super::ingest::{Around, Case, Memory, Rules, allow, note_text};
use crate::audit::{Action, Actor, Audit, Event};
use crate::clock::Clock;
use crate::domain::{Coding, IdKey, Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::policy::{Decision, Item, NoteClass, Obligations, Purpose, Rule, notice};
use crate::store::{Apart, Guard, Store};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The custodian.
    pub tenant: TenantId,
    /// The platform's id of the note.
    pub note: String,
    /// To whom it goes.
    pub to: Who,
    /// What for.
    pub purpose: Purpose,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The text, with what goes along.
    Released(String),
    /// It stays, by a rule.
    Refused(&'static Rule),
}

/// What a release needs.
pub struct Release<'a> {
    /// Where consents are.
    pub store: &'a dyn Store,
    /// Where the notes are.
    pub apart: &'a dyn Apart,
    /// The law and the tables.
    pub rules: &'a Rules,
    /// The maker of ids.
    pub ids: &'a IdKey,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where it is written down.
    pub audit: &'a Audit,
}

const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

impl Release<'_> {
    /// Releases a note, or says by which rule it stays.
    ///
    /// # Errors
    ///
    /// `NotFound` where no such note is kept apart.
    pub fn run(&self, wanted: &Wanted) -> Result<Outcome> {
        let note = self.apart.note(&wanted.tenant, &wanted.note)?;
        let note = note.filter(|note| note.op == Op::Upsert).ok_or(Error::NotFound)?;
        let [client] = note.client_ids.as_slice() else { return Err(Error::NotFound) };
        let (decision, item) = self.decide(wanted, &note, client)?;
        self.testify(wanted, &decision, client, &item)?;
        if !decision.permits {
            return Ok(Outcome::Refused(decision.rule));
        }
        Ok(Outcome::Released(self.text(wanted, &note, &item, &decision)))
    }

    fn decide(&self, wanted: &Wanted, note: &Record, client: &str) -> Result<(Decision, Item)> {
        let tenant = &wanted.tenant;
        // A transaction that is never committed: what is read is of one instant.
        let write = self.store.write()?;
        let record = write.record(tenant, Kind::Client, client)?.ok_or(Error::NotFound)?;
        let memory = RefCell::<Memory>::default();
        let neighbours = Around::new(&*write, tenant, &memory);
        let (ids, now) = (self.ids.tenant(tenant), self.clock.now());
        let law = &self.rules.tables.law;
        let around = allow::Around { neighbours: &neighbours, ids: &ids, law, now };
        let case = Case::of(&record, &around);
        neighbours.failure()?;
        let guard = allow::guard(note, &labels(note), case.zone());
        let mut item = Item::of_class(&guard.class).ok_or(Error::NotFound)?;
        item.related = guard.related;
        item.dated = (guard.dated != Guard::UNDATED)
            .then(|| jiff::Timestamp::from_microsecond(guard.dated).ok())
            .flatten();
        let actor = actor(&wanted.to, &case).ok_or(Error::NotFound)?;
        Ok((case.release(&actor, wanted.purpose, &item, now), item))
    }

    /// Writes down what was decided, on the stream of what is kept apart.
    fn testify(
        &self,
        wanted: &Wanted,
        decision: &Decision,
        client: &str,
        item: &Item,
    ) -> Result<()> {
        let who = Actor { purpose: Some(wanted.purpose.as_str().to_owned()), ..Actor::operator() };
        let mut event = Event::new(Action::Released, self.clock.now(), Some(&wanted.tenant), who);
        event.tenant = Event::apart(&wanted.tenant);
        event.status = if decision.permits { 200 } else { 403 };
        event.about(&self.ids.tenant(&wanted.tenant).id(Kind::Client, client));
        event.note("note", &*wanted.note);
        event.note("class", item.note.map_or("", NoteClass::as_str));
        event.note("to", wanted.to.to_string());
        event.note("rule", decision.rule.code);
        for consent in &decision.basis {
            event.note("consent", consent);
        }
        self.audit.record_blocking(&event)
    }

    /// What is handed over: what it is, what goes along, and the note.
    fn text(&self, wanted: &Wanted, note: &Record, item: &Item, decision: &Decision) -> String {
        let class = if item.note == Some(NoteClass::SudCounseling) {
            "SUD counselling note"
        } else {
            "Psychotherapy note"
        };
        let day = note.data.get("service_date").and_then(|day| day.as_str()).unwrap_or_default();
        let (to, purpose) = (&wanted.to, wanted.purpose.as_str());
        let codes: Vec<String> = labels(note).into_iter().map(|label| label.code).collect();
        let mut out = format!(
            "{class}\nReleased to {to} for {purpose} by {} ({})\nAuthorization: {}\nLabels: {}\n",
            decision.rule.code,
            decision.rule.source,
            decision.basis.join(", "),
            codes.join(" ")
        );
        if decision.obligations.include(Obligations::PART2_NOTICE) {
            out.extend(["\n", notice::STATEMENT, "\n"]);
            out.push_str("\nThe consent that is named above covers such notes and nothing else.\n");
        }
        let title = format!("{class} {day}");
        out.extend(["\n", &note_text(&note.data, &title, &self.rules.tables)]);
        out
    }
}

/// The labels of a note that is kept apart.
fn labels(note: &Record) -> Vec<Coding> {
    let of_program =
        note.data.get("class").and_then(|class| class.as_str()) == Some("sud_counseling");
    let codes: &[&str] = if of_program {
        &["SUD", "PSYTHPN", "42CFRPart2", "NORDSCLCD"]
    } else {
        &["PSYTHPN", "HIPAAPsyNotes", "NORDSCLCD"]
    };
    let label =
        |system: &str, code: &str| Coding { system: system.to_owned(), code: code.to_owned() };
    let level = label(CONFIDENTIALITY, "V");
    std::iter::once(level).chain(codes.iter().map(|code| label(ACT, code))).collect()
}
