//! The pre-steps of the clinical kinds over a practice in memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fixture::{Practice, record};
use super::{View, Warning, rejection};
use crate::domain::{Kind, Op, Record};

const ENCOUNTER: &str = "session-log-encounter";

fn presence(kind: &str, id: &str, joined: &str, left: Option<&str>) -> Value {
    let at = |time: &str| format!("2026-09-01T{time}:00Z");
    let mut row = json!({"who": {"kind": kind, "id": id}, "joined_at": at(joined)});
    if let Some(left) = left {
        row["left_at"] = at(left).into();
    }
    row
}

fn session(status: &str, rows: Value) -> Record {
    let data =
        json!({"format": "individual", "modality": "video", "status": status, "presence": rows});
    record(Kind::SessionLog, "ses_1", data)
}

fn met() -> Value {
    json!([
        presence("staff", "st_2", "10:00", Some("10:50")),
        presence("client", "cl_7", "10:00", Some("10:50")),
    ])
}

fn encounter_status(session: Record) -> Option<String> {
    let inputs = Practice::with([session]).inputs(Kind::SessionLog, "ses_1", ENCOUNTER);
    assert!(inputs.len() < 2);
    Some(inputs.first()?["derived"]["status"].as_str().unwrap().to_owned())
}

fn codes(warnings: &[Warning]) -> Vec<&'static str> {
    warnings.iter().map(|warning| warning.code).collect()
}

fn text_of(input: &Value) -> String {
    let data = STANDARD.decode(input["derived"]["text_data"].as_str().unwrap()).unwrap();
    String::from_utf8(data).unwrap()
}

fn all_bytes(views: &[(View, Value)]) -> String {
    views.iter().map(|(view, _)| String::from_utf8_lossy(&view.input).into_owned()).collect()
}

#[test]
fn only_sessions_that_took_place_become_encounters() {
    for status in ["scheduled", "no_show", "cancelled"] {
        assert_eq!(encounter_status(session(status, met())), None, "{status}");
    }
    assert_eq!(encounter_status(session("completed", met())).as_deref(), Some("completed"));
    assert_eq!(encounter_status(session("dropped", met())).as_deref(), Some("dropped"));
    let mut void = session("completed", met());
    void.op = Op::Void;
    assert_eq!(encounter_status(void).as_deref(), Some("void"));
}

#[test]
fn a_completed_session_with_somebody_still_there_is_in_progress() {
    let rows = json!([
        presence("staff", "st_2", "10:00", None),
        presence("client", "cl_7", "10:00", Some("10:50")),
    ]);
    let open = Practice::with([session("completed", rows)]);
    let input = open.inputs(Kind::SessionLog, "ses_1", ENCOUNTER).remove(0);
    assert_eq!(input["derived"]["status"], "in_progress");
    assert_eq!(input["derived"].get("end"), None);
}

#[test]
fn a_session_to_which_the_client_never_came_is_none() {
    let alone = json!([presence("staff", "st_2", "10:00", Some("10:50"))]);
    assert_eq!(encounter_status(session("completed", alone)), None);
    let passed_by = json!([
        presence("staff", "st_2", "10:00", Some("10:10")),
        presence("client", "cl_7", "10:10", Some("10:20")),
    ]);
    assert_eq!(encounter_status(session("completed", passed_by)), None);
}

#[test]
fn a_session_that_broke_down_counts_from_a_minute_on() {
    assert!(encounter_status(session("aborted_technical", met())).is_some());
    let short = json!([
        presence("staff", "st_2", "10:00", Some("10:50")),
        {"who": {"kind": "client", "id": "cl_7"},
         "joined_at": "2026-09-01T10:00:00Z", "left_at": "2026-09-01T10:00:59Z"},
    ]);
    assert_eq!(encounter_status(session("aborted_technical", short)), None);
}

