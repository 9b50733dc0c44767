//! Bulk exports: everything that a caller may see, as NDJSON files
//! (<https://hl7.org/fhir/uv/bulkdata/STU2/export.html>).
//!
//! An export is a durable job. It reads a tenant window by window of patients, each under what the
//! consents say at that moment, and writes a file for each type. Once a file is long enough, all that
//! are open are ended and written down with the place where it goes on, so that after a crash nothing
//! finished is done again and nothing is written twice. Beside each file lies another with the names
//! of what is in it, by which consent is asked again when it is handed out.

mod ask;
mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

pub use self::ask::{Ask, Level, Narrow};
use self::files::Files;
pub use self::files::{File, FileKind, Line, lines};
use super::ingest::Rules;
use super::jobs::{Doing, Task, Trouble, Work};
use crate::blobs::Blobs;
use crate::config::BulkSettings;
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::fhir::outcome::{self, Issue, IssueType};
use crate::fhir::r4::Elements;
use crate::fhir::search::{Condition, index};
use crate::policy::{Action, Mandate, OUTSIDE, Obligations, Permit, Principal, Scopes, notice};
use crate::store::{Export, Exported, Job, JobPart, JobStep, Removed, Store, Whose};

/// The name of this kind of work.
pub const KIND: &str = "export";
/// How many deletions are told in one Bundle.
const TOGETHER: usize = 1_000;
/// What goes along with Part 2 records.
pub const CONSENT: &str = "Consent";
/// About how many resources a window has.
const WINDOW: u32 = 2_000;
/// After how many windows it is written down how far it has come, however short the files are.
const WINDOWS: u32 = 100;

/// Where an export goes on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Place {
    stage: Stage,
    /// The last patient of the last window.
    after: String,
    /// The next of the patients that are named.
    next: usize,
    /// The number of the next part.
    number: u32,
    /// How many resources are in finished files.
    resources: u64,
    /// Whether it was said which notice goes with what is in them.
    #[serde(default)]
    noticed: bool,
}

/// What an export reads next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    /// What is to be said of the request itself.
    #[default]
    Said,
    /// What is nobody's.
    Nobody,
    /// The patients' records.
    Patients,
    /// What is there no more.
    Gone,
    /// Nothing.
    End,
}

/// Does exports.
pub struct Exporting {
    /// Where the files go.
    pub blobs: Blobs,
    /// The value sets that filters may name.
    pub rules: Arc<ArcSwap<Rules>>,
    /// What elements there are.
    pub elements: Elements,
    /// How long they are, and how long they are kept.
    pub settings: BulkSettings,
    /// Which conditions can be met on this way: the notice and the consents go along, and what is
    /// handed out is accounted for.
    pub able: Obligations,
}

impl Work for Exporting {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn work(self: Arc<Self>, task: Task) -> Doing<std::result::Result<(), Trouble>> {
        let handle = Handle::current();
        Box::pin(async move { task.aside(move |task| self.run(task, &handle)).await })
    }

    fn kept(&self) -> Duration {
        self.settings.kept()
    }

    fn clear(self: Arc<Self>, _: Job, parts: Vec<JobPart>) -> Doing<Result<()>> {
        let blobs = self.blobs.clone();
        Box::pin(async move {
            for part in parts {
                let file = File::read(&part)?;
                for name in std::iter::once(&file.blob).chain(&file.names) {
                    blobs.delete(name).await?;
                }
            }
            Ok(())
        })
    }
}

/// What an export has at hand.
struct Run<'a> {
    task: &'a Task,
    ask: Ask,
    mandate: Mandate,
    filters: Vec<(&'static str, Vec<Condition>)>,
    able: Obligations,
    place: Place,
    files: Files<'a>,
}

