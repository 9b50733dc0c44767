//! Breaking the glass: what a clinician sees in an emergency, what never, and what becomes of it.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::audit::Actor;
use throughline::audit::emergencies::{emergencies, review};
use throughline::clock::{Clock, SystemClock};
use throughline::policy::AuditPermit;
use throughline::smart::Approval;

use crate::support::charts::{
    client, diagnosis, form, guardian, holding, message, note, release, session, staff, take_in,
    with,
};
use crate::support::postgres;
use crate::support::server::{Answer, Server, spawn_as_new};
use crate::support::smart::{self, approval, parameter};

const REASON: &str = "She called and said that she will not be there tomorrow";
const USER: &str = "user/*.rs fhirUser openid";

fn records() -> Vec<Value> {
    let mut all = staff();
    all.extend([client("cl_1", "Adult"), diagnosis("cl_1", "dx_1", "F41.1")]);
    for day in 1..=5 {
        let mut one = session(&["cl_1"], &format!("ses_{day}"));
        let (start, end) =
            (format!("2026-06-0{day}T17:00:00Z"), format!("2026-06-0{day}T17:50:00Z"));
        one["data"]["scheduled_start"] = json!(start);
        one["data"]["scheduled_end"] = json!(end);
        for there in one["data"]["presence"].as_array_mut().unwrap() {
            there["joined_at"] = json!(start);
            there["left_at"] = json!(end);
        }
        all.push(one);
    }
    all.push(note("cl_1", "note_1", "progress", "signed"));
    all.push(note("cl_1", "psy_1", "psychotherapy", "signed"));
    all.extend([message("cl_1", "msg_1"), guardian("cl_1", "rp_1")]);
    all.extend([form("cl_1", "con_1"), release("cl_1", "con_1", &["diagnosis"])]);
    let mut part2 = diagnosis("cl_1", "dx_2", "F10.20");
    part2["part2"] = json!(true);
    all.push(part2);
    all.push(with(diagnosis("cl_1", "dx_old", "F32.1"), json!({"status": "resolved"})));
    all.extend([client("cl_2", "Other"), diagnosis("cl_2", "dx_3", "F40.1")]);
    all
}

fn practice() -> Server {
    let mut clients = smart::clients();
    for one in &mut clients {
        one.scopes = format!("{} user/Patient.rs", smart::SCOPES);
    }
    let server = spawn_as_new(Config { clients, ..Config::default() });
    take_in(&server, &records());
    server
}

/// A token of somebody who signed in at an instant.
async fn token(server: &Server, user: &str, scopes: &str, signed_in: Timestamp) -> String {
    let request = smart::request(server, scopes);
    let begun = server.begin(&request).await;
    let given = Approval {
        fhir_user: user.parse().unwrap(),
        patient: None,
        proven: Some(signed_in),
        ..approval(scopes)
    };
    let back = server.approve(&begun, given).await;
    let answer = server.redeem(&parameter(&back, "code").unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn open(server: &Server, token: &str, patient: &str, purpose: &str, reason: &str) -> Answer {
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "purpose", "valueCode": purpose}, {"name": "reason", "valueString": reason}
    ]});
    let request =
        server.request(Method::POST, &format!("{patient}/$break-glass")).bearer_auth(token);
    let request = request.header("Content-Type", "application/fhir+json").body(body.to_string());
    server.send(request).await
}

struct Scene {
    server: Server,
    patient: String,
    therapist: String,
}

async fn scene() -> Scene {
    let server = practice();
    let all = server.all_of(&server.token).await;
    let patient = holding(&all, "Patient", "Adult");
    let therapist = all.keys().find(|key| key.starts_with("Practitioner/")).unwrap().clone();
    Scene { server, patient, therapist }
}

fn uses(server: &Server) -> Vec<throughline::audit::emergencies::Use> {
    let permit = AuditPermit::operator("hv".parse().unwrap());
    emergencies(&**server.app.audit().ledger(), &permit, 3).unwrap()
}

#[tokio::test]
async fn a_clinician_sees_what_an_emergency_needs_and_never_what_was_said() {
    let Scene { server, patient, therapist } = scene().await;
    let token = token(&server, &therapist, USER, SystemClock.now()).await;
    let before = server.by_token(&token, &patient).await;
    assert_eq!(before.status, 404, "she is not in the caseload");
    let opened = open(&server, &token, &patient, "BTG", REASON).await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    let bundle = opened.json();
    let entries = bundle["entry"].as_array().unwrap();
    let of = |name: &str| {
        let is_one = |entry: &&Value| entry["resource"]["resourceType"] == name;
        entries.iter().filter(is_one).map(|entry| &entry["resource"]).collect::<Vec<_>>()
    };
    assert_eq!(of("Patient").len(), 1);
    assert_eq!(of("RelatedPerson").len(), 1);
    assert_eq!(of("Encounter").len(), 3, "the last three");
    let last: Vec<_> =
        of("Encounter").iter().map(|one| one["period"]["start"].to_string()).collect();
    assert!(
        last.iter().all(|start| !start.contains("06-01T") && !start.contains("06-02T")),
        "{last:?}"
    );
    assert_eq!(of("Condition").len(), 2, "what she has, also of the program (42 CFR 2.51)");
    for hidden in ["DocumentReference", "Communication", "Binary", "Consent", "Observation"] {
        assert!(of(hidden).is_empty(), "{hidden}");
    }
    assert!(!opened.text.contains("What was said") && !opened.text.contains("See the diary"));
    let security = bundle["meta"]["security"].to_string();
    assert!(security.contains("BTG"), "the watermark: {security}");
    let after = server.by_token(&token, &patient).await;
    assert_eq!(after.status, 404, "it is over with the answer");
}