#[test]
fn each_client_of_a_group_has_an_encounter_without_the_others() {
    let mut group = session(
        "completed",
        json!([
            presence("staff", "st_2", "10:00", Some("11:00")),
            presence("client", "cl_7", "10:00", Some("11:00")),
            presence("client", "cl_8", "10:15", Some("10:45")),
            presence("client", "cl_9", "10:00", Some("11:00")),
        ]),
    );
    group.client_ids = ["cl_7", "cl_8", "cl_9"].map(str::to_owned).to_vec();
    group.data["attendance"] = json!([
        {"client_id": "cl_7", "status": "attended"},
        {"client_id": "cl_8", "status": "late"},
        {"client_id": "cl_9", "status": "no_show"},
    ]);
    let inputs = Practice::with([group]).inputs(Kind::SessionLog, "ses_1", ENCOUNTER);
    assert_eq!(inputs.len(), 2);
    assert_eq!(inputs[1]["derived"]["minutes"], 30);
    assert_ne!(inputs[0]["derived"]["identifier_value"], inputs[1]["derived"]["identifier_value"]);
    for (input, others) in inputs.iter().zip([["cl_8", "cl_9"], ["cl_7", "cl_9"]]) {
        let text = input.to_string();
        assert!(others.iter().all(|other| !text.contains(other)), "{text}");
        assert_ne!(input["derived"]["identifier_value"], "ses_1");
    }
}

#[test]
fn doubtful_sessions_are_taken_in_with_a_warning() {
    let mut doubtful = session("completed", met());
    doubtful.data["billing"] = json!({"cpt": "90837"});
    doubtful.data["face_to_face_s"] = 600.into();
    doubtful.data["started_at"] = "2026-09-01T09:00:00Z".into();
    doubtful.data["recording"] = json!({"made": true});
    let (views, warnings) = Practice::with([doubtful]).views(Kind::SessionLog, "ses_1");
    let expected =
        ["cpt_time_mismatch", "session_time_mismatch", "session_time_mismatch", "policy_violation"];
    assert_eq!(codes(&warnings), expected);
    assert_eq!(views[0].1["derived"]["cpt"], "90837");
}

#[test]
fn a_session_that_ends_before_it_begins_is_rejected() {
    let backwards = json!([presence("staff", "st_2", "10:00", Some("09:00"))]);
    let rejection = rejection(&session("completed", backwards)).unwrap();
    assert_eq!(
        (rejection.reason, rejection.pointer.as_str()),
        ("implausible_time", "/data/presence/0/left_at")
    );
}

fn message(id: &str, seq: u64, sender: Value, recipients: Value, text: &str) -> Record {
    let mut message = record(
        Kind::Message,
        id,
        json!({
            "thread_id": "th_1", "seq": seq, "sender": sender, "recipients": recipients,
            "sent_at": "2026-11-02T22:14:09.120-07:00", "status": "sent",
            "body": {"format": "text", "text": text},
        }),
    );
    message.client_ids = ["cl_7", "cl_8"].map(str::to_owned).to_vec();
    message
}

fn conversation() -> Practice {
    let mut thread = record(
        Kind::Thread,
        "th_1",
        json!({
        "client_ids": ["cl_7", "cl_8"], "staff_ids": ["st_2"], "subject": "ZZSUBJECT",
        "channel": "secure_message", "status": "open", "opened_at": "2026-11-01T09:00:00-06:00"}),
    );
    thread.client_ids = ["cl_7", "cl_8"].map(str::to_owned).to_vec();
    let (staff, seven, eight) = (
        json!({"kind": "staff", "id": "st_2"}),
        json!({"kind": "client", "id": "cl_7"}),
        json!({"kind": "client", "id": "cl_8"}),
    );
    let mut hidden = message("m_4", 4, staff.clone(), json!([seven]), "ZZRETRACTED");
    hidden.data["retracted"] = json!({"at": "2026-11-03T00:00:00Z"});
    let mut draft = message("m_5", 5, staff.clone(), json!([seven]), "ZZDRAFT");
    draft.data["status"] = "draft".into();
    let mut to_both = message("m_1", 1, staff.clone(), json!([seven, eight]), "for both");
    to_both.data["bcc"] = json!([{"kind": "staff", "id": "ZZBCC"}]);
    Practice::with([
        thread,
        to_both,
        message("m_3", 3, seven.clone(), json!([staff]), "from seven"),
        message("m_2", 2, eight, json!([staff]), "ZZFROMEIGHT"),
        hidden,
        draft,
    ])
}

