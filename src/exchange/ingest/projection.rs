//! Makes resources of the records that are due: pre-steps, maps, version, index, store.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::derive::{self, Derivation, View};
use super::neighbours::{Around, Memory};
use super::report::Report;
use super::rules::Rules;
use super::{accept, allow, canonical};
use crate::clock::Clock;
use crate::domain::{Coding, FhirId, IdKey, Kind, Record, TenantId, TenantIds};
use crate::error::Result;
use crate::fhir::search::{IndexRow, index, param};
use crate::mapping::{Refusal, Scratch};
use crate::store::{Allowed, Guard, NewResource, Quarantined, Shown, StoredResource, Write};

/// The reason of a record of which a resource could not be made.
pub(crate) const UNMAPPED: &str = "unmapped_required";

/// Maps records. Holds what is reused from one to the next.
pub(crate) struct Projector<'a> {
    rules: &'a Rules,
    base: &'a str,
    clock: &'a dyn Clock,
    ids: &'a IdKey,
    tenants: HashMap<TenantId, TenantIds>,
    scratch: Scratch,
    out: Vec<u8>,
}

impl<'a> Projector<'a> {
    /// A projector by these rules.
    pub(crate) fn new(
        rules: &'a Rules,
        base: &'a str,
        clock: &'a dyn Clock,
        ids: &'a IdKey,
    ) -> Self {
        let (tenants, scratch, out) = (HashMap::new(), Scratch::default(), Vec::new());
        Self { rules, base, clock, ids, tenants, scratch, out }
    }

    /// Maps up to `limit` of the records that are due; answers how many there were.
    pub(crate) fn drain(
        &mut self,
        write: &mut dyn Write,
        limit: usize,
        report: &mut Report,
    ) -> Result<usize> {
        let due = write.dirty(limit)?;
        self.map(write, &due, report)?;
        Ok(due.len())
    }

    /// Maps these records, whether or not they are due.
    pub(crate) fn map(
        &mut self,
        write: &mut dyn Write,
        records: &[(TenantId, Kind, String)],
        report: &mut Report,
    ) -> Result<()> {
        let memory = RefCell::default();
        let mut seen = Seen::default();
        for (tenant, kind, id) in records {
            let record = write.record(tenant, *kind, id)?;
            let mut made = Made::default();
            if let Some(record) = &record {
                seen.note(record);
                self.project(write, record, &memory, &mut made, report)?;
                self.leave_out_gone(write, record, &mut made)?;
            }
            write.release_refused(tenant, *kind, id, UNMAPPED)?;
            for entry in &made.refused {
                report.quarantine(UNMAPPED);
                write.quarantine(entry)?;
            }
            for resource in &made.resources {
                let name = resource.resource.resource_type.clone();
                *report.resources.entry(name).or_default() += 1;
            }
            report.mapped += 1;
            seen.note_made(tenant, &made.resources);
            write.put_projection(tenant, *kind, id, made.resources)?;
        }
        self.allow(write, seen)
    }

    /// Of a record about several, nothing is made for those who were taken away for good.
    fn leave_out_gone(&self, write: &dyn Write, record: &Record, made: &mut Made) -> Result<()> {
        if record.client_ids.len() < 2 {
            return Ok(());
        }
        let tenant = &record.tenant;
        for client in &record.client_ids {
            let is_gone = write.was_purged(tenant, Kind::Client, client)?
                && write.record(tenant, Kind::Client, client)?.is_none();
            if is_gone {
                let patient = self.ids.tenant(tenant).id(Kind::Client, client);
                made.resources.retain(|one| one.patient.as_ref() != Some(&patient));
            }
        }
        Ok(())
    }

    /// Works out anew what is allowed of the patients whom these records concern.
    fn allow(&mut self, write: &mut dyn Write, seen: Seen) -> Result<()> {
        for (tenant, seen) in seen.0 {
            let ids = self.tenants.entry(tenant.clone());
            let ids = &*ids.or_insert_with(|| self.ids.tenant(&tenant));
            let named = |client: &String| (ids.id(Kind::Client, client), client.clone());
            let clients: BTreeMap<FhirId, String> = seen.clients.iter().map(named).collect();
            let mut due: BTreeSet<FhirId> =
                seen.decisive.iter().map(|client| ids.id(Kind::Client, client)).collect();
            if !seen.classes.is_empty() {
                due.extend(write.note_classes(&tenant, &seen.classes)?);
            }
            let due: Vec<FhirId> = due.into_iter().filter(|id| clients.contains_key(id)).collect();
            if due.is_empty() {
                continue;
            }
            write.hold_patients(&tenant, &due)?;
            for patient in &due {
                let Some(client) = clients.get(patient) else { continue };
                let rows = self.allowed(write, &tenant, client, patient)?;
                write.put_allowed(&tenant, patient, &rows)?;
            }
        }
        Ok(())
    }

