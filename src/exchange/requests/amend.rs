//! Corrections: granted or refused, disagreed with, and told to those who have the entry as it was
//! (45 CFR 164.526; GDPR Art. 16 and 19).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::kept::{Correction, Disagreement, Kept, Refused, Told};
use super::request::Request;
use super::step::Step;
use super::{At, LONGEST, Requests};
use crate::audit::disclosures::{Period, events, sum_up};
use crate::domain::{Kind, Op, TenantId};
use crate::error::{Error, Result};
use crate::policy::request::{Event, Matter};
use crate::policy::{AuditPermit, Basis};
use crate::store::Ledger;

/// Most of those who are told.
const MOST: usize = 100;
/// The longest name of one, in characters.
const LONGEST_NAME: usize = 200;
/// The clients that the practice's own pages are: who looks there has received nothing.
const OWN_PAGES: [&str; 2] = ["desk", "portal"];

/// Somebody who has received an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Who, as the audit names them.
    pub id: String,
    /// When last.
    pub last: Timestamp,
}

/// An entry that can be corrected here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correctable {
    /// The id of its `session_note` record.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// The day of what it tells of.
    pub day: String,
}

impl Step {
    /// Refuses an answer that lacks what the law asks of it.
    pub(super) fn check_answer(&self, request: &Request) -> Result<()> {
        let is_amendment = request.matter == Matter::Amendment;
        let entry = self.entry.as_ref().or(request.entry.as_ref()).filter(|_| is_amendment);
        let grants = matches!(self.event, Event::Approve | Event::DenyInPart);
        let refuses = matches!(self.event, Event::Deny | Event::DenyInPart);
        let grounds = request.grounds();
        if refuses && !grounds.is_empty() && !self.ground.is_some_and(|one| grounds.contains(&one))
        {
            let known: Vec<_> = grounds.iter().map(|one| one.as_str()).collect();
            let hint = format!("say on which ground: {}", known.join(", "));
            return Err(Error::invalid("ground", hint));
        }
        if (grants || refuses) && entry.is_some() && self.signer().is_none() {
            return Err(Error::invalid("author", "say who of the practice signs this"));
        }
        let text = self.text.as_deref().map(str::trim).unwrap_or_default();
        if grants && entry.is_some() && text.is_empty() {
            return Err(Error::invalid("text", "write what the entry is to be read with"));
        }
        if text.chars().count() > LONGEST {
            return Err(Error::invalid("text", format!("write at most {LONGEST} characters")));
        }
        self.check_what_follows(request)
    }

    fn check_what_follows(&self, request: &Request) -> Result<()> {
        let is_silent = self.words().is_empty();
        let refusal = match self.event {
            Event::Disagree if !request.may_disagree() => {
                "a statement of disagreement is for a correction that was refused, and for once"
            }
            Event::Enclose if !request.may_disagree() || request.disagreement.is_some() => {
                "this is for a correction that was refused, and where nothing goes along yet"
            }
            Event::Rebut if !request.may_be_rebutted() => {
                "there is no statement of disagreement to be answered"
            }
            Event::Agree if !request.may_be_agreed() => {
                "there is no correction to be told of, or somebody was told already"
            }
            Event::Notify if !request.has_to_tell() => "nobody waits to be told",
            Event::Fulfil if request.has_to_tell() => {
                "tell those first who shall be told of the correction, and take the step notify"
            }
            Event::Disagree | Event::Rebut if is_silent => {
                return Err(Error::invalid("reason", "write the statement"));
            }
            _ => return self.check_names(),
        };
        Err(Error::Conflict { hint: refusal.to_owned() })
    }

    fn check_names(&self) -> Result<()> {
        let is_long = |one: &Told| one.name.chars().count() > LONGEST_NAME;
        if self.tell.len() > MOST || self.tell.iter().any(is_long) {
            let hint = format!("name at most {MOST}, each in at most {LONGEST_NAME} characters");
            return Err(Error::invalid("tell", hint));
        }
        Ok(())
    }
}