#[test]
fn a_message_of_a_shared_thread_shows_each_client_only_themselves() {
    let practice = conversation();
    let (views, _) = practice.views(Kind::Message, "m_1");
    assert_eq!(views.len(), 2);
    assert!(!all_bytes(&views[..1]).contains("cl_8") && !all_bytes(&views[1..]).contains("cl_7"));
    assert!(!all_bytes(&views).contains("ZZBCC"));
    assert_eq!(views[0].1["derived"]["recipients"].as_array().unwrap().len(), 1);
    let (views, _) = practice.views(Kind::Message, "m_2");
    assert_eq!(views.len(), 1, "what one client wrote is not the other's");
}

#[test]
fn what_was_taken_back_or_never_sent_has_no_text() {
    let practice = conversation();
    for id in ["m_4", "m_5"] {
        let inputs = practice.inputs(Kind::Message, id, "message-communication");
        assert_eq!(inputs.len(), 1);
        assert_eq!(inputs[0]["derived"].get("text"), None);
    }
}

#[test]
fn a_transcript_holds_one_clients_month_in_the_platforms_order() {
    let practice = conversation();
    let texts = practice.inputs(Kind::Thread, "th_1", "thread-transcript-text");
    let seven = text_of(&texts[0]);
    let at = |words: &str| seven.find(words).unwrap();
    assert!(at("for both") < at("from seven"));
    assert!(seven.contains("2026-11-02 22:14 -07:00  Marisol Ruiz\nfor both"));
    for marker in ["ZZFROMEIGHT", "ZZRETRACTED", "ZZDRAFT"] {
        assert!(!seven.contains(marker));
    }
    let headers = practice.inputs(Kind::Thread, "th_1", "thread-communication");
    assert!(headers.iter().all(|input| input["derived"].get("topic").is_none()));
}

#[test]
fn a_long_month_is_split_after_500_messages() {
    let thread = record(
        Kind::Thread,
        "th_1",
        json!({
        "client_ids": ["cl_7"], "staff_ids": [], "channel": "sms", "status": "open",
        "opened_at": "2026-11-01T09:00:00-06:00"}),
    );
    let seven = json!({"kind": "client", "id": "cl_7"});
    let messages = (0..501).map(|seq| {
        let mut message = message(&format!("m_{seq}"), seq, seven.clone(), json!([]), "hello");
        message.client_ids.truncate(1);
        message
    });
    let practice = Practice::with(std::iter::once(thread).chain(messages));
    let parts = practice.inputs(Kind::Thread, "th_1", "thread-transcript");
    let titles: Vec<&Value> = parts.iter().map(|p| &p["derived"]["transcript"]["title"]).collect();
    assert_eq!(titles, ["Message transcript 2026-11", "Message transcript 2026-11, part 2"]);
}

fn note(id: &str, status: &str, amends: Option<&str>) -> Record {
    let mut note = record(
        Kind::SessionNote,
        id,
        json!({
        "class": "progress", "format": "dap", "service_date": "2026-11-01", "author_id": "st_2",
        "status": status, "signed": {"by": "st_2", "at": "2026-11-01T17:05:00Z"},
        "sections": [{"key": "d", "text": "ZZTEXT"}]}),
    );
    if let Some(amends) = amends {
        note.data["amends"] = amends.into();
    }
    note
}

fn standing(practice: &Practice, id: &str) -> Option<String> {
    let inputs = practice.inputs(Kind::SessionNote, id, "session-note-document-reference");
    Some(inputs.first()?["derived"]["standing"].as_str().unwrap().to_owned())
}

#[test]
fn of_a_chain_of_amendments_only_the_last_is_current() {
    let practice = Practice::with([
        note("n_1", "locked", None),
        note("n_2", "amended", Some("n_1")),
        note("n_3", "amended", Some("n_2")),
        note("n_4", "amended", Some("n_3")),
        note("n_5", "addendum", Some("n_4")),
    ]);
    let standings = ["n_1", "n_2", "n_3", "n_4", "n_5"].map(|id| standing(&practice, id).unwrap());
    assert_eq!(standings, ["superseded", "superseded", "superseded", "current", "current"]);
    let addendum = practice.inputs(Kind::SessionNote, "n_5", "session-note-document-reference");
    assert_eq!(addendum[0]["derived"]["relates"][0]["code"], "appends");
}

