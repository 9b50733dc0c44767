//! The pre-steps over a small practice that is held in memory.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Derivation, Neighbours, Tables, View, Warning, labels, links, views};
use crate::domain::{IdKey, Kind, Op, Record, TenantIds};

/// Records in memory.
#[derive(Default)]
struct Practice(Vec<Arc<Record>>);

impl Practice {
    fn with(mut self, kind: Kind, id: &str, data: Value) -> Self {
        self.0.push(Arc::new(record(kind, id, data)));
        self
    }

    fn views(&self, kind: Kind, id: &str) -> (Vec<Value>, Vec<Warning>) {
        let record = self.get(kind, id).expect("the record");
        let (views, warnings) = views(&record, &derivation(self, &ids()));
        let read = |view: &View| serde_json::from_slice(&view.input).expect("JSON");
        (views.iter().map(read).collect(), warnings)
    }

    fn only(&self, kind: Kind, id: &str) -> Value {
        self.views(kind, id).0.into_iter().next().expect("a view")
    }
}

impl Neighbours for Practice {
    fn get(&self, kind: Kind, id: &str) -> Option<Arc<Record>> {
        self.0.iter().find(|record| record.kind == kind && record.id == id).cloned()
    }

    fn referring(&self, kind: Kind, to: Kind, id: &str) -> Vec<Arc<Record>> {
        let refers = |record: &&Arc<Record>| {
            record.kind == kind && links(record).contains(&(to, id.to_owned()))
        };
        self.0.iter().filter(refers).cloned().collect()
    }

    fn organization(&self) -> Option<Arc<Record>> {
        self.0.iter().find(|record| record.kind == Kind::Organization).cloned()
    }
}

fn derivation<'a>(practice: &'a Practice, ids: &'a TenantIds) -> Derivation<'a> {
    static TABLES: std::sync::OnceLock<Tables> = std::sync::OnceLock::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let tables = TABLES.get_or_init(|| Tables::load(&folder).expect("the tables"));
    Derivation { neighbours: practice, ids, base: "https://gw.example", tables }
}

fn ids() -> TenantIds {
    IdKey::new(&[7; 32]).tenant(&"hv".parse().expect("a tenant"))
}

fn record(kind: Kind, id: &str, data: Value) -> Record {
    let client = |name: &str| data.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let mut client_ids: Vec<String> = client("client_id").into_iter().collect();
    client_ids.extend(super::field::texts(&data, "client_ids").map(ToOwned::to_owned));
    Record {
        tenant: "hv".parse().expect("a tenant"),
        kind,
        id: id.to_owned(),
        version: 1,
        op: Op::Upsert,
        occurred_at: None,
        recorded_at: None,
        updated_at: "2026-11-02T12:00:00Z".parse().expect("an instant"),
        tz: None,
        client_ids,
        labels: Vec::new(),
        part2: None,
        data,
    }
}

fn practice() -> Practice {
    let name = json!({ "family": "Ruiz", "given": ["Marisol"] });
    Practice::default()
        .with(Kind::Organization, "org_1", json!({ "name": "Harborview", "active": true }))
        .with(Kind::Staff, "st_2", json!({ "name": name, "active": true }))
        .with(Kind::Client, "cl_7", json!({ "names": [name], "status": "active" }))
        .with(Kind::Client, "cl_8", json!({ "names": [name], "status": "active" }))
}

fn codes(record: &Record, practice: &Practice) -> Vec<String> {
    let labels = labels::of(record, &derivation(practice, &ids()));
    labels.into_iter().map(|label| label.code).collect()
}

#[test]
fn a_couple_gets_two_appointments_that_share_no_identifier_and_name_no_partner() {
    let practice = practice().with(Kind::Appointment, "ap_1", couple());
    let (views, _) = practice.views(Kind::Appointment, "ap_1");
    let [first, second] = views.as_slice() else { panic!("{} views", views.len()) };
    let identifier = |view: &Value| view["derived"]["identifier_value"].clone();
    assert_ne!(identifier(first), identifier(second));
    assert_eq!(first["client_ids"], json!(["cl_7"]));
    assert_eq!(first["data"]["client_ids"], json!(["cl_7"]));
    assert!(!first.to_string().contains("cl_8"));
}

#[test]
fn whoever_stayed_away_from_a_group_did_not_show_up_although_the_group_met() {
    let attendance = json!([
        { "client_id": "cl_7", "status": "attended" },
        { "client_id": "cl_8", "status": "no_show" },
    ]);
    let practice = practice().with(Kind::Appointment, "ap_1", couple()).with(
        Kind::SessionLog,
        "ses_1",
        json!({ "attendance": attendance }),
    );
    let (views, _) = practice.views(Kind::Appointment, "ap_1");
    let status: Vec<_> = views.iter().map(|view| &view["derived"]["status"]).collect();
    assert_eq!(status, ["fulfilled", "no_show"]);
}

