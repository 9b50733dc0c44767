//! A copy of a record, from the request to the download: what comes to review and what does not, who
//! decides, and that what was decided to be left out is in no byte of it.

use std::io::{Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use throughline::audit::{self, Action, Actor, Question};
use throughline::config::{DemoAccount, LoginSettings, Part};
use throughline::exchange::retention::{Authority, Extent};
use throughline::policy::AuditPermit;

use crate::receiving;
use crate::support::charts;
use crate::support::people::{ADA, BACK, ELLIE, JOEL, LUCIA, MARISOL, MATEO, PRACTICE, practice};
use crate::support::receiver;
use crate::support::server::Server;
use crate::support::visitor::{Seen, Visitor, absolute};

/// The privacy officer.
pub(crate) const KARIN: &str = "st_1";
/// What a note that is withheld says, a sentence about somebody else, and one that goes along.
const WITHHELD: &str = "ZZENDANGERS the plan that nobody should read";
const OTHER: &str = "Her partner ZZPARTNER said so";
const SENTENCE: &str = "ZZSENTENCE was there too.";
const PLAIN: &str = "Sleeps better since the spring.";

/// A practice whose people work at the desk.
pub(crate) fn office() -> Server {
    practice(LoginSettings::of_demo("hv", PRACTICE, accounts()), BACK, &[])
}

/// Who signs in there.
pub(crate) fn accounts() -> Vec<DemoAccount> {
    [
        (Part::Client, ELLIE),
        (Part::Client, ADA),
        (Part::Proxy, LUCIA),
        (Part::Staff, MARISOL),
        (Part::Staff, JOEL),
        (Part::Staff, KARIN),
    ]
    .map(|(part, record)| DemoAccount { part, record: record.to_owned() })
    .into()
}

/// A signed note with this text.
pub(crate) fn note(id: &str, version: u64, client: &str, text: &str, more: &Value) -> Value {
    let mut data = json!({
        "class": "progress", "format": "narrative", "status": "locked", "origin": "human",
        "sections": [{ "key": "n", "title": "Note", "text": text, "text_format": "text" }],
        "service_date": "2026-09-15", "author_id": MARISOL,
        "signed": { "by": MARISOL, "at": "2026-09-16T00:10:00Z" },
        "locked_at": "2026-09-16T00:11:00Z",
    });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let at = "2026-09-16T12:00:00.000Z";
    json!({
        "schema": "tp.record/1", "kind": "session_note", "tenant_id": "hv", "id": id,
        "version": version, "op": "upsert", "recorded_at": at, "updated_at": at,
        "tz": "America/Denver", "client_ids": [client], "data": data,
    })
}

pub(crate) fn take_in(server: &Server, records: &[Value]) {
    let mut file = tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap();
    for record in records {
        writeln!(file, "{record}").unwrap();
    }
    server.app.take_in(&[file.path().to_owned()]).unwrap();
}

/// One note that endangers, and one that is partly about another person.
pub(crate) fn with_notes(server: &Server) {
    let withheld = json!({ "visibility": {
        "client": "withheld", "reason_code": "endangers_life", "proxies": "inherit" } });
    let spans = json!({ "third_party_spans": [
        { "section": "n", "start": 0, "end": OTHER.chars().count(), "kind": "partner" }] });
    take_in(
        server,
        &[
            note("note_x1", 1, ELLIE, WITHHELD, &withheld),
            note("note_x2", 1, ELLIE, &format!("{OTHER}. {SENTENCE} {PLAIN}"), &spans),
        ],
    );
}

pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("{}{path}", server.origin())
}

pub(crate) async fn signed_in(server: &Server, account: &str) -> Visitor {
    let mut visitor = Visitor::new();
    visitor.begin(&url(server, "/auth/apps"), account).await;
    visitor
}