    fn allowed(
        &self,
        write: &dyn Write,
        tenant: &TenantId,
        client: &str,
        patient: &FhirId,
    ) -> Result<Vec<Allowed>> {
        let Some(record) = write.record(tenant, Kind::Client, client)? else {
            return Ok(Vec::new());
        };
        let memory = RefCell::default();
        let neighbours = Around::new(write, tenant, &memory);
        let classes = write.classes(tenant, patient)?;
        let ids = self.ids.tenant(tenant);
        let (law, now) = (&self.rules.tables.law, self.clock.now());
        let around = allow::Around { neighbours: &neighbours, ids: &ids, law, now };
        let rows = allow::allowed(&record, &classes, &around);
        neighbours.failure()?;
        Ok(rows)
    }

    fn project(
        &mut self,
        write: &dyn Write,
        record: &Record,
        memory: &RefCell<Memory>,
        made: &mut Made,
        report: &mut Report,
    ) -> Result<()> {
        let around = Around::new(write, &record.tenant, memory);
        let ids = self.tenants.entry(record.tenant.clone());
        let ids = &*ids.or_insert_with(|| self.ids.tenant(&record.tenant));
        let (base, tables) = (self.base, &self.rules.tables);
        let derivation = Derivation { neighbours: &around, ids, base, tables };
        let (views, warnings) = derive::views(record, &derivation);
        for warning in warnings {
            report.warning(record.kind.as_str(), &warning.pointer, warning.code);
        }
        let zone = allow::zone(derivation.neighbours.organization().as_deref());
        let guarding = derive::guarding(record, &derivation);
        let mut run = Run {
            rules: self.rules,
            record,
            guarding: &guarding,
            zone: &zone,
            scratch: &mut self.scratch,
            out: &mut self.out,
            report,
        };
        for view in &views {
            let Some(done) = run.make(view, None, made, self.clock)? else { continue };
            let (kind, version_id) = (&done.resource_type, &done.version_id);
            let about = derive::provenance(record, &derivation, view, kind, version_id);
            if let Some(about) = about {
                run.make(&about, Some((done.patient, done.guard)), made, self.clock)?;
            }
        }
        around.failure()
    }
}

/// What came of one record.
#[derive(Default)]
struct Made {
    resources: Vec<NewResource>,
    refused: Vec<Quarantined>,
}

/// A resource that was made, as far as its Provenance needs to know.
struct Done {
    resource_type: String,
    version_id: String,
    patient: Option<FhirId>,
    guard: Guard,
}

/// What a batch of records concerns, by tenant.
#[derive(Default)]
struct Seen(BTreeMap<TenantId, Concerned>);

/// Whom a batch of records concerns.
#[derive(Default)]
struct Concerned {
    /// The clients.
    clients: BTreeSet<String>,
    /// Those of them about whom something was said that decides.
    decisive: BTreeSet<String>,
    /// The classes of the records that were made, by patient.
    classes: BTreeSet<(FhirId, String)>,
}

impl Seen {
    fn note(&mut self, record: &Record) {
        let concerned = self.0.entry(record.tenant.clone()).or_default();
        let own = (record.kind == Kind::Client).then_some(&record.id);
        let survivor = record.data.get("merged_into").and_then(|id| id.as_str()).map(str::to_owned);
        let clients = record.client_ids.iter().chain(own).cloned().chain(survivor);
        for client in clients {
            if decides(record.kind) {
                concerned.decisive.insert(client.clone());
            }
            concerned.clients.insert(client);
        }
    }

    fn note_made(&mut self, tenant: &TenantId, made: &[NewResource]) {
        let concerned = self.0.entry(tenant.clone()).or_default();
        for new in made {
            if let Some(patient) = &new.patient {
                concerned.classes.insert((patient.clone(), new.guard.class.clone()));
            }
        }
    }
}

/// Whether records of a kind say who may see others.
fn decides(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Client | Kind::RelatedParty | Kind::Consent | Kind::Episode | Kind::Attachment
    )
}

/// The maps at work on one record.
struct Run<'a> {
    rules: &'a Rules,
    record: &'a Record,
    /// The record by whose visibility what is made is guarded.
    guarding: &'a Record,
    zone: &'a TimeZone,
    scratch: &'a mut Scratch,
    out: &'a mut Vec<u8>,
    report: &'a mut Report,
}

