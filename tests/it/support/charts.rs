//! A practice in which something is withheld for every reason there is, and who asks about it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use throughline::fhir::search::param;
use throughline::policy::{FhirUser, Principal, Purpose, Under};

use super::desk::{about, practice, record};
use super::server::{Answer, Server};

/// The app of the practice that consents name.
pub(crate) const EHR: &str = "ehr-frfm";
/// The SHA-256 of the signed form.
pub(crate) const FORM: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Takes in records, none of which goes to quarantine.
pub(crate) fn take_in(server: &Server, records: &[Value]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.ndjson");
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let report = server.app.take_in(&[path]).unwrap();
    assert!(report.quarantined.is_empty(), "{:?}", report.quarantined);
}

/// A record with other data in some places.
pub(crate) fn with(mut record: Value, others: Value) -> Value {
    let Value::Object(others) = others else { unreachable!("an object") };
    for (name, value) in others {
        record["data"][name] = value;
    }
    record
}

/// A later version of a record.
pub(crate) fn next(mut record: Value, version: u64) -> Value {
    record["version"] = json!(version);
    record["updated_at"] = json!(format!("2026-11-{version:02}T17:03:11.004Z"));
    record
}

/// The practice and its therapist, without a client.
pub(crate) fn staff() -> Vec<Value> {
    let mut all = practice();
    all.retain(|record| record["kind"] != "client");
    all
}

/// A client of that name.
pub(crate) fn client(id: &str, family: &str) -> Value {
    let data = json!({
        "names": [{"use": "official", "family": family, "given": ["Ada"]}],
        "birth_date": "1980-03-08", "administrative_gender": "female", "status": "active"
    });
    about(id, record("client", id, 1, data))
}

/// A diagnosis.
pub(crate) fn diagnosis(client: &str, id: &str, code: &str) -> Value {
    let data = json!({
        "client_id": client, "status": "confirmed", "recorded_on": "2026-06-01", "recorded_by": "st_2",
        "code": {"system": "icd10cm", "code": code, "text": code}
    });
    about(client, record("diagnosis", id, 1, data))
}

/// A session of these clients.
pub(crate) fn session(clients: &[&str], id: &str) -> Value {
    let (start, end) = ("2026-06-01T17:00:00Z", "2026-06-01T17:50:00Z");
    let there = |kind: &str, id: &str| json!({"who": {"kind": kind, "id": id}, "joined_at": start, "left_at": end});
    let mut presence = vec![there("staff", "st_2")];
    presence.extend(clients.iter().map(|client| there("client", client)));
    let attendance: Vec<Value> =
        clients.iter().map(|client| json!({"client_id": client, "status": "attended"})).collect();
    let format = ["individual", "couple", "group"][clients.len().min(3) - 1];
    let data = json!({
        "format": format, "modality": "video", "status": "completed", "scheduled_start": start,
        "scheduled_end": end, "presence": presence, "attendance": attendance
    });
    let mut session = record("session_log", id, 1, data);
    session["client_ids"] = json!(clients);
    session
}

/// A note of this class and status.
pub(crate) fn note(client: &str, id: &str, class: &str, status: &str) -> Value {
    let data = json!({
        "class": class, "format": "narrative", "service_date": "2026-06-01", "author_id": "st_2",
        "status": status, "signed": {"by": "st_2", "at": "2026-06-01T18:00:00Z"},
        "separated": class == "psychotherapy",
        "sections": [{"key": "n", "title": "Note", "text": "What was said"}]
    });
    about(client, record("session_note", id, 1, data))
}

/// A secure message from the client to the therapist.
pub(crate) fn message(client: &str, id: &str) -> Value {
    let data = json!({
        "thread_id": "th_1", "seq": 1, "sender": {"kind": "client", "id": client},
        "recipients": [{"kind": "staff", "id": "st_2"}], "sent_at": "2026-06-02T09:01:00-06:00",
        "status": "read", "body": {"format": "text", "text": "See the diary"}, "clinical": true
    });
    about(client, record("message", id, 1, data))
}

/// A file that belongs to a record.
pub(crate) fn attachment(client: &str, id: &str, owner: (&str, &str)) -> Value {
    let data = json!({
        "owner": {"kind": owner.0, "id": owner.1}, "filename": format!("{id}.pdf"),
        "media_type": "application/pdf", "size_bytes": 51000, "sha256": FORM,
        "storage_ref": format!("blob://hv/{id}"), "av_scan": "clean", "contains_third_party": false
    });
    about(client, record("attachment", id, 1, data))
}

