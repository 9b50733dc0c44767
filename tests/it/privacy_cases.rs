//! The cases of people and consents that break naive implementations, by their numbers in the list
//! of cases, over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::clock::Clock;
use throughline::config::Sources;

use crate::support::charts::{
    client, diagnosis, form, holding, message, next, note, release, session, staff, take_in, with,
};
use crate::support::server::{spawn_at, spawn_with};

/// A clock that stands where it is put.
pub(crate) struct Hands(AtomicI64);

impl Hands {
    pub(crate) fn at(instant: &str) -> Arc<Self> {
        let hands = Self(AtomicI64::new(0));
        hands.put(instant);
        Arc::new(hands)
    }

    pub(crate) fn put(&self, instant: &str) {
        let instant: Timestamp = instant.parse().unwrap();
        self.0.store(instant.as_microsecond(), Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// 39, 43: what a consent says of time holds to the instant, on the practice's wall.
#[tokio::test(flavor = "multi_thread")]
async fn a_consent_holds_to_the_very_instant_of_its_end() {
    let hands = Hands::at("2026-06-10T09:00:00-06:00");
    let server = spawn_at(Config::default(), hands.clone());
    let mut records = staff();
    for (id, family) in [("cl_1", "Revoked"), ("cl_2", "Expires")] {
        records.extend([client(id, family), diagnosis(id, &format!("dx_{id}"), "F41.1")]);
        records.push(form(id, &format!("con_{id}")));
    }
    let at = "2026-06-10T10:00:00.500-06:00";
    records.push(with(
        release("cl_1", "con_cl_1", &["diagnosis"]),
        json!({
            "status": "revoked", "revocations": [{"at": at, "scope": "all"}]
        }),
    ));
    let last = json!({"expires": {"date": "2026-06-10"}});
    records.push(with(release("cl_2", "con_cl_2", &["diagnosis"]), last));
    take_in(&server, &records);
    for (instant, revoked, expires) in [
        ("2026-06-10T10:00:00.499-06:00", true, true),
        ("2026-06-10T10:00:00.500-06:00", false, true),
        ("2026-06-10T10:00:00.501-06:00", false, true),
        ("2026-06-10T23:59:59.999-06:00", false, true),
        ("2026-06-11T00:00:00-06:00", false, false),
    ] {
        hands.put(instant);
        let found = server.all_of(&server.of_recipient()).await;
        let is_there = |family: &str| found.values().any(|one| one["name"][0]["family"] == family);
        assert_eq!((is_there("Revoked"), is_there("Expires")), (revoked, expires), "{instant}");
    }
}

/// 26, 27, 28, 63, 64: what several people share is of each by themself.
#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_couple_and_a_group_are_absent_from_each_others_records() {
    let server = spawn_with(|_| Sources::default());
    let mut records = staff();
    let people = ["cl_1", "cl_2", "cl_3", "cl_4", "cl_5"];
    records.extend(people.map(|id| client(id, &format!("ZZNAME{id}"))));
    records.push(session(&["cl_1", "cl_2"], "ses_couple"));
    records.push(session(&["cl_3", "cl_4", "cl_5"], "ses_group"));
    let spans = json!([{"section": "n", "start": 0, "end": 9, "kind": "partner"}]);
    let text = json!([{"key": "n", "title": "Note", "text": "ZZPARTNER was angry"}]);
    let about = json!({"sections": text, "third_party_spans": spans, "session_id": "ses_couple"});
    records.push(with(note("cl_1", "note_1", "progress", "signed"), about));
    for id in ["cl_3", "cl_4"] {
        let con = format!("con_{id}");
        records.extend([form(id, &con), release(id, &con, &["session_log"])]);
    }
    take_in(&server, &records);
    let own = server.all_of(&server.token).await;
    let one = holding(&own, "Patient", "ZZNAMEcl_1");
    let token = server.of_person(&one, &one);
    let mine = server.all_of(&token).await;
    let mut text = serde_json::to_string(&mine).unwrap();
    for key in mine.keys().filter(|key| key.starts_with("DocumentReference/")) {
        for attachment in mine[key]["content"].as_array().into_iter().flatten() {
            let url = attachment["attachment"]["url"].as_str().unwrap();
            let request = server.request(reqwest::Method::GET, url).bearer_auth(&token);
            let raw = server.send(request.header("Accept", "text/plain")).await;
            text += &raw.text;
        }
    }
    assert!(text.contains("[redacted"), "the note is there: {text}");
    for hidden in ["ZZPARTNER", "ZZNAMEcl_2", "ses_couple", "cl_2"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let theirs = server.all_of(&server.of_recipient()).await;
    let encounters: Vec<&Value> = theirs
        .iter()
        .filter(|(key, _)| key.starts_with("Encounter/"))
        .map(|(_, one)| one)
        .collect();
    assert_eq!(encounters.len(), 2, "two of the group released theirs");
    assert_ne!(encounters[0]["identifier"], encounters[1]["identifier"]);
    let text = serde_json::to_string(&theirs).unwrap();
    assert!(!text.contains("cl_5") && !text.contains("ses_group"), "{text}");
}

fn base(id: &str) -> Value {
    release(id, &format!("con_{id}"), &["diagnosis"])
}

fn deny(id: &str, at: &str) -> Value {
    let no = release(id, &format!("no_{id}"), &["diagnosis"]);
    with(no, json!({"decision": "deny", "signed_at": at}))
}

fn other(id: &str) -> Value {
    let recipient = json!({
        "kind": "org", "name": "Another Clinic", "fhir_client_ids": ["ehr-other"]
    });
    let wider = release(id, &format!("other_{id}"), &["message", "diagnosis"]);
    with(wider, json!({"recipients": [recipient]}))
}

#[expect(clippy::needless_pass_by_value, reason = "a literal reads better without a borrow")]
fn to(id: &str, recipient: Value) -> Value {
    with(base(id), json!({"recipients": [recipient]}))
}

/// What a client signed.
type Signed = Box<dyn Fn(&str) -> Vec<Value>>;

/// What a recipient sees of a client's diagnosis and message, by what the client signed.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_was_signed_opens_what_it_says_and_no_more() {
    let cases: Vec<(&str, Signed, bool)> = vec![
        ("44: another recipient's wider release", Box::new(|id| vec![base(id), other(id)]), true),
        ("44: another recipient's release alone", Box::new(|id| vec![other(id)]), false),
        ("45: a newer no", Box::new(|id| vec![base(id), deny(id, "2026-05-01T00:00:00Z")]), false),
        (
            "45: a no of the same instant",
            Box::new(|id| vec![base(id), deny(id, "2026-02-01T09:00:00-07:00")]),
            false,
        ),
        (
            "46: psychotherapy notes listed too",
            Box::new(|id| {
                vec![with(
                    base(id),
                    json!({
                        "scope": {"kinds": ["diagnosis"], "note_classes": ["psychotherapy"], "description": "x"}
                    }),
                )]
            }),
            true,
        ),
        (
            "47: a class of recipients",
            Box::new(|id| {
                vec![to(
                    id,
                    json!({
                        "kind": "class", "name": "My treating providers"
                    }),
                )]
            }),
            false,
        ),
        (
            "54: a name that many have",
            Box::new(|id| {
                vec![to(
                    id,
                    json!({
                        "kind": "org", "name": "County Health"
                    }),
                )]
            }),
            false,
        ),
        (
            "55: another purpose",
            Box::new(|id| vec![with(base(id), json!({"purposes": ["pay"]}))]),
            false,
        ),
        (
            "56: another form than was signed",
            Box::new(|id| {
                vec![with(
                    base(id),
                    json!({
                        "evidence": {"attachment_id": format!("att_con_{id}"), "sha256": "0".repeat(64), "form_id": "ROI-CO"}
                    }),
                )]
            }),
            false,
        ),
        ("a draft", Box::new(|id| vec![with(base(id), json!({"status": "draft"}))]), false),
        (
            "not yet in force",
            Box::new(|id| vec![with(base(id), json!({"effective": {"from": "2098-01-01"}}))]),
            false,
        ),
        ("nobody said anything", Box::new(|_| Vec::new()), false),
    ];
    let server = spawn_with(|_| Sources::default());
    let mut records = staff();
    for (place, (_, signed, _)) in cases.iter().enumerate() {
        let id = format!("cl_{place}");
        records.push(client(&id, &format!("Family{place}x")));
        records.push(diagnosis(&id, &format!("dx_{place}"), "F41.1"));
        records.push(message(&id, &format!("msg_{place}")));
        records.push(note(&id, &format!("psy_{place}"), "psychotherapy", "signed"));
        records.push(form(&id, &format!("con_{id}")));
        records.push(form(&id, &format!("no_{id}")));
        records.push(form(&id, &format!("other_{id}")));
        records.extend(signed(&id));
    }
    take_in(&server, &records);
    let own = server.all_of(&server.token).await;
    let theirs = server.all_of(&server.of_recipient()).await;
    for (place, (case, _, expected)) in cases.iter().enumerate() {
        let patient = holding(&own, "Patient", &format!("Family{place}x"));
        let of_them = |name: &str| {
            theirs.iter().any(|(key, one)| {
                key.starts_with(name) && one["subject"]["reference"] == patient.as_str()
            })
        };
        assert_eq!(of_them("Condition/"), *expected, "{case}");
        assert!(!of_them("Communication/"), "{case}");
    }
}

/// 29, 49: a merge widens nothing, and what is put back is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_does_not_carry_a_consent_over_and_can_be_undone() {
    let server = spawn_with(|_| Sources::default());
    let mut records = staff();
    let duplicate = client("cl_2", "Twin");
    records.extend([client("cl_1", "Kept"), duplicate.clone()]);
    records.extend([diagnosis("cl_1", "dx_1", "F41.1"), diagnosis("cl_2", "dx_2", "F32.1")]);
    records.extend([form("cl_2", "con_2"), release("cl_2", "con_2", &["diagnosis"])]);
    take_in(&server, &records);
    let token = server.of_recipient();
    let codes = async || {
        let answer = server.by_token(&token, "Condition").await;
        let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
        let code = |entry: &Value| entry["resource"]["code"]["coding"][0]["code"].clone();
        entries.iter().map(code).collect::<Vec<_>>()
    };
    assert_eq!(codes().await, ["F32.1"]);
    let before = server.all_of(&token).await;
    let merged = json!({"merged_into": "cl_1", "status": "archived"});
    take_in(&server, &[next(with(duplicate.clone(), merged), 2)]);
    assert_eq!(codes().await, ["F32.1"], "what the survivor said of theirs is theirs to say");
    take_in(&server, &[next(duplicate, 3)]);
    let after = server.all_of(&token).await;
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
}