#[tokio::test]
async fn nobody_breaks_a_glass_without_a_reason_a_fresh_login_and_a_clinicians_part() {
    let Scene { server, patient, therapist } = scene().await;
    let now = SystemClock.now();
    let old = token(&server, &therapist, USER, now - SignedDuration::from_mins(16)).await;
    let stale = open(&server, &old, &patient, "BTG", REASON).await;
    assert_eq!(stale.refusal().0, 401);
    assert!(stale.header("www-authenticate").contains("insufficient_user_authentication"));
    let fresh = token(&server, &therapist, USER, now).await;
    for (purpose, reason, status) in [
        ("BTG", "because", 400),
        ("BTG", "                                        ", 400),
        ("BTG", "a reason that\nhas a line of its own", 400),
        ("TREAT", REASON, 400),
        ("XYZ", REASON, 400),
    ] {
        let answer = open(&server, &fresh, &patient, purpose, reason).await;
        assert_eq!(answer.refusal().0, status, "{purpose} {reason:?}");
        assert!(!answer.text.contains("because"), "no words of theirs come back");
    }
    let nobody = "Patient/00000000000000000000000000000000";
    assert_eq!(open(&server, &fresh, nobody, "BTG", REASON).await.refusal().0, 404);
    let theirs = token(&server, &patient, USER, now);
    for (token, what) in [
        (token(&server, &therapist, "user/Condition.rs openid fhirUser", now).await, "no patients"),
        (theirs.await, "the patient"),
        (
            token(&server, "Practitioner/00000000000000000000000000000000", USER, now).await,
            "a stranger",
        ),
        (server.of_recipient(), "a recipient"),
        (server.token.clone(), "a system"),
    ] {
        assert_eq!(open(&server, &token, &patient, "BTG", REASON).await.refusal().0, 403, "{what}");
    }
    let mut admin = staff().into_iter().find(|one| one["kind"] == "staff").unwrap();
    let id = admin["id"].clone();
    admin["version"] = json!(9);
    admin["data"]["roles"][0]["role"] = json!("admin");
    take_in(&server, &[admin]);
    let key = server.app.keys().id_key().tenant(&"hv".parse().unwrap());
    let user = key.id(throughline::domain::Kind::Staff, id.as_str().unwrap());
    let token = token(&server, &format!("Practitioner/{user}"), USER, now).await;
    assert_eq!(open(&server, &token, &patient, "BTG", REASON).await.refusal().0, 403, "the office");
    assert!(uses(&server).is_empty(), "nothing was opened");
}

#[tokio::test]
async fn each_use_is_written_down_alerts_and_is_reviewed() {
    let Scene { server, patient, therapist } = scene().await;
    let token = token(&server, &therapist, USER, SystemClock.now()).await;
    assert_eq!(open(&server, &token, &patient, "ETREAT", REASON).await.status, 200);
    assert_eq!(open(&server, &token, &patient, "BTG", REASON).await.status, 200);
    assert_eq!(server.metric("break_glass_total"), 2);
    let found = uses(&server);
    assert_eq!(found.len(), 2);
    let one = &found[0];
    assert_eq!(
        (one.purpose.as_str(), one.reason.as_str(), one.review.clone()),
        ("BTG", REASON, None)
    );
    assert_eq!(format!("Patient/{}", one.patient), patient);
    assert_eq!(one.user, therapist);
    assert_eq!(one.due, one.at + SignedDuration::from_hours(72));
    // The patient sees that it was, and not what was written about it.
    let own = server.of_person(&patient, &patient);
    let seen = server.by_token(&own, "AuditEvent?subtype=110127").await;
    assert_eq!(seen.ids().len(), 2, "{}", seen.text);
    assert!(!seen.text.contains(REASON));
    let event = server.get("AuditEvent?subtype=110127&_count=1").await.text;
    assert!(event.contains("BTG"), "the purpose is coded: {event}");
    let audit = server.app.audit().clone();
    let (id, tenant) = (one.id.clone(), "hv".parse().unwrap());
    let said = move |id: String, verdict| {
        let who = Actor { user: Some("the privacy officer".to_owned()), ..Actor::operator() };
        review(&audit, &tenant, &id, verdict, (who, SystemClock.now()))
    };
    let first = said.clone();
    let of_use = id.clone();
    let done = tokio::task::spawn_blocking(move || first(of_use, (false, "No need was found")));
    done.await.unwrap().unwrap();
    let none = tokio::task::spawn_blocking(move || said("0".repeat(32), (true, ""))).await.unwrap();
    assert!(none.is_err(), "there is no such use");
    let found = uses(&server);
    let reviewed = found.iter().find(|one| one.id == id).unwrap().review.clone().unwrap();
    assert_eq!((reviewed.is_justified, reviewed.words.as_str()), (false, "No need was found"));
    assert_eq!(found.iter().filter(|one| one.review.is_none()).count(), 1);
}

/// The same over PostgreSQL.
#[test]
fn all_of_it_holds_over_a_database_too() {
    postgres::again(&[
        a_clinician_sees_what_an_emergency_needs_and_never_what_was_said,
        nobody_breaks_a_glass_without_a_reason_a_fresh_login_and_a_clinicians_part,
    ]);
}