/// Asks for a copy; answers the request's id.
pub(crate) async fn asked(server: &Server, visitor: &mut Visitor) -> String {
    let form = visitor.get(&url(server, "/portal/ask?type=access")).await;
    let (csrf, record) = (form.token("/portal/ask"), form.field("record"));
    let script = "<script>alert(1)</script>";
    let fields = [("csrf", &*csrf), ("record", &record), ("type", "access"), ("statement", script)];
    let sent = visitor.post(&url(server, "/portal/ask"), &fields).await;
    let page = visitor.get(&absolute(&sent.url, sent.location())).await;
    assert!(page.text.contains("&lt;script&gt;") && !page.text.contains(script), "{}", page.text);
    let id = sent.location().split("/portal/requests/").nth(1).unwrap();
    id.split('?').next().unwrap().to_owned()
}

/// The page of a request, once its copy is there.
pub(crate) async fn ready(server: &Server, visitor: &mut Visitor, id: &str) -> String {
    for _ in 0..200 {
        let page = visitor.get(&url(server, &format!("/portal/requests/{id}"))).await;
        if page.text.contains("action=\"/portal/copy\"") {
            return page.text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    unreachable!("no copy came");
}

/// Tries to take the copy from the page of its request.
pub(crate) async fn takes(
    server: &Server,
    visitor: &mut Visitor,
    page: &Seen,
    id: &str,
    passwords: &[&str],
) -> Seen {
    let (csrf, record) = (page.token("/portal/copy"), page.field("record"));
    let mut fields = vec![("csrf", &*csrf), ("record", &*record), ("request", id)];
    fields.extend(passwords.iter().map(|password| ("password", *password)));
    visitor.post(&url(server, "/portal/copy"), &fields).await
}

/// Takes the copy; answers its bytes.
pub(crate) async fn taken(
    server: &Server,
    visitor: &mut Visitor,
    id: &str,
    password: &str,
) -> Vec<u8> {
    let page = visitor.get(&url(server, &format!("/portal/requests/{id}"))).await;
    let sent = takes(server, visitor, &page, id, &[password]).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert_eq!(sent.header("content-type"), "application/zip");
    assert_eq!(sent.header("cache-control"), "no-store");
    sent.body
}

/// The files of an archive; what is base64 in them, too.
pub(crate) fn files(zip: &[u8]) -> Vec<(String, String)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut files = Vec::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        let encoded: Vec<String> = text
            .split("\"data\":\"")
            .skip(1)
            .filter_map(|rest| STANDARD.decode(rest.split('"').next()?).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
        text.push_str(&encoded.join("\n"));
        files.push((name, text));
    }
    files
}

/// Sends a form of the desk.
async fn sends(
    server: &Server,
    member: &mut Visitor,
    from: &str,
    to: &str,
    fields: &[(&str, &str)],
) -> String {
    let page = member.get(&url(server, from)).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let csrf = page.token(to);
    let fields: Vec<_> = fields.iter().copied().chain([("csrf", &*csrf)]).collect();
    let sent = member.post(&url(server, to), &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    sent.location().to_owned()
}

/// Decides on an entry; answers where that leads.
async fn decides(
    server: &Server,
    member: &mut Visitor,
    (id, entry, version): (&str, &str, &str),
    more: &[(&str, &str)],
) -> String {
    let place = format!("/staff/requests/{id}/entries/{entry}");
    let fields =
        [("request", id), ("kind", "session_note"), ("entry", entry), ("version", version)];
    let fields = [&fields[..], more].concat();
    sends(server, member, &place, "/staff/decisions", &fields).await
}

async fn starts(server: &Server, officer: &mut Visitor, id: &str) {
    let fields = [("request", id), ("step", "review_started")];
    sends(server, officer, &format!("/staff/requests/{id}"), "/staff/requests", &fields).await;
}

async fn finishes(server: &Server, officer: &mut Visitor, id: &str) -> String {
    let place = format!("/staff/requests/{id}");
    sends(server, officer, &place, "/staff/copies", &[("request", id)]).await
}

/// The value of the box of a sentence.
fn span(page: &str, sentence: &str) -> String {
    // The last time that it is there, it is beside its box.
    let before = page.rsplit(sentence).nth(1).unwrap();
    let value = before.rsplit("name=\"span\" value=\"").next().unwrap();
    value.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_stays_when_somebody_is_erased_whose_id_is_a_part_of_other_ids() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &id).await;
    take_in(&server, &[charts::client("e", "Else"), charts::client("tlr", "Else")]);
    for client in ["e", "tlr"] {
        let authority = Authority { by: Actor::operator(), by_what: "request rr_9".to_owned() };
        let (tenant, retention) = ("hv".parse().unwrap(), server.app.retention());
        retention.erase(&tenant, client, &authority, Extent::Everything).await.unwrap();
    }
    taken(&server, &mut ellie, &id, "").await;
}

#[tokio::test]
async fn a_record_in_which_there_is_nothing_to_decide_is_given_at_once() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    let page = ready(&server, &mut ellie, &id).await;
    assert!(page.contains("Your copy is ready"), "{page}");
    let zip = taken(&server, &mut ellie, &id, "").await;
    assert!(
        page.contains(&hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &zip)))
    );
    let found = files(&zip);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["manifest.json", "bundle.json", "human/index.html", "record.pdf"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let manifest = &found.iter().find(|(name, _)| name == "manifest.json").unwrap().1;
    let manifest: Value = serde_json::from_str(manifest).unwrap();
    assert!(manifest.get("withheld").is_none(), "{manifest}");

    // Under a password nothing of it can be read without it, and all of it with it.
    let locked = taken(&server, &mut ellie, &id, "correct horse battery").await;
    let mut archive = zip::ZipArchive::new(Cursor::new(&locked)).unwrap();
    assert!(archive.by_index(0).is_err());
    assert!(archive.by_index_decrypt(0, b"correct horse batterx").is_err());
    let mut first = String::new();
    let mut file = archive.by_index_decrypt(0, b"correct horse battery").unwrap();
    file.read_to_string(&mut first).unwrap();
    assert!(first.contains("throughline-package/1"), "{first}");

    // The log has the making with all that is in it, and the taking.
    let permit = AuditPermit::operator("hv".parse().unwrap());
    let question =
        Question { patient: Some(server.patient(ELLIE)), count: 200, ..Question::default() };
    let events = audit::search(&**server.app.audit().ledger(), &permit, &question).unwrap().events;
    let of = |action| events.iter().filter(move |event| event.action == action);
    assert_eq!((of(Action::Released).count(), of(Action::CopyTaken).count()), (1, 2));
    let log = ellie.get(&url(&server, "/portal/seen?own=1")).await.text;
    assert!(log.contains("A copy of the record was downloaded"), "{log}");
}