#[test]
fn what_is_about_a_client_nobody_knows_waits_with_a_warning() {
    let practice = practice().with(Kind::Episode, "ep_1", json!({ "client_id": "cl_99" }));
    let (views, warnings) = practice.views(Kind::Episode, "ep_1");
    assert!(views.is_empty());
    assert_eq!(warnings.first().map(|w| w.code), Some("client_unknown"));
}

#[test]
fn an_emergency_contact_with_an_unsafe_number_is_never_named() {
    let related = |unsafe_number: bool| {
        json!({
            "client_id": "cl_7", "name": { "family": "Okafor" }, "relationship": "partner",
            "emergency_contact": true,
            "telecom": [{ "kind": "phone", "value": "1", "safe_to_contact": !unsafe_number }],
        })
    };
    let safe = practice().with(Kind::RelatedParty, "rp_1", related(false));
    let contacts = safe.only(Kind::Client, "cl_7")["derived"]["contacts"].clone();
    assert_eq!(contacts[0]["name"]["family"], "Okafor");
    let abuser = practice().with(Kind::RelatedParty, "rp_1", related(true));
    assert_eq!(abuser.only(Kind::Client, "cl_7")["derived"]["contacts"], json!([]));
}

#[test]
fn a_guardian_without_evidence_is_not_a_related_person() {
    let related = |evidence: Value| {
        json!({
            "client_id": "cl_7", "name": { "family": "Okafor" }, "relationship": "guardian",
            "authority": [{ "type": "legal_guardian", "evidence_ref": evidence }],
        })
    };
    let without = practice().with(Kind::RelatedParty, "rp_1", related(Value::Null));
    assert!(without.views(Kind::RelatedParty, "rp_1").0.is_empty());
    let with = practice().with(Kind::RelatedParty, "rp_1", related(json!("att_1")));
    assert_eq!(with.only(Kind::RelatedParty, "rp_1")["derived"]["relationship"], "guardian");
}

#[test]
fn a_care_team_has_those_assigned_whom_we_know() {
    let assigned =
        |staff: &str| json!({ "client_id": "cl_7", "staff_id": staff, "role": "primary" });
    let alone = practice().with(Kind::Assignment, "as_1", assigned("st_99"));
    assert_eq!(alone.views(Kind::Client, "cl_7").0.len(), 1);
    let team = alone.with(Kind::Assignment, "as_2", assigned("st_2"));
    let (views, _) = team.views(Kind::Client, "cl_7");
    let participants = views[1]["derived"]["participants"].as_array().expect("participants");
    assert_eq!(participants.len(), 1);
    assert_eq!(views[1]["derived"]["labels"][0]["code"], "R");
}

#[test]
fn labels_rise_with_the_code_and_with_what_the_platform_says_and_never_fall() {
    let practice = practice();
    let diagnosis = |code: &str| {
        record(Kind::Diagnosis, "dx_1", json!({ "client_id": "cl_7", "code": { "code": code } }))
    };
    assert_eq!(codes(&diagnosis("F41.0"), &practice), ["R", "PSY", "BH", "PERSISTLABEL"]);
    let alcohol = codes(&diagnosis(" f10.20"), &practice);
    assert_eq!(alcohol, ["R", "PSY", "BH", "PERSISTLABEL", "SUD", "ETH", "ETHUD"]);
    assert!(!codes(&diagnosis("F17.210"), &practice).contains(&"SUD".to_owned()));

    let mut asserted = diagnosis("F41.0");
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    for code in ["N", "U"] {
        asserted.labels = vec![crate::domain::Coding {
            system: confidentiality.to_owned(),
            code: code.to_owned(),
        }];
        assert_eq!(codes(&asserted, &practice).first().map(String::as_str), Some("R"));
    }
    for code in ["V", "nonsense"] {
        asserted.labels[0].code = code.to_owned();
        assert_eq!(codes(&asserted, &practice).first().map(String::as_str), Some("V"));
    }
}

#[test]
fn what_originates_in_a_part_2_program_says_so_unless_the_platform_knows_better() {
    let program = json!({ "name": "Recovery", "active": true, "part2_program": true });
    let practice = practice().with(Kind::Organization, "org_2", program);
    let data = json!({ "client_id": "cl_7", "program_unit_id": "org_2" });
    let mut episode = record(Kind::Episode, "ep_1", data);
    assert!(codes(&episode, &practice).contains(&"42CFRPart2".to_owned()));
    episode.part2 = Some(false);
    assert!(!codes(&episode, &practice).contains(&"42CFRPart2".to_owned()));
}

fn couple() -> Value {
    json!({
        "client_ids": ["cl_7", "cl_8"], "staff_ids": ["st_2"], "status": "fulfilled",
        "session_id": "ses_1", "type": "couple", "modality": "video",
        "starts_at": "2026-07-15T17:00:00-06:00", "ends_at": "2026-07-15T17:50:00-06:00",
    })
}