#[test]
fn what_is_appended_on_request_is_called_in_the_clients_language() {
    for (language, paper, title) in [
        ("es-MX", "correction", "Corrección de: Nota de evolución 2026-11-01"),
        ("es", "disagreement", "Desacuerdo sobre: Nota de evolución 2026-11-01"),
        ("en", "disagreement", "Disagreement about: Progress note 2026-11-01"),
        ("uk", "correction", "Correction of: Progress note 2026-11-01"),
    ] {
        let client = record(Kind::Client, "cl_9", json!({ "language": language }));
        let mut appended = note("n_2", "addendum", Some("n_1"));
        appended.client_ids = vec!["cl_9".to_owned()];
        appended.data["amendment"] = json!({ "paper": paper });
        let practice = Practice::with([client, appended]);
        let inputs = practice.inputs(Kind::SessionNote, "n_2", "session-note-document-reference");
        assert_eq!(inputs[0]["derived"]["title"], title, "{language}");
    }
}

#[test]
fn unsigned_notes_make_nothing_and_retracted_ones_keep_no_content() {
    let mut unsigned = note("n_2", "signed", None);
    unsigned.data.as_object_mut().unwrap().remove("signed");
    let practice = Practice::with([
        note("n_1", "draft", None),
        unsigned,
        note("n_3", "cosign_pending", None),
        note("n_4", "retracted", None),
    ]);
    for id in ["n_1", "n_2", "n_3"] {
        assert_eq!(practice.views(Kind::SessionNote, id).0.len(), 0, "{id}");
    }
    assert_eq!(standing(&practice, "n_4").as_deref(), Some("void"));
    assert_eq!(practice.inputs(Kind::SessionNote, "n_4", "session-note-text").len(), 0);
}

#[test]
fn an_interns_note_waits_for_its_cosigner() {
    let intern = record(
        Kind::Staff,
        "st_5",
        json!({
        "name": {"family": "Vega"}, "licenses": [{"type": "intern", "number": "1"}]}),
    );
    let mut alone = note("n_1", "locked", None);
    alone.data["author_id"] = "st_5".into();
    let mut countersigned = alone.clone();
    countersigned.id = "n_2".to_owned();
    countersigned.data["cosigners"] = json!([{"by": "st_2"}]);
    let practice = Practice::with([intern, alone, countersigned]);
    let (views, warnings) = practice.views(Kind::SessionNote, "n_1");
    assert_eq!((views.len(), codes(&warnings)), (0, vec!["cosigner_missing"]));
    assert_eq!(practice.views(Kind::SessionNote, "n_2").0.len(), 2);
}

fn phq9(answers: [Option<i64>; 9], total: Option<i64>) -> Practice {
    let items: Vec<Value> = (1..)
        .zip(answers)
        .map(|(key, answer)| json!({"key": key.to_string(), "answer": answer}))
        .collect();
    let mut filled = record(
        Kind::Assessment,
        "as_1",
        json!({
        "client_id": "cl_7", "instrument": "phq9", "mode": "self", "items": items,
        "administered_at": "2026-10-31T20:11:00-06:00", "completed": true}),
    );
    if let Some(total) = total {
        filled.data["total"] = total.into();
    }
    Practice::with([filled])
}

fn total(practice: &Practice) -> Option<Value> {
    let inputs = practice.inputs(Kind::Assessment, "as_1", "assessment-observation");
    let facts = inputs.into_iter().map(|input| input["derived"]["observation"].clone());
    facts.into_iter().find(|facts| facts["loinc"] == "44261-6")
}

#[test]
fn a_score_is_made_of_all_answers_or_not_at_all() {
    let ones = phq9([Some(1); 9], None);
    let made = total(&ones).unwrap();
    assert_eq!((&made["score"], &made["interpretation"]), (&json!(9), &json!("mild")));
    let mut skipped = [Some(1); 9];
    skipped[1] = None;
    let practice = phq9(skipped, Some(8));
    assert_eq!(total(&practice), None);
    assert_eq!(
        codes(&practice.views(Kind::Assessment, "as_1").1),
        ["total_mismatch", "risk_review_required"]
    );
}