impl Exporting {
    fn run(&self, task: &Task, handle: &Handle) -> std::result::Result<(), Trouble> {
        let job = task.job();
        let ask = Ask::read(&job.new.task)?;
        let place = match job.place.as_slice() {
            [] => Place::default(),
            json => serde_json::from_slice(json).map_err(Error::internal)?,
        };
        let filters = ask.conditions(&self.rules.load().value_sets)?;
        // Files outlive the job by the time that it is kept once it is done.
        let expires = job.new.expires + self.settings.kept();
        let files = Files::new(&self.blobs, handle, expires, ask.views(&self.elements)?);
        let mandate = Mandate::read(&job.new.mandate)?;
        let able = self.able;
        let mut run = Run { task, ask, mandate, filters, able, place, files };
        let mut windows = 0;
        while run.place.stage != Stage::End {
            task.go_on()?;
            run.step()?;
            windows += 1;
            let is_long = run.files.longest() >= self.settings.resources_per_file;
            if is_long || windows == WINDOWS || run.place.stage == Stage::End {
                run.keep()?;
                windows = 0;
            }
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Reads one window.
    fn step(&mut self) -> std::result::Result<(), Trouble> {
        match self.place.stage {
            Stage::Said => {
                self.say()?;
                self.place.stage = Stage::Nobody;
            }
            Stage::Nobody => {
                self.window(Whose::Nobody)?;
                self.place.stage = Stage::Patients;
            }
            Stage::Patients => {
                let Some(whose) = self.next()? else {
                    self.place.stage = Stage::Gone;
                    return Ok(());
                };
                self.window(whose)?;
            }
            Stage::Gone => {
                self.gone()?;
                self.place.stage = Stage::End;
            }
            Stage::End => {}
        }
        Ok(())
    }

    /// Who asks, at this moment.
    fn principal(&self) -> Result<Arc<Principal>> {
        let now = self.task.now();
        exporter(&self.mandate, &self.task.job().new.tenant, now, self.able)
    }

    /// The permit at this moment, and the types that it reaches.
    fn permit(&self) -> Result<Option<(Permit, Vec<&'static str>)>> {
        let principal = self.principal()?;
        let wanted = self.ask.types()?;
        let any =
            wanted.iter().find_map(|name| Permit::decide(&principal, Action::Search, *name).ok());
        Ok(any.map(|permit| {
            let reached = |name: &&'static str| permit.on(name).is_some();
            let types = wanted.iter().copied().filter(reached).collect();
            (permit, types)
        }))
    }

    /// The patients of the next window.
    fn next(&mut self) -> Result<Option<Whose>> {
        if !self.ask.patients.is_empty() {
            let next = self.ask.patients.get(self.place.next);
            let id = next.map(|id| id.parse()).transpose();
            let id = id.map_err(|()| Error::broken("a patient's id that is none"))?;
            self.place.next += 1;
            return Ok(id.map(Whose::One));
        }
        let Some((permit, _)) = self.permit()? else { return Ok(None) };
        let after = std::mem::take(&mut self.place.after);
        let Some(last) = self.task.store().window(&permit, &after, WINDOW)? else {
            return Ok(None);
        };
        self.place.after.clone_from(&last);
        Ok(Some(Whose::Between(after, last)))
    }

    /// What is there no more, for who asks what has changed.
    fn gone(&mut self) -> Result<()> {
        let Some((permit, _)) = self.permit()?.filter(|_| self.ask.since.is_some()) else {
            return Ok(());
        };
        let found = removed(&**self.task.store(), &permit, &self.ask)?;
        for some in found.chunks(TOGETHER) {
            self.files.deleted(some)?;
        }
        Ok(())
    }

    fn scope(&self, types: Vec<&'static str>, whose: Whose) -> Export {
        let (since, until) = (self.ask.since, self.ask.until);
        Export { types, whose, since, until, filters: self.filters.clone() }
    }

    fn window(&mut self, whose: Whose) -> std::result::Result<(), Trouble> {
        let Some((permit, mut types)) = self.permit()? else { return Ok(()) };
        // Of what is nobody's, a patient's record leads to people and places only.
        if whose == Whose::Nobody && self.ask.level != Level::System {
            types.retain(|name| OUTSIDE.contains(name));
        }
        let found = self.task.store().export(&permit, &self.scope(types, whose))?;
        let found = self.accompanied(found)?;
        self.files.add(&found)?;
        Ok(())
    }

    /// The same with the consents that have to go along, and with the notice said once (42 CFR 2.32,
    /// 2.33). Where a consent cannot be had, what it goes along with is left out.
    fn accompanied(
        &mut self,
        mut found: Vec<Exported>,
    ) -> std::result::Result<Vec<Exported>, Trouble> {
        let basis = |one: &Exported| one.resource.shown.basis.clone();
        let named: BTreeSet<String> = found.iter().flat_map(basis).collect();
        if named.is_empty() {
            return Ok(found);
        }
        let permit = Permit::decide(&consents_of(&self.principal()?), Action::Read, CONSENT)?;
        let mut consents = BTreeMap::new();
        for name in named {
            let id = name.strip_prefix("Consent/").and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            if let Some(consent) = self.task.store().read(&permit, &id)? {
                consents.insert(name, consent);
            }
        }
        found.retain(|one| one.resource.shown.basis.iter().all(|name| consents.contains_key(name)));
        let is_there = |id: &FhirId| {
            let is_it =
                |one: &Exported| one.resource.resource_type == CONSENT && one.resource.id == *id;
            found.iter().any(is_it)
        };
        let more: Vec<Exported> = consents
            .into_values()
            .filter(|consent| !is_there(&consent.id))
            .map(|consent| {
                let patient = index::patient(CONSENT, &consent.body);
                let patient = patient.map_or_else(String::new, |patient| patient.to_string());
                Exported { resource: consent, patient }
            })
            .collect();
        if !self.place.noticed && found.iter().any(|one| !one.resource.shown.basis.is_empty()) {
            let text = notice::STATEMENT.to_owned();
            let code = IssueType::BusinessRule;
            let issue = Issue { code, text, expression: None, refused: false };
            self.files.error(&outcome::encode(vec![issue])?)?;
            self.place.noticed = true;
        }
        found.extend(more);
        Ok(found)
    }

    /// What was ignored of the request.
    fn say(&mut self) -> Result<()> {
        for text in &self.ask.ignored {
            let code = IssueType::NotSupported;
            let issue = Issue { code, text: text.clone(), expression: None, refused: false };
            self.files.error(&outcome::encode(vec![issue])?)?;
        }
        Ok(())
    }

    /// Ends the open files, and writes down how far it has come.
    fn keep(&mut self) -> std::result::Result<(), Trouble> {
        let mut parts = Vec::new();
        for file in self.files.end()? {
            self.place.resources += if file.kind == FileKind::Output { file.count } else { 0 };
            parts.push(file.part(self.place.number)?);
            self.place.number += 1;
        }
        let progress = match self.place.stage {
            Stage::Said | Stage::Nobody => "begun".to_owned(),
            _ => format!("{} resources", self.place.resources),
        };
        let place = serde_json::to_vec(&self.place).map_err(Error::internal)?;
        self.task.keep(&JobStep { parts, place, progress })
    }
}

/// What of an export is there no more and whoever has the permit might have seen.
pub fn removed(store: &dyn Store, permit: &Permit, ask: &Ask) -> Result<Vec<Removed>> {
    let (types, filters) = (ask.types()?, Vec::new());
    let whose = Whose::Everybody;
    let scope = Export { types, whose, since: ask.since, until: ask.until, filters };
    let mut found = store.removed(permit, &scope)?;
    found.retain(|one| {
        let is_nobodys = one.patient.is_empty();
        let is_named = ask.patients.is_empty() || ask.patients.contains(&one.patient);
        match ask.level {
            Level::System => true,
            _ if is_nobodys => OUTSIDE.contains(&one.resource_type.as_str()),
            _ => is_named,
        }
    });
    Ok(found)
}

/// Who an export is for, at an instant, on a way that meets these conditions.
pub fn exporter(
    mandate: &Mandate,
    tenant: &TenantId,
    at: Timestamp,
    able: Obligations,
) -> Result<Arc<Principal>> {
    Ok(Arc::new(mandate.principal(tenant, at)?).asking_at(at, able))
}

/// The same, for the consents that whoever they name may see, whatever scopes their token has: the law
/// says that they go along.
pub fn consents_of(principal: &Arc<Principal>) -> Arc<Principal> {
    let scopes = Scopes::parse("system/Consent.rs");
    Arc::new(Principal { scopes, ..Principal::clone(principal) })
}

/// The instant up to which an export is complete: when it was asked for.
pub fn transaction_time(job: &Job) -> Timestamp {
    job.new.made
}