/// Somebody who is the client's guardian.
pub(crate) fn guardian(client: &str, id: &str) -> Value {
    let data = json!({
        "client_id": client, "name": {"family": id, "given": ["P"]}, "relationship": "parent",
        "authority": [{
            "type": "legal_guardian", "scope": "all", "from": "2009-05-01", "evidence_ref": "x"
        }],
        "restrictions": [], "emergency_contact": false
    });
    about(client, record("related_party", id, 1, data))
}

/// A release of these kinds to the practice with [`EHR`], without the form that it rests on.
pub(crate) fn release(client: &str, id: &str, kinds: &[&str]) -> Value {
    let data = json!({
        "type": "roi", "decision": "permit", "status": "active",
        "signed_at": "2026-02-01T09:00:00-07:00", "signer": {"kind": "client", "id": client},
        "method": "e_sign",
        "evidence": {"attachment_id": format!("att_{id}"), "sha256": FORM, "form_id": "ROI-CO"},
        "effective": {"from": "2026-02-01"}, "expires": {"date": "2099-01-01"},
        "recipients": [{
            "kind": "org", "name": "Front Range Family Medicine", "fhir_client_ids": [EHR]
        }],
        "purposes": ["treat"], "scope": {"kinds": kinds, "description": "What it lists"}
    });
    about(client, record("consent", id, 1, data))
}

/// The form of a consent.
pub(crate) fn form(client: &str, consent: &str) -> Value {
    attachment(client, &format!("att_{consent}"), ("consent", consent))
}

/// A consent that was taken back.
pub(crate) fn revoked(consent: Value) -> Value {
    let at = "2026-03-01T00:00:00Z";
    with(consent, json!({"status": "revoked", "revocations": [{"at": at, "scope": "all"}]}))
}

impl Server {
    /// A token that looks under grants.
    pub(crate) fn looking(&self, under: Under, scopes: &str, patient: Option<&str>) -> String {
        let principal = Principal {
            patient: patient.map(|id| id.parse().unwrap()),
            under: Some(under),
            ..Principal::new("hv".parse().unwrap(), EHR, scopes)
        };
        self.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap().0
    }

    /// The token of the practice that consents name, for treatment.
    pub(crate) fn of_recipient(&self) -> String {
        self.looking(Under::of_client(EHR, Some(Purpose::Treatment)), "system/*.rs", None)
    }

    /// The token of a person (`Patient/…`, `RelatedPerson/…`) about a patient.
    pub(crate) fn of_person(&self, user: &str, patient: &str) -> String {
        let user: FhirUser = user.parse().unwrap();
        let principal = Principal {
            patient: Some(patient.strip_prefix("Patient/").unwrap_or(patient).parse().unwrap()),
            under: Under::of_person(&user),
            fhir_user: Some(user),
            ..Principal::new("hv".parse().unwrap(), "portal", "patient/*.rs patient/AuditEvent.rs")
        };
        self.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap().0
    }

    /// Asks with a token.
    pub(crate) async fn by_token(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }

    /// Every resource that a token finds by searching, as `Type/id`, with its JSON.
    pub(crate) async fn all_of(&self, token: &str) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        for name in param::served().filter(|name| param::search_type(name).is_some()) {
            let answer = self.by_token(token, &format!("{name}?_count=1000")).await;
            for entry in answer.json()["entry"].as_array().into_iter().flatten() {
                let resource = &entry["resource"];
                let id = resource["id"].as_str().unwrap();
                all.insert(format!("{name}/{id}"), resource.clone());
            }
        }
        all
    }
}

/// The key of the one resource of a type that holds this text.
pub(crate) fn holding(all: &BTreeMap<String, Value>, name: &str, text: &str) -> String {
    let is_it = |(key, resource): &(&String, &Value)| {
        key.split('/').next() == Some(name) && resource.to_string().contains(text)
    };
    let found: Vec<_> = all.iter().filter(is_it).map(|(key, _)| key).collect();
    assert_eq!(found.len(), 1, "{name} with {text}: {found:?}");
    found[0].clone()
}
