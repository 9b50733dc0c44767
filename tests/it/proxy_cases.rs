//! The cases of minors, representatives and time that break naive implementations, by their numbers in
//! the list of cases, over HTTP.

use serde_json::{Value, json};
use throughline::app::Config;

use crate::privacy_cases::Hands;
use crate::support::charts::{
    client, diagnosis, form, guardian, holding, note, release, staff, take_in, with,
};
use crate::support::desk::{about, record};
use crate::support::server::{Server, spawn_as_new, spawn_at};

/// A client with a diagnosis and somebody who acts for them.
fn family(number: usize, about: Value, party: Value) -> Vec<Value> {
    let id = format!("cl_{number}");
    let born = with(client(&id, &format!("Case{number}x")), about);
    let kin = with(guardian(&id, &format!("Kin{number}x")), party);
    vec![born, diagnosis(&id, &format!("dx_{number}"), "F41.1"), kin]
}

/// Whether whoever acts for the client of a case sees a resource of this type.
async fn is_seen(server: &Server, number: usize, name: &str) -> bool {
    let own = server.all_of(&server.token).await;
    let patient = holding(&own, "Patient", &format!("Case{number}x"));
    let kin = holding(&own, "RelatedPerson", &format!("Kin{number}x"));
    let theirs = server.all_of(&server.of_person(&kin, &patient)).await;
    theirs.keys().any(|key| key.split('/').next() == Some(name))
}

fn born(on: &str) -> Value {
    json!({"birth_date": on})
}

#[expect(clippy::needless_pass_by_value, reason = "a literal reads better without a borrow")]
fn minor(facts: Value) -> Value {
    json!({"birth_date": "2016-03-08", "minor": facts})
}

fn by(kind: &str) -> Value {
    json!({"authority": [{"type": kind, "scope": "all", "from": "2012-05-01", "evidence_ref": "x"}]})
}

/// 31, 32, 33, 37, 50: who acts for whom, as the law and the orders stand.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_acts_for_a_client_sees_what_their_right_reaches_and_no_more() {
    let none = json!({});
    let dead = json!({"birth_date": "1950-03-08", "deceased": true, "deceased_on": "2026-01-05"});
    let barred = json!({"restrictions": [{"kind": "no_records", "from": "2025-02-01"}]});
    let custody = json!({"restrictions": [{"kind": "custody_order", "from": "2025-02-01"}]});
    let alone = json!(["outpatient_mental_health"]);
    let cases = [
        ("a parent of a child of ten", born("2016-03-08"), none.clone(), true),
        ("31: who is a child whatever the day", born("2016"), none.clone(), true),
        ("31: who may be a child, and may not", born("2008"), none.clone(), false),
        (
            "32: who was set free by a court",
            minor(json!({"emancipated": true})),
            none.clone(),
            false,
        ),
        ("32: who decides alone", minor(json!({"consent_capacity": "self"})), none.clone(), false),
        (
            "32: who consented alone",
            minor(json!({"self_consented_services": alone})),
            none.clone(),
            false,
        ),
        ("33: a father who may have no records", born("2016-03-08"), barred, false),
        ("33: a dispute about custody", born("2016-03-08"), custody, false),
        ("37: an executor", dead.clone(), by("court_order"), true),
        (
            "37: an attorney, whose power ended with the life",
            dead.clone(),
            by("healthcare_poa"),
            false,
        ),
        ("37: a parent of the dead", dead, none.clone(), false),
        ("50: the guardian of an adult", born("1990-03-08"), none, false),
    ];
    let server = spawn_as_new(Config::default());
    let mut records = staff();
    for (number, (_, about, party, _)) in cases.iter().enumerate() {
        records.extend(family(number, about.clone(), party.clone()));
    }
    take_in(&server, &records);
    for (number, (case, _, _, expected)) in cases.iter().enumerate() {
        assert_eq!(is_seen(&server, number, "Condition").await, *expected, "{case}");
    }
}

/// 31: who was born on 29 February comes of age on 1 March.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_born_on_the_last_of_february_comes_of_age_on_the_first_of_march() {
    let hands = Hands::at("2026-02-28T23:59:59-07:00");
    let server = spawn_at(Config::default(), hands.clone());
    let mut records = staff();
    records.extend(family(1, born("2008-02-29"), json!({})));
    take_in(&server, &records);
    for (instant, expected) in
        [("2026-02-28T23:59:59.5-07:00", true), ("2026-03-01T00:00:00-07:00", false)]
    {
        hands.put(instant);
        assert_eq!(is_seen(&server, 1, "Patient").await, expected, "{instant}");
    }
}