impl Run<'_> {
    /// Makes one resource, or an entry of quarantine. It is in the compartment of the patient that
    /// it names, or else of the patient that is given; what is given is guarded alike.
    fn make(
        &mut self,
        view: &View,
        like: Option<(Option<FhirId>, Guard)>,
        made: &mut Made,
        clock: &dyn Clock,
    ) -> Result<Option<Done>> {
        match self.resource(view)? {
            Ok(mut resource) => {
                if let Some((patient, guard)) = like {
                    resource.patient = resource.patient.or(patient);
                    resource.guard = guard;
                }
                let done = Done {
                    resource_type: resource.resource.resource_type.clone(),
                    version_id: resource.resource.version_id.clone(),
                    patient: resource.patient.clone(),
                    guard: resource.guard.clone(),
                };
                made.resources.push(resource);
                Ok(Some(done))
            }
            Err(refusal) => {
                made.refused.push(refused(self.record, view, refusal, clock));
                Ok(None)
            }
        }
    }

    /// Runs one map.
    fn resource(&mut self, view: &View) -> Result<std::result::Result<NewResource, Refusal>> {
        self.out.clear();
        let outcome = match self.rules.maps.run(view.map, &view.input, self.scratch, self.out) {
            Ok(outcome) => outcome,
            Err(refusal) => return Ok(Err(refusal)),
        };
        for loss in outcome.losses {
            self.report.loss(self.record.kind.as_str(), &loss.pointer, loss.reason);
        }
        let version_id = version_id(self.record.version, self.out);
        let Some((resource_type, body)) = with_version(self.out, &version_id) else {
            return Ok(Err(no_resource(view)));
        };
        let (patient, index) = index::rows(&resource_type, &body)?;
        let resource = StoredResource {
            resource_type,
            id: view.resource_id.clone(),
            version_id,
            last_updated: view.last_updated,
            body: Arc::from(body),
            shown: Shown::default(),
        };
        let labels = labels(&resource.resource_type, &index);
        let guard = allow::guard(self.guarding, &labels, self.zone);
        Ok(Ok(NewResource { resource, patient, index, guard }))
    }
}

/// The labels of a resource, from what it is found by.
fn labels(resource_type: &str, rows: &[IndexRow]) -> Vec<Coding> {
    let security = param::search_type(resource_type).and_then(|kind| kind.param("_security"));
    let is_label = |row: &IndexRow| match (row, security) {
        (IndexRow::Token { param, system, code }, Some((number, _))) if *param == number => {
            Some(Coding { system: system.clone(), code: code.clone() })
        }
        _ => None,
    };
    rows.iter().filter_map(is_label).collect()
}

/// The refusal of a map that wrote nothing that could be served.
fn no_resource(view: &View) -> Refusal {
    Refusal {
        code: "MAP",
        message: "the map wrote no resource with meta; see `throughline map run`".to_owned(),
        pointer: None,
        map: view.map.to_owned(),
        rule: String::new(),
    }
}

/// `meta.versionId`: the platform's version, and eight hex digits of what was made of it, so that
/// a changed map or neighbour gives a new version too.
fn version_id(version: u64, mapped: &[u8]) -> String {
    let hash = hex::encode(canonical::sha256(mapped));
    format!("{version}-{}", hash.get(..8).unwrap_or_default())
}

/// The resource's type, and its bytes with `versionId` as the first member of `meta`.
fn with_version(mapped: &[u8], version_id: &str) -> Option<(String, Vec<u8>)> {
    const TYPE: &str = r#"{"resourceType":""#;
    const META: &str = r#""meta":{"#;
    let text = std::str::from_utf8(mapped).ok()?;
    let (resource_type, _) = text.strip_prefix(TYPE)?.split_once('"')?;
    let (before, after) = text.split_once(META)?;
    let comma = if after.starts_with('}') { "" } else { "," };
    let body = format!(r#"{before}{META}"versionId":"{version_id}"{comma}{after}"#);
    Some((resource_type.to_owned(), body.into_bytes()))
}

fn refused(record: &Record, view: &View, refusal: Refusal, clock: &dyn Clock) -> Quarantined {
    let Refusal { code, message, pointer, map, rule } = refusal;
    Quarantined {
        number: 0,
        tenant: Some(record.tenant.clone()),
        kind: Some(record.kind.as_str().to_owned()),
        id: Some(record.id.clone()),
        reason: UNMAPPED.to_owned(),
        detail: format!("{code}: {message}"),
        pointer: pointer.unwrap_or_else(|| format!("map {}", view.map)),
        origin: format!("{map} {rule}"),
        received: clock.now(),
        isolated: false,
        body: accept::line(record),
    }
}

/// The kinds that a change of the maps concerns.
pub(crate) fn mapped_kinds() -> Vec<Kind> {
    Kind::ALL.iter().copied().filter(|kind| kind.is_mapped()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_goes_first_into_meta() {
        let mapped = br#"{"resourceType":"Patient","id":"a","meta":{"source":"x"},"active":true}"#;
        let (kind, body) = with_version(mapped, "3-0a1b2c3d").unwrap();
        assert_eq!(kind, "Patient");
        let expected = r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"3-0a1b2c3d","source":"x"},"active":true}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert!(with_version(b"{}", "1-0").is_none());
        assert_ne!(version_id(1, b"a"), version_id(1, b"b"));
    }
}