#[tokio::test]
async fn a_password_that_is_too_short_is_none() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &id).await;
    let page = ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await;
    let sent = takes(&server, &mut ellie, &page, &id, &["short"]).await;
    assert_eq!(sent.status, 303);
    let told = ellie.get(&absolute(&sent.url, sent.location())).await.text;
    assert!(told.contains("Choose another password"), "{told}");
}

#[tokio::test]
async fn what_was_denied_and_what_was_left_out_is_in_no_byte_of_the_copy() {
    let server = office();
    with_notes(&server);
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    let mut karin = signed_in(&server, KARIN).await;
    let mut marisol = signed_in(&server, MARISOL).await;
    let case = format!("/staff/requests/{id}");
    let listed = karin.get(&url(&server, &case)).await.text;
    assert!(listed.contains("entries/note_x1") && listed.contains("entries/note_x2"), "{listed}");
    assert_eq!(listed.matches("/entries/").count(), 2, "nothing else comes to review: {listed}");
    assert!(!listed.contains("action=\"/staff/copies\""), "{listed}");
    starts(&server, &mut karin, &id).await;

    // As it was written, and as it would be given.
    let place = format!("{case}/entries/note_x2");
    let page = marisol.get(&url(&server, &place)).await.text;
    assert!(page.contains(&format!("<mark>{OTHER}</mark>")), "{page}");
    let sentence = span(&page, SENTENCE);

    let x1 = (&*id, "note_x1", "1");
    let nothing = decides(&server, &mut marisol, x1, &[("outcome", "deny")]).await;
    assert!(nothing.ends_with("wrong=ground"), "no denial without a ground: {nothing}");
    let theirs = [("outcome", "deny"), ("ground", "harm_by_representative")];
    let theirs = decides(&server, &mut marisol, x1, &theirs).await;
    assert!(theirs.ends_with("wrong=ground"), "not against the client: {theirs}");
    let old =
        decides(&server, &mut marisol, (&id, "note_x1", "7"), &[("outcome", "release")]).await;
    assert!(old.ends_with("wrong=other"), "another version: {old}");
    let denied = [("outcome", "deny"), ("ground", "endangers_life")];
    assert_eq!(decides(&server, &mut marisol, x1, &denied).await, case);
    let redacted =
        [("outcome", "redact"), ("ground", "harms_another"), ("span", sentence.as_str())];
    assert_eq!(decides(&server, &mut marisol, (&id, "note_x2", "1"), &redacted).await, case);
    let seen = marisol.get(&url(&server, &case)).await.text;
    assert!(!seen.contains("action=\"/staff/copies\""), "the officer ends it: {seen}");
    assert_eq!(finishes(&server, &mut karin, &id).await, case);

    let page = ready(&server, &mut ellie, &id).await;
    for said in ["45 CFR 164.524(a)(3)(i)", "Dear Ellie Marsh", "hhs.gov", "Ask for a review"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let found = files(&taken(&server, &mut ellie, &id, "").await);
    for (name, text) in &found {
        for secret in ["ZZENDANGERS", "ZZPARTNER", "ZZSENTENCE", "note_x1"] {
            assert!(!text.contains(secret), "{secret} in {name}");
        }
    }
    let has = |name: &str, said: &str| {
        let file = found.iter().find(|(known, _)| known == name);
        assert!(file.is_some_and(|(_, text)| text.contains(said)), "{said} not in {name}");
    };
    for name in ["bundle.json", "document.json", "ndjson/Binary.ndjson", "human/index.html"] {
        has(name, PLAIN);
    }
    for name in ["manifest.json", "README.txt", "human/index.html"] {
        has(name, "likely to endanger");
    }
}

#[tokio::test]
async fn a_denial_is_reviewed_by_somebody_who_had_no_part_in_it() {
    let server = office();
    with_notes(&server);
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    let mut karin = signed_in(&server, KARIN).await;
    let mut marisol = signed_in(&server, MARISOL).await;
    let mut joel = signed_in(&server, JOEL).await;
    let case = format!("/staff/requests/{id}");
    assert_eq!(joel.get(&url(&server, &case)).await.status, 410, "he does not treat her");
    starts(&server, &mut karin, &id).await;
    let denied = [("outcome", "deny"), ("ground", "endangers_life")];
    let (x1, x2) = ((&*id, "note_x1", "1"), (&*id, "note_x2", "1"));
    decides(&server, &mut marisol, x1, &denied).await;
    decides(&server, &mut marisol, x2, &[("outcome", "release")]).await;
    finishes(&server, &mut karin, &id).await;
    let first = files(&{
        ready(&server, &mut ellie, &id).await;
        taken(&server, &mut ellie, &id, "").await
    });
    let text = |files: &[(String, String)]| -> String {
        files.iter().map(|(_, text)| text.as_str()).collect()
    };
    assert!(text(&first).contains("ZZPARTNER"), "what does no harm is given in full");
    assert!(!text(&first).contains("ZZENDANGERS"));

    let page = ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await;
    let (csrf, record) = (page.token("/portal/requests"), page.field("record"));
    let fields =
        [("csrf", &*csrf), ("record", &record), ("request", &id), ("step", "review_requested")];
    assert_eq!(ellie.post(&url(&server, "/portal/requests"), &fields).await.status, 303);
    let again = decides(&server, &mut marisol, x1, &[("outcome", "release")]).await;
    assert!(again.ends_with("wrong=other"), "she had a part in it: {again}");
    assert_eq!(decides(&server, &mut joel, x1, &[("outcome", "release")]).await, case);
    finishes(&server, &mut karin, &id).await;
    // The first copy stays until the second is there.
    let mut second = Vec::new();
    for _ in 0..200 {
        ready(&server, &mut ellie, &id).await;
        second = files(&taken(&server, &mut ellie, &id, "").await);
        if text(&second).contains("ZZENDANGERS") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(text(&second).contains("ZZENDANGERS"));
}

#[tokio::test]
async fn an_entry_that_changes_after_its_review_is_looked_at_again() {
    let server = office();
    with_notes(&server);
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    let mut karin = signed_in(&server, KARIN).await;
    starts(&server, &mut karin, &id).await;
    for entry in ["note_x1", "note_x2"] {
        decides(&server, &mut karin, (&id, entry, "1"), &[("outcome", "release")]).await;
    }
    let case = url(&server, &format!("/staff/requests/{id}"));
    let page = karin.get(&case).await;
    let csrf = page.token("/staff/copies");
    let withheld =
        json!({ "visibility": { "client": "withheld", "reason_code": "endangers_life" } });
    take_in(&server, &[note("note_x1", 2, ELLIE, "ZZLATER", &withheld)]);
    let fields = [("csrf", csrf.as_str()), ("request", id.as_str())];
    let sent = karin.post(&url(&server, "/staff/copies"), &fields).await;
    assert!(sent.location().ends_with("wrong=1"), "{}", sent.location());
    assert!(!karin.get(&case).await.text.contains("action=\"/staff/copies\""));
}

#[tokio::test]
async fn a_parents_copy_has_what_a_parent_may_have() {
    let server = office();
    let kept = json!({ "visibility": { "client": "full", "proxies": "withheld" } });
    take_in(&server, &[note("note_x3", 1, MATEO, "ZZCHILDALONE", &kept)]);
    let mut lucia = signed_in(&server, LUCIA).await;
    let id = asked(&server, &mut lucia).await;
    let mut karin = signed_in(&server, KARIN).await;
    starts(&server, &mut karin, &id).await;
    let denied = [("outcome", "deny"), ("ground", "harm_by_representative")];
    decides(&server, &mut karin, (&id, "note_x3", "1"), &denied).await;
    finishes(&server, &mut karin, &id).await;
    ready(&server, &mut lucia, &id).await;
    let found = files(&taken(&server, &mut lucia, &id, "").await);
    assert!(found.iter().all(|(_, text)| !text.contains("ZZCHILDALONE")));
    let manifest = &found.iter().find(|(name, _)| name == "manifest.json").unwrap().1;
    assert!(manifest.contains("45 CFR 164.524(a)(3)(iii)"), "{manifest}");
    // Whom the client let in is the client's to know.
    let page = &found.iter().find(|(name, _)| name == "human/index.html").unwrap().1;
    assert!(!page.contains("Who has received parts of this record"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_sent_about_a_person_is_in_their_own_copy_and_in_nobody_elses() {
    let server = office();
    for (client, account) in [(ELLIE, ELLIE), (MATEO, LUCIA)] {
        let token = server.token_for("hv", &["system/*.rs"]);
        let path = format!("Patient/{}", server.patient(client));
        let request = server.request(reqwest::Method::GET, &path).bearer_auth(token);
        let known = server.send(request).await.json();
        let (family, born) = (&known["name"][0]["family"], &known["birthDate"]);
        let person = receiving::person(
            &known["identifier"][0],
            family.as_str().unwrap(),
            born.as_str().unwrap(),
        );
        let body = receiving::bundle(&person).to_string();
        receiving::name(&receiving::send(&server, receiving::MAY, &body).await);
        let mut visitor = signed_in(&server, account).await;
        let id = asked(&server, &mut visitor).await;
        ready(&server, &mut visitor, &id).await;
        let found = files(&taken(&server, &mut visitor, &id, "").await);
        let outside = found.iter().find(|(name, _)| name == "outside/001.json");
        assert_eq!(outside.is_some(), client == account, "{client}");
        assert!(outside.is_none_or(|(_, text)| *text == body));
    }
}

#[tokio::test]
async fn nobody_takes_the_copy_of_another() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &id).await;
    let mut ada = signed_in(&server, ADA).await;
    let other = asked(&server, &mut ada).await;
    ready(&server, &mut ada, &other).await;
    let page = ada.get(&url(&server, &format!("/portal/requests/{other}"))).await;
    let (csrf, record) = (page.token("/portal/copy"), page.field("record"));
    let fields = [("csrf", &*csrf), ("record", &record), ("request", &id)];
    assert_eq!(ada.post(&url(&server, "/portal/copy"), &fields).await.status, 410);
    let ellies = server.patient(ELLIE).to_string();
    let fields = [("csrf", &*csrf), ("record", &*ellies), ("request", &id)];
    assert_eq!(ada.post(&url(&server, "/portal/copy"), &fields).await.status, 410);
    for csrf in ["", "x"] {
        let fields = [("csrf", csrf), ("record", &*record), ("request", &*other)];
        assert_eq!(ada.post(&url(&server, "/portal/copy"), &fields).await.status, 403);
    }
    let mut joel = signed_in(&server, JOEL).await;
    for path in ["/staff/quarantine".to_owned(), format!("/staff/requests/{id}/entries/note_101")] {
        let status = joel.get(&url(&server, &path)).await.status;
        assert!(matches!(status.as_u16(), 403 | 410), "{path}: {status}");
    }
    let mut karin = signed_in(&server, KARIN).await;
    let list = karin.get(&url(&server, "/staff/quarantine")).await;
    assert_eq!(list.status, 200, "{}", list.text);
}

#[tokio::test]
async fn a_copy_imports_into_a_fhir_server_that_is_not_ours_without_an_error() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &id).await;
    let zip = taken(&server, &mut ellie, &id, "").await;
    let mut archive = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
    let mut text = String::new();
    archive.by_name("bundle.json").unwrap().read_to_string(&mut text).unwrap();
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let other = receiver::start();
    let (status, kept) = other.send("POST", "Bundle", &bundle).await;
    assert_eq!(status, 201, "the whole of it: {kept}");
    let entries = bundle["entry"].as_array().unwrap();
    let resources: Vec<&Value> = entries.iter().map(|entry| &entry["resource"]).collect();
    assert!(resources.len() > 20, "{}", resources.len());
    let key = |resource: &Value| {
        let text = |name: &str| resource[name].as_str().unwrap().to_owned();
        format!("{}/{}", text("resourceType"), text("id"))
    };
    for resource in &resources {
        let key = key(resource);
        let (status, answer) = other.send("PUT", &key, resource).await;
        assert_eq!(status, 200, "{key}: {answer}");
        let (status, mut read) = other.send("GET", &key, &Value::Null).await;
        assert_eq!(status, 200, "{key}: {read}");
        // The server names versions of its own.
        let mut sent = (*resource).clone();
        for one in [&mut read, &mut sent] {
            let meta = one["meta"].as_object_mut().unwrap();
            for own in ["versionId", "lastUpdated"] {
                meta.remove(own);
            }
        }
        assert_eq!(read, sent, "{key}");
    }
    // What a resource of the copy refers to is there too, where it is of the copy.
    let there: std::collections::BTreeSet<String> =
        resources.iter().map(|resource| key(resource)).collect();
    let patient = resources.iter().find(|one| one["resourceType"] == "Patient").unwrap();
    let (status, found) = other.send("GET", &key(patient), &Value::Null).await;
    assert_eq!((status, &found["id"]), (200, &patient["id"]));
    assert_eq!(there.len(), resources.len(), "each once");
    let wrong = serde_json::json!({"resourceType": "Observation", "id": "x", "status": 3});
    let (status, answer) = other.send("PUT", "Observation/x", &wrong).await;
    assert_eq!(status, 400, "the other server does look: {answer}");
}

#[tokio::test]
async fn a_child_is_not_given_what_was_given_to_a_parent() {
    let mut accounts = accounts();
    accounts.push(DemoAccount { part: Part::Client, record: MATEO.to_owned() });
    let server = practice(LoginSettings::of_demo("hv", PRACTICE, accounts), BACK, &[]);
    let hidden = json!({ "visibility": { "client": "withheld", "reason_code": "endangers_life", "proxies": "inherit" } });
    take_in(&server, &[note("note_h", 1, MATEO, "ZZPARENTONLY", &hidden)]);
    let mut lucia = signed_in(&server, LUCIA).await;
    let id = asked(&server, &mut lucia).await;
    let mut child = signed_in(&server, MATEO).await;
    let place = url(&server, &format!("/portal/requests/{id}"));
    assert_eq!(lucia.get(&place).await.status, 200, "whoever asked sees it");
    let list = child.get(&url(&server, "/portal/requests")).await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert!(!list.text.contains(&id), "{}", list.text);
    assert_eq!(child.get(&place).await.status, 410, "as one that is not there");
    let ask = child.get(&url(&server, "/portal/ask?type=access")).await;
    let record = ask.field("record");
    let own = asked(&server, &mut child).await;
    let page = child.get(&url(&server, &format!("/portal/requests/{own}"))).await;
    assert_eq!(page.status, 200, "and their own: {}", page.text);
    for path in ["/portal/copy", "/portal/requests"] {
        let csrf = child.get(&url(&server, &format!("/portal/requests/{own}"))).await;
        let csrf = csrf.token("/portal/requests");
        let fields = [
            ("csrf", csrf.as_str()),
            ("record", record.as_str()),
            ("request", id.as_str()),
            ("step", "withdraw"),
        ];
        let sent = child.post(&url(&server, path), &fields).await;
        assert!(matches!(sent.status.as_u16(), 403 | 410), "{path}: {}", sent.text);
    }
    let kept = server.app.requests().request(&"hv".parse().unwrap(), &id).unwrap().unwrap();
    assert!(!kept.state.is_closed(), "nor is it taken back");
}

#[tokio::test]
async fn an_entry_whose_id_holds_what_ends_a_segment_is_opened_and_decided() {
    let server = office();
    let name = "../../note h?#&";
    let hidden = json!({ "visibility": { "client": "withheld", "reason_code": "endangers_life" } });
    take_in(&server, &[note(name, 1, ELLIE, "ZZODDNAME", &hidden)]);
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    let mut karin = signed_in(&server, KARIN).await;
    starts(&server, &mut karin, &id).await;
    let case = karin.get(&url(&server, &format!("/staff/requests/{id}"))).await.text;
    let link = case.split("href=\"").find(|rest| rest.contains("/entries/")).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let page = karin.get(&url(&server, &link)).await;
    assert!(page.status == 200 && page.text.contains("ZZODDNAME"), "{link}: {}", page.text);
    let csrf = page.token("/staff/decisions");
    let fields = [
        ("csrf", csrf.as_str()),
        ("request", &id),
        ("kind", "session_note"),
        ("entry", name),
        ("version", "1"),
        ("outcome", "deny"),
        ("ground", "endangers_life"),
    ];
    let sent = karin.post(&url(&server, "/staff/decisions"), &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    finishes(&server, &mut karin, &id).await;
    let page = ready(&server, &mut ellie, &id).await;
    assert!(page.contains("Your copy is ready"), "{page}");
}

#[tokio::test]
async fn of_two_passwords_none_is_meant_and_nothing_is_given_unlocked() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &id).await;
    let page = ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await;
    let one = "correct horse battery";
    for passwords in [[one, one], [one, "another horse battery"]] {
        let sent = takes(&server, &mut ellie, &page, &id, &passwords).await;
        assert_eq!(sent.status, 303, "no file: {}", sent.header("content-type"));
        assert!(sent.location().contains("password=1"), "{}", sent.location());
    }
}