/// 34, 35, 38: what of people never leaves.
#[tokio::test(flavor = "multi_thread")]
async fn an_unsafe_number_an_old_name_and_a_note_without_its_cosigner_do_not_leave() {
    let server = spawn_as_new(Config::default());
    let mut records = staff();
    let mut intern = records.iter().find(|one| one["kind"] == "staff").unwrap().clone();
    intern["id"] = json!("st_9");
    intern["data"]["roles"][0]["role"] = json!("intern");
    records.push(intern);
    let unsafe_number =
        json!([{"kind": "phone", "value": "+17205550199", "safe_to_contact": false}]);
    records.extend(family(
        1,
        born("2016-03-08"),
        json!({
            "emergency_contact": true, "telecom": unsafe_number
        }),
    ));
    let pending =
        with(note("cl_1", "note_1", "progress", "cosign_pending"), json!({"author_id": "st_9"}));
    let signed = with(note("cl_1", "note_2", "progress", "signed"), json!({"author_id": "st_9"}));
    records.extend([pending, signed]);
    let all = ["client", "session_note"];
    records.extend([form("cl_1", "con_1"), release("cl_1", "con_1", &all)]);
    take_in(&server, &records);
    let own = server.all_of(&server.token).await;
    assert!(!serde_json::to_string(&own).unwrap().contains("17205550199"), "34");
    let theirs = server.all_of(&server.of_recipient()).await;
    let notes = theirs.keys().filter(|key| key.starts_with("DocumentReference/")).count();
    assert!(notes >= 1, "38: what an intern wrote and signed goes out");
    let pending = own.iter().filter(|(key, one)| {
        key.starts_with("DocumentReference/") && one["docStatus"] == "preliminary"
    });
    for (key, _) in pending {
        assert!(!theirs.contains_key(key), "38: what waits for a cosigner does not: {key}");
    }
    let named = own.iter().filter(|(key, _)| key.starts_with("Practitioner/"));
    for (key, one) in named {
        assert!(one["identifier"].as_array().is_some_and(|all| !all.is_empty()), "38: {key}");
    }
}

fn episode(client: &str, id: &str, status: &str, until: Option<&str>) -> Value {
    let mut data =
        json!({"client_id": client, "from": "2026-01-10T09:00:00-07:00", "status": status});
    if let Some(until) = until {
        data["to"] = json!(until);
        data["discharge"] = json!({"reason": "completed", "date": until.get(..10).unwrap()});
    }
    about(client, record("episode", id, 1, data))
}

/// 42, 48: an end that was put on record later, and a form from before the rule.
#[tokio::test(flavor = "multi_thread")]
async fn a_treatment_that_ended_earlier_and_an_old_form_hold_nothing_open() {
    let server = spawn_as_new(Config::default());
    let mut records = staff();
    let until_end = json!({"expires": {"event": "end of treatment"}});
    for (number, status, until) in
        [(1, "active", None), (2, "finished", Some("2026-05-01T09:00:00-06:00"))]
    {
        let id = format!("cl_{number}");
        records.extend([
            client(&id, &format!("Case{number}x")),
            diagnosis(&id, &format!("dx_{number}"), "F41.1"),
        ]);
        let con = format!("con_{number}");
        records
            .extend([form(&id, &con), with(release(&id, &con, &["diagnosis"]), until_end.clone())]);
        records.push(episode(&id, &format!("ep_{number}"), status, until));
    }
    let complete = json!({
        "revocation_right": true, "refusal_consequences": true, "redisclosure_statement": true,
        "elements_version": "2024"
    });
    for (number, signed, elements) in [
        (3, "2026-02-20T09:00:00-07:00", None),
        (4, "2026-02-10T09:00:00-07:00", None),
        (5, "2026-02-20T09:00:00-07:00", Some(complete)),
    ] {
        let id = format!("cl_{number}");
        let mut of_program = diagnosis(&id, &format!("dx_{number}"), "F10.20");
        of_program["part2"] = json!(true);
        records.extend([client(&id, &format!("Case{number}x")), of_program]);
        let con = format!("con_{number}");
        let mut consent = with(
            release(&id, &con, &["diagnosis"]),
            json!({
                "type": "part2_disclosure", "signed_at": signed
            }),
        );
        if let Some(elements) = elements {
            consent["data"]["part2_elements"] = elements;
        }
        records.extend([form(&id, &con), consent]);
    }
    take_in(&server, &records);
    let own = server.all_of(&server.token).await;
    let theirs = server.by_token(&server.of_recipient(), "Condition?_count=100").await.json();
    let seen: Vec<&Value> =
        theirs["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]).collect();
    for (number, case, expected) in [
        (1, "42: while the treatment lasts", true),
        (2, "42: once it is on record that it had ended", false),
        (3, "48: signed after the rule on a form from before", false),
        (4, "48: the same form signed before", true),
        (5, "48: a form with every statement", true),
    ] {
        let patient = holding(&own, "Patient", &format!("Case{number}x"));
        let is_there = seen.iter().any(|one| one["subject"]["reference"] == patient.as_str());
        assert_eq!(is_there, expected, "{case}");
    }
}
