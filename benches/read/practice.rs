//! A practice of any size: Encounters of about 1.5 kB, in a store.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use throughline::domain::{FhirId, Kind, TenantId};
use throughline::fhir::search::{IndexRow, index};
use throughline::policy::{Action, Permit, Principal};
use throughline::store::{Allowed, Guard, NewResource, Store, StoredResource, Write};

/// Encounters of each patient.
pub(crate) const EACH: usize = 50;
/// Those who treat them.
pub(crate) const STAFF: usize = 40;
/// From this number on, a million numbers are those of one patient.
pub(crate) const APART: usize = 50_000_000;

pub(crate) fn tenant() -> TenantId {
    "practice".parse().unwrap()
}

pub(crate) fn permit(action: Action) -> Permit {
    let principal = Principal::new(tenant(), "bench", "system/*.rs");
    Permit::decide(&Arc::new(principal), action, "Encounter").unwrap()
}

/// The id of the numbered resource; ids are spread as real ones are.
pub(crate) fn id(number: usize) -> FhirId {
    let mixed = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    format!("{mixed:032x}").parse().unwrap()
}

/// The patient of the numbered Encounter. From [`APART`] on a million numbers are one patient's.
pub(crate) fn patient(number: usize) -> FhirId {
    id(10_000_000 + if number < APART { number / EACH } else { number / 1_000_000 })
}

/// A number below `size` that jumps about.
pub(crate) fn spread(sample: usize, size: usize) -> usize {
    sample.wrapping_mul(48_271) % size
}

/// Who treats the patient of the numbered Encounter, and where.
fn elsewhere(number: usize) -> [(&'static str, FhirId); 2] {
    let staff = if number < APART { number / EACH } else { number / 1_000_000 };
    [("Practitioner", id(20_000_000 + staff % STAFF)), ("Organization", id(30_000_000))]
}

/// A resource of which there is little to say.
fn plain(resource_type: &str, id: &FhirId) -> NewResource {
    let last_updated = Timestamp::from_second(1_750_000_000).unwrap();
    let name = match resource_type {
        "Organization" => json!("Bench"),
        _ => json!([{ "family": "Bench" }]),
    };
    let body = json!({
        "resourceType": resource_type,
        "id": id.as_str(),
        "meta": { "versionId": "1-0a1b2c3d", "lastUpdated": last_updated.to_string() },
        "name": name
    });
    let body = serde_json::to_vec(&body).unwrap();
    let (patient, index) = index::rows(resource_type, &body).unwrap();
    let resource = StoredResource {
        resource_type: resource_type.into(),
        id: id.clone(),
        version_id: "1-0a1b2c3d".into(),
        last_updated,
        body: Arc::from(body),
        shown: throughline::store::Shown::default(),
    };
    NewResource { resource, patient, index, guard: Guard::default() }
}

/// The patient of the numbered Encounter.
pub(crate) fn person(number: usize) -> NewResource {
    plain("Patient", &patient(number))
}

/// One Encounter with its index rows.
pub(crate) fn encounter(number: usize) -> NewResource {
    let hours = i64::try_from(number % 1_000_000).unwrap();
    let start = Timestamp::from_second(1_750_000_000 + hours * 3_600).unwrap();
    let end = Timestamp::from_second(start.as_second() + 3_000).unwrap();
    let patient = format!("Patient/{}", patient(number));
    let elsewhere = elsewhere(number).map(|(kind, id)| format!("{kind}/{id}"));
    let body = json!({
        "resourceType": "Encounter",
        "id": id(number).as_str(),
        "meta": {
            "versionId": "1-0a1b2c3d",
            "lastUpdated": start.to_string(),
            "source": "https://throughline.example/platform/practice",
            "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-encounter"],
            "security": [{
                "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"
            }],
        },
        "identifier": [{
            "system": "https://throughline.example/ids/practice/session_log",
            "value": format!("ses_{number}")
        }],
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "VR",
            "display": "virtual"
        },
        "type": [{
            "coding": [{ "system": "http://www.ama-assn.org/go/cpt", "code": "90837" }],
            "text": "Individual psychotherapy, 60 minutes"
        }],
        "subject": { "reference": patient },
        "participant": [{
            "type": [{ "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                "code": "PPRF"
            }] }],
            "period": { "start": start.to_string(), "end": end.to_string() },
            "individual": { "reference": elsewhere[0] }
        }],
        "period": { "start": start.to_string(), "end": end.to_string() },
        "length": {
            "value": 50, "unit": "minute", "system": "http://unitsofmeasure.org", "code": "min"
        },
        "serviceProvider": { "reference": elsewhere[1] },
    });
    let body = serde_json::to_vec(&body).unwrap();
    let (patient, index) = index::rows("Encounter", &body).unwrap();
    assert!(index.iter().any(|row| matches!(row, IndexRow::Date { .. })), "it is indexed");
    let resource = StoredResource {
        resource_type: "Encounter".into(),
        id: id(number),
        version_id: "1-0a1b2c3d".into(),
        last_updated: start,
        body: Arc::from(body),
        shown: throughline::store::Shown::default(),
    };
    NewResource { resource, patient, index, guard: Guard::default() }
}

/// Puts a patient with that many Encounters, and who treats them, into the store.
pub(crate) fn fill_one(store: &dyn Store, first: usize, encounters: usize) {
    fill(store, first..first + encounters);
    let mut write = store.write().unwrap();
    let made = [("Patient", patient(first))].into_iter().chain(elsewhere(first));
    for (kind, id) in made {
        put(&mut *write, kind, &id);
    }
    write.commit().unwrap();
}

/// The same for a person whose own app reads: each resource has its class, and the person may see
/// all of them.
pub(crate) fn fill_own(store: &dyn Store, first: usize, encounters: usize, allowed: &[Allowed]) {
    let mut write = store.write().unwrap();
    for number in first..first + encounters {
        let mut made = encounter(number);
        "session".clone_into(&mut made.guard.class);
        let origin = format!("ses_{number}");
        write.put_projection(&tenant(), Kind::SessionLog, &origin, vec![made]).unwrap();
    }
    let mut own = person(first);
    "client".clone_into(&mut own.guard.class);
    let origin = format!("Patient {}", patient(first));
    write.put_projection(&tenant(), Kind::Client, &origin, vec![own]).unwrap();
    for (kind, id) in elsewhere(first) {
        put(&mut *write, kind, &id);
    }
    write.put_allowed(&tenant(), &patient(first), allowed).unwrap();
    write.commit().unwrap();
}

/// Puts everybody who treats somebody, and where, into the store.
pub(crate) fn fill_staff(store: &dyn Store) {
    let mut write = store.write().unwrap();
    for number in 0..STAFF {
        for (kind, id) in elsewhere(number * EACH) {
            put(&mut *write, kind, &id);
        }
    }
    write.commit().unwrap();
}

fn put(write: &mut dyn Write, name: &str, id: &FhirId) {
    let kind = match name {
        "Organization" => Kind::Organization,
        "Practitioner" => Kind::Staff,
        _ => Kind::Client,
    };
    let made = vec![plain(name, id)];
    write.put_projection(&tenant(), kind, &format!("{name} {id}"), made).unwrap();
}

/// Puts Encounters into the store, 500 to a transaction.
pub(crate) fn fill(store: &dyn Store, numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for batch in numbers.chunks(500) {
        let mut write = store.write().unwrap();
        for number in batch {
            let origin = format!("ses_{number}");
            let made = vec![encounter(*number)];
            write.put_projection(&tenant(), Kind::SessionLog, &origin, made).unwrap();
        }
        write.commit().unwrap();
    }
}