impl At<'_> {
    /// Notes what a step says about a correction or an erasure.
    pub(super) fn amend(&self, step: &Step, kept: &mut Kept) {
        let at = self.practice.moment(self.now);
        let is_amendment = self.request.matter == Matter::Amendment;
        if is_amendment && step.entry.is_some() {
            kept.entry.clone_from(&step.entry);
        }
        let grants = matches!(step.event, Event::Approve | Event::DenyInPart);
        let text = step.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if let Some(text) = text.filter(|_| grants && is_amendment) {
            let by = step.signer();
            kept.correction = Some(Correction { text: text.to_owned(), by, at: at.clone() });
        }
        if step.ground.is_some() && matches!(step.event, Event::Deny | Event::DenyInPart) {
            let ground = step.ground.map(|ground| ground.as_str().to_owned());
            kept.refused = Some(Refused { ground, by: step.signer(), at: at.clone() });
        }
        match step.event {
            Event::Disagree => {
                let statement = Some(step.words().to_owned());
                kept.disagreement = Some(Disagreement { at, statement, rebuttal: None });
            }
            Event::Enclose => {
                kept.disagreement = Some(Disagreement { at, statement: None, rebuttal: None });
            }
            Event::Rebut => {
                if let Some(disagreement) = kept.disagreement.as_mut() {
                    disagreement.rebuttal = Some(step.words().to_owned());
                }
            }
            Event::Agree => {
                kept.told.clone_from(&step.tell);
                kept.letters.retain(|letter| letter.kind != "notice");
            }
            Event::Notify => {
                for one in kept.told.iter_mut().filter(|one| one.told_at.is_none()) {
                    one.told_at = Some(at.clone());
                }
            }
            _ => {}
        }
    }
}

impl Requests {
    /// Refuses an entry that is none of this client's, or cannot be corrected here.
    pub(super) fn check_entry(
        &self,
        tenant: &TenantId,
        client: &str,
        entry: Option<&str>,
    ) -> Result<()> {
        let Some(entry) = entry else { return Ok(()) };
        if self.correctable(tenant, client)?.iter().any(|one| one.id == entry) {
            return Ok(());
        }
        let hint = "this is no signed note of the client's record that others may see";
        Err(Error::invalid("entry", hint))
    }

    /// The entries of a client that can be corrected here, the latest first: the notes that are shown.
    pub fn correctable(&self, tenant: &TenantId, client: &str) -> Result<Vec<Correctable>> {
        let found =
            self.store.sources_referring(tenant, Kind::SessionNote, Kind::Client, client)?;
        let rules = self.rules.load();
        let tables = &rules.tables;
        let mut entries = Vec::new();
        for record in found {
            let word = |name| record.data.get(name).and_then(serde_json::Value::as_str);
            let title = word("class").and_then(|class| tables.note_title(class));
            let is_signed = matches!(word("status"), Some("signed" | "locked" | "amended"));
            let is_theirs = record.client_ids.iter().eq([client]) && record.op == Op::Upsert;
            if let Some(title) = title.filter(|_| is_theirs && is_signed) {
                let day = word("service_date").unwrap_or_default().to_owned();
                entries.push(Correctable { id: record.id.clone(), title: title.to_owned(), day });
            }
        }
        entries.sort_by(|a, b| b.day.cmp(&a.day).then_with(|| a.id.cmp(&b.id)));
        Ok(entries)
    }

    /// The entry of a client that a DocumentReference is made from, where it can be corrected here.
    pub fn correctable_as(
        &self,
        tenant: &TenantId,
        client: &str,
        document: &str,
    ) -> Result<Option<Correctable>> {
        let ids = self.ids.tenant(tenant);
        let is_it = |one: &Correctable| ids.id(Kind::SessionNote, &one.id).as_str() == document;
        Ok(self.correctable(tenant, client)?.into_iter().find(is_it))
    }

    /// Who has received the entry that was corrected, the last first; nobody of one that names none.
    /// Who is the client, or acts for them, and the practice's own people are left out.
    ///
    /// # Errors
    ///
    /// Where the audit cannot be read.
    pub fn receivers(
        &self,
        ledger: &dyn Ledger,
        tenant: &TenantId,
        request: &Request,
    ) -> Result<Vec<Receiver>> {
        let Some(entry) = &request.entry else { return Ok(Vec::new()) };
        let ids = self.ids.tenant(tenant);
        let document = ids.id(Kind::SessionNote, entry);
        let text = ids.part(Kind::SessionNote, entry, "text");
        let patient = self.patient(tenant, request);
        let permit = AuditPermit::operator(tenant.clone());
        let period = Period { patient: patient.clone(), since: None, until: None };
        let mut found = events(ledger, &permit, &period)?;
        for event in &mut found {
            event.shown.retain(|one| one.id == document.as_str() || one.id == text.as_str());
        }
        let is_own = |client: &str| OWN_PAGES.contains(&client);
        found.retain(|event| !event.who.client.as_deref().is_some_and(is_own));
        let mut receivers: Vec<Receiver> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut sums = sum_up(&found, &patient);
        sums.sort_by_key(|sum| std::cmp::Reverse(sum.last));
        for sum in sums.into_iter().filter(|sum| sum.basis != Basis::PatientAccess) {
            if seen.insert(sum.recipient.clone()) {
                receivers.push(Receiver { id: sum.recipient, last: sum.last });
            }
        }
        Ok(receivers)
    }
}