#[test]
fn a_total_that_does_not_add_up_stays_with_a_remark() {
    let practice = phq9([Some(0); 9], Some(4));
    let made = total(&practice).unwrap();
    assert_eq!(made["score"], 4);
    assert!(made["note"].as_str().unwrap().contains("add up to 0"));
    assert_eq!(codes(&practice.views(Kind::Assessment, "as_1").1), ["total_mismatch"]);
    assert_eq!(total(&phq9([Some(0); 9], Some(99))), None, "PHQ-9 ends at 27");
}

fn consent(data: Value) -> (Value, Vec<&'static str>) {
    let practice = Practice::with([record(Kind::Consent, "con_1", data)]);
    let (views, warnings) = practice.views(Kind::Consent, "con_1");
    (views[0].1["derived"].clone(), codes(&warnings))
}

#[test]
fn a_release_never_reaches_psychotherapy_notes_and_no_limit_is_lost() {
    let (facts, warnings) = consent(json!({
        "type": "roi", "decision": "permit", "status": "active",
        "signed_at": "2026-09-14T10:02:00-06:00", "signer": {"kind": "client", "id": "cl_7"},
        "expires": {"date": "2027-09-13"}, "recipients": [{"kind": "org", "name": "Front Range"}],
        "evidence": {"attachment_id": "att_gone", "form_id": "ROI-CO", "form_version": "3"},
        "scope": {"exclude_labels": ["HIV", "family matters"]}}));
    let denied = &facts["provision"]["denied"];
    assert_eq!(denied[0]["code"], "HIV");
    assert_eq!(denied[1], json!({"display": "family matters"}));
    assert_eq!(denied[2]["code"], "PSYTHPN");
    assert_eq!(facts["policy_uri"], "https://gw.example/policies/roi-co/3");
    assert_eq!(facts.get("form"), None, "the signed form is not there");
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_word_on_psychotherapy_notes_is_about_nothing_else() {
    for decision in ["permit", "deny"] {
        let (facts, _) = consent(json!({
            "type": "psychotherapy_authorization", "decision": decision, "status": "active"}));
        assert_eq!(facts["provision"]["labels"][0]["code"], "PSYTHPN");
    }
    let (facts, _) = consent(json!({"type": "roi", "decision": "permit", "status": "active",
        "scope": {"kinds": ["diagnosis", "session_note"], "note_classes": ["discharge_summary"]}}));
    assert_eq!(facts["provision"]["classes"], json!(["diagnosis"]));
}

#[test]
fn a_consent_is_never_shown_stronger_than_it_is() {
    let status = |data| consent(data).0["status"].clone();
    let base = json!({"type": "treatment", "decision": "permit", "status": "active"});
    assert_eq!(status(base.clone()), "proposed", "nobody signed it");
    let mut revoked = base.clone();
    revoked["signed_at"] = "2026-09-14T10:02:00-06:00".into();
    assert_eq!(status(revoked.clone()), "active");
    revoked["revocations"] = json!([{"at": "2026-10-01T00:00:00Z", "scope": "all"}]);
    assert_eq!(status(revoked), "revoked");
    let (_, warnings) =
        consent(json!({"type": "psychotherapy_authorization", "decision": "permit",
        "status": "active", "method": "verbal_documented"}));
    assert_eq!(warnings, ["consent_incomplete"]);
}

#[test]
fn infected_foreign_and_unowned_files_make_nothing() {
    let owner = json!({"kind": "consent", "id": "con_1"});
    let file = json!({"owner": owner, "media_type": "application/pdf", "size_bytes": 10,
        "sha256": "00", "storage_ref": "blob://hv/1", "av_scan": "clean"});
    let made = |change: &dyn Fn(&mut Value)| {
        let mut data = file.clone();
        change(&mut data);
        let consent = record(Kind::Consent, "con_1", json!({"type": "roi", "status": "active"}));
        let practice = Practice::with([consent, record(Kind::Attachment, "att_1", data)]);
        practice.views(Kind::Attachment, "att_1").0.len()
    };
    assert_eq!(made(&|_| {}), 2);
    assert_eq!(made(&|data| data["av_scan"] = "infected".into()), 0);
    assert_eq!(made(&|data| data["contains_third_party"] = true.into()), 0);
    assert_eq!(made(&|data| data["size_bytes"] = 0.into()), 0);
    assert_eq!(made(&|data| data["owner"]["id"] = "con_unknown".into()), 0);
}
