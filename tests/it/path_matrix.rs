//! Every way into the API, from the table of routes and that of search parameters, asked about
//! something that is withheld for every reason there is: each has to answer as for what never was.
//! Asked by an app that a consent names, by a client, by a mother who may act for her child, and by a
//! father who may not.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use throughline::auth::Keys;
use throughline::config::Sources;
use throughline::domain::Kind;
use throughline::fhir::search::ParamKind;
use throughline::fhir::search::param;
use throughline::http::routes::{Access, Endpoint, ROUTES};

use crate::support::charts::{
    client, diagnosis, form, guardian, holding, message, note, release, revoked, session, staff,
    take_in, with,
};
use crate::support::server::{Answer, Server, spawn_with};

/// An id that nothing has, as long as the others.
const NOBODY: &str = "00000000000000000000000000000000";

/// Routes behind a token that are about no record by its id. A new one is named here, with what it
/// answers instead, or has an id in its path and is asked about all that is withheld.
const ABOUT_NONE: &[&str] = &[
    // Questions over a type, which are asked by every search parameter below.
    "GET /fhir/{type}",
    "POST /fhir/{type}/_search",
    "GET /fhir/Consent",
    "GET /fhir/Task",
    // What is sent is about whoever sends it (`tests/it/consent_write.rs`, `requests_task.rs`).
    "POST /fhir/Consent",
    "POST /fhir/Task",
    // Questions of another kind, which are asked as entries below.
    "POST /fhir",
    // What others send about whoever they like, which has one answer (`tests/it/receiving.rs`).
    "POST /fhir/Bundle",
    // What searches find, in files (`tests/it/bulk.rs`).
    "GET /fhir/$export",
    "POST /fhir/$export",
    "GET /fhir/Patient/$export",
    "POST /fhir/Patient/$export",
    // The audit: no scope here names it (`tests/it/audit.rs` asks it with one).
    "GET /fhir/AuditEvent",
    "GET /fhir/AuditEvent/{id}",
    "POST /fhir/AuditEvent/_search",
];

/// Something that is withheld, and why.
struct Withheld {
    why: &'static str,
    key: String,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// An app that a consent names.
    Recipient,
    /// A client, about herself.
    Client,
    /// A guardian of a child.
    Mother,
    /// A guardian who is barred from the child's record.
    Father,
}

struct Matrix {
    server: Server,
    token: String,
    withheld: Vec<Withheld>,
    /// What was answered about nobody, by what was asked.
    never: BTreeMap<String, Bare>,
    /// How often something was asked.
    asked: usize,
}

/// What of an answer does not name the request itself.
type Bare = (u16, BTreeMap<String, String>, String);

fn bare(answer: &Answer, id: &str) -> Bare {
    let skip = ["connection", "date", "x-request-id", "ratelimit", "ratelimit-policy"];
    let headers = answer.headers.iter().filter(|(name, _)| !skip.contains(&name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().replace(id, "ID")));
    (answer.status.as_u16(), headers.collect(), answer.text.replace(id, "ID"))
}

impl Matrix {
    /// A practice with one client who released diagnoses, one who is a child, and others about whom
    /// nothing is open.
    async fn new(asker: Asker) -> Self {
        let server = spawn_with(|_| Sources::default());
        take_in(&server, &records());
        let own = server.all_of(&server.token).await;
        let at = |name: &str, text: &str| holding(&own, name, text);
        let ids = Keys::open(server.data()).unwrap().id_key().tenant(&"hv".parse().unwrap());
        let note = |id: &str| format!("DocumentReference/{}", ids.id(Kind::SessionNote, id));
        let there = ["note_1", "note_2", "psy_1", "note_6"].map(|id| own.contains_key(&note(id)));
        assert_eq!(there, [true, false, false, true], "to the practice");
        let released = [
            ("a note that was not released", note("note_1")),
            ("a session", at("Encounter", "ses_1")),
            ("a message", at("Communication", "See the diary")),
            ("somebody else", at("RelatedPerson", "Kin")),
        ];
        let of_others = [
            ("a Part 2 record without a consent", at("Condition", "F10.20")),
            ("a client who said nothing", at("Patient", "Silent")),
            ("their diagnosis", at("Condition", "F32.1")),
            ("a consent that was taken back", at("Condition", "F33.0")),
            ("a consent that ended", at("Condition", "F43.1")),
        ];
        let apart = [("a psychotherapy note", note("psy_1")), ("a draft", note("note_2"))];
        let of_child = [
            ("a psychotherapy note of the child", note("psy_6")),
            ("a draft about the child", note("note_7")),
            ("a note withheld from proxies", note("note_6")),
        ];
        let all_of_child = [
            ("the child's diagnosis", at("Condition", "F40.1")),
            ("the child", at("Patient", "Young")),
        ];
        let opens = at("Condition", "F41.1");
        let child = at("Patient", "Young");
        let (token, withheld, opens) = match asker {
            Asker::Recipient => {
                let all = [&apart[..], &released, &of_others].concat();
                (server.of_recipient(), all, Some(opens))
            }
            Asker::Client => {
                let own = at("Patient", "Open");
                let all = [&apart[..], &of_others, &of_child, &all_of_child].concat();
                (server.of_person(&own, &own), all, Some(opens))
            }
            Asker::Mother => {
                let all = [&of_child[..], &apart, &of_others].concat();
                let mother = at("RelatedPerson", "Mother");
                (server.of_person(&mother, &child), all, Some(at("Condition", "F40.1")))
            }
            Asker::Father => {
                let all = [&of_child[..], &all_of_child, &apart, &of_others].concat();
                (server.of_person(&at("RelatedPerson", "Father"), &child), all, None)
            }
        };
        if let Some(key) = opens {
            assert_eq!(server.by_token(&token, &key).await.status, 200, "{asker:?} sees something");
        }
        let withheld = withheld.into_iter().map(|(why, key)| Withheld { why, key }).collect();
        Self { server, token, withheld, never: BTreeMap::new(), asked: 0 }
    }

    /// Asks the same about what is withheld and about nobody.
    async fn ask(
        &mut self,
        id: &str,
        why: &str,
        name: &str,
        ask: impl Fn(&Server, &str) -> RequestBuilder,
    ) {
        let send = async |id: &str| {
            let request = ask(&self.server, id).bearer_auth(&self.token);
            bare(&self.server.send(request).await, id)
        };
        if !self.never.contains_key(name) {
            let never = send(NOBODY).await;
            self.never.insert(name.to_owned(), never);
        }
        let there = send(id).await;
        assert_eq!(there, self.never[name], "{name}, about {why}");
        self.asked += 1;
    }
}

fn records() -> Vec<Value> {
    let mut all = staff();
    let people = [
        ("cl_1", "Open"),
        ("cl_2", "Silent"),
        ("cl_3", "Back"),
        ("cl_4", "Over"),
        ("cl_5", "Two"),
        ("cl_6", "Young"),
    ];
    all.extend(people.map(|(id, family)| client(id, family)));
    all.push(diagnosis("cl_1", "dx_1", "F41.1"));
    all.push(session(&["cl_1"], "ses_1"));
    all.push(note("cl_1", "psy_1", "psychotherapy", "signed"));
    all.push(note("cl_1", "note_1", "progress", "signed"));
    all.push(note("cl_1", "note_2", "progress", "draft"));
    all.push(message("cl_1", "msg_1"));
    all.push(guardian("cl_1", "Kin"));
    all.extend([form("cl_1", "con_1"), release("cl_1", "con_1", &["diagnosis"])]);
    all.push(diagnosis("cl_2", "dx_2", "F32.1"));
    all.push(diagnosis("cl_3", "dx_3", "F33.0"));
    all.extend([form("cl_3", "con_3"), revoked(release("cl_3", "con_3", &["diagnosis"]))]);
    all.push(diagnosis("cl_4", "dx_4", "F43.1"));
    let ended =
        with(release("cl_4", "con_4", &["diagnosis"]), json!({"expires": {"date": "2026-03-01"}}));
    all.extend([form("cl_4", "con_4"), ended]);
    let mut part2 = diagnosis("cl_5", "dx_5", "F10.20");
    part2["part2"] = json!(true);
    all.push(part2);
    all.extend([form("cl_5", "con_5"), release("cl_5", "con_5", &["diagnosis"])]);
    let child = all.iter_mut().find(|record| record["id"] == "cl_6").unwrap();
    child["data"]["birth_date"] = json!("2016-05-01");
    all.push(diagnosis("cl_6", "dx_6", "F40.1"));
    all.push(note("cl_6", "psy_6", "psychotherapy", "signed"));
    all.push(note("cl_6", "note_7", "progress", "draft"));
    let kept = json!({"visibility": {"client": "full", "proxies": "withheld"}});
    all.push(with(note("cl_6", "note_6", "progress", "signed"), kept));
    all.push(guardian("cl_6", "Mother"));
    let barred = json!({"restrictions": [{"kind": "no_records", "from": "2020-01-01"}]});
    all.push(with(guardian("cl_6", "Father"), barred));
    all
}

fn name(route: &Endpoint) -> String {
    format!("{} {}", route.method, route.pattern)
}

/// The pattern of a route, with what else names what it is about.
fn pattern(route: &Endpoint) -> String {
    let asked = if route.interaction == "docref" { "?patient={id}" } else { "" };
    format!("{}{asked}", route.pattern)
}

/// The path of a route about an id, below the base.
fn path(route: &Endpoint, resource_type: &str, id: &str) -> Option<String> {
    let path = pattern(route);
    let path = path.strip_prefix("/fhir/")?;
    let owner = path.split('/').next()?;
    // Of another type than the one that is asked about, it is still a way to ask about the id.
    let named =
        if owner == "{type}" { path.replacen("{type}", resource_type, 1) } else { path.to_owned() };
    let named = named.replace("{id}", id).replace("{type}", "Condition");
    Some(named.replace("{version}", "1").replace("{number}", "0"))
}

#[test]
fn every_route_behind_a_token_is_in_the_matrix() {
    let mut uncovered = Vec::new();
    for route in ROUTES.iter().filter(|route| route.access == Access::Bearer) {
        let is_asked = route.pattern.starts_with("/fhir/") && pattern(route).contains("{id}");
        if !is_asked && !ABOUT_NONE.contains(&name(route).as_str()) {
            uncovered.push(name(route));
        }
    }
    assert!(
        uncovered.is_empty(),
        "{uncovered:?}: put the id of what it is about into the path, or say in ABOUT_NONE why not"
    );
    let known: BTreeSet<String> = ROUTES.iter().map(name).collect();
    let stale: Vec<_> = ABOUT_NONE.iter().filter(|name| !known.contains(**name)).collect();
    assert!(stale.is_empty(), "no routes any more: {stale:?}");
}

fn asked_by_id(route: &Endpoint) -> bool {
    let is_named = !ABOUT_NONE.contains(&name(route).as_str());
    route.access == Access::Bearer && pattern(route).contains("{id}") && is_named
}

async fn ask_every_route(asker: Asker, headers: &[(&str, &str)]) {
    let mut matrix = Matrix::new(asker).await;
    let withheld = std::mem::take(&mut matrix.withheld);
    for Withheld { why, key } in &withheld {
        let (resource_type, id) = key.split_once('/').unwrap();
        for route in ROUTES.iter().filter(|route| asked_by_id(route)) {
            let methods: &[Method] = match route.method {
                "GET" => &[Method::GET, Method::HEAD],
                "DELETE" => &[Method::DELETE],
                "PUT" => &[Method::PUT],
                _ => &[Method::POST],
            };
            for method in methods {
                for (field, value) in headers {
                    let asked =
                        format!("{method} {} of {resource_type} with {field}", route.pattern);
                    matrix
                        .ask(id, why, &asked, |server, id| {
                            let path = path(route, resource_type, id).unwrap();
                            let request =
                                server.request(method.clone(), &path).header(*field, *value);
                            match (method, route.interaction) {
                                (&Method::POST, "search-type") => request.form(&[("_count", "5")]),
                                (&Method::POST, _) => request
                                    .header("Content-Type", "application/fhir+json")
                                    .body(r#"{"resourceType":"Parameters"}"#),
                                _ => request,
                            }
                        })
                        .await;
                }
            }
        }
        matrix
            .ask(id, why, &format!("a batch about {resource_type}"), |server, id| {
                // Who asks may see that they asked: the list grows with each request.
                let entries =
                    ROUTES.iter().filter(|r| r.is_entry() && r.pattern != "/fhir/AuditEvent");
                let urls = entries.filter_map(|route| path(route, resource_type, id));
                let entry: Vec<Value> =
                    urls.map(|url| json!({"request": {"method": "GET", "url": url}})).collect();
                let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": entry});
                let request = server.request(Method::POST, "");
                request.header("Content-Type", "application/fhir+json").body(batch.to_string())
            })
            .await;
    }
    let least =
        withheld.len() * ROUTES.iter().filter(|route| asked_by_id(route)).count() * headers.len();
    assert!(matrix.asked > least && least > 100, "{} of {least}", matrix.asked);
}

const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/fhir+json"),
    ("if-none-match", r#"W/"1-0a1b2c3d""#),
    ("if-modified-since", "Sat, 28 Nov 2026 00:00:00 GMT"),
    ("accept-encoding", "gzip"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_about_what_is_withheld_as_about_what_never_was() {
    ask_every_route(Asker::Recipient, HEADERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_a_client_about_others_as_about_nobody() {
    ask_every_route(Asker::Client, &HEADERS[..1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_a_proxy_about_what_she_may_not_see_as_about_nobody() {
    ask_every_route(Asker::Mother, &HEADERS[..1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_who_is_barred_from_a_childs_record_as_about_nobody() {
    ask_every_route(Asker::Father, &HEADERS[..1]).await;
}

/// Every search that can name a resource of that type by its id: by it, by references to it, by
/// chains that end there, by what refers to it, with what comes along.
fn searches(resource_type: &str) -> Vec<String> {
    let mut all = Vec::new();
    if param::search_type(resource_type).is_some() {
        let features = [
            "_total=accurate",
            "_summary=count",
            "_elements=id",
            "_sort=-_lastUpdated",
            "_count=0",
            "_include=*",
            "_lastUpdated=gt2000",
            "_security:not=V",
            "_tag:missing=false",
        ];
        all.extend(features.map(|feature| format!("{resource_type}?_id={{id}}&{feature}")));
        all.push(format!("{resource_type}?_id=nobody,{{id}}&_total=accurate"));
    }
    for source in param::served().filter_map(param::search_type) {
        let references = source.params.iter().filter(|one| one.kind == ParamKind::Reference);
        for one in references.filter(|one| one.refers_to(resource_type)) {
            let (from, name) = (source.name, one.name);
            all.push(format!("{from}?{name}={resource_type}/{{id}}&_total=accurate"));
            all.push(format!("{from}?{name}:{resource_type}={{id}}&_summary=count"));
            all.push(format!("{from}?{name}={resource_type}/{{id}}&_sort=-{name}&_count=1"));
            if param::search_type(resource_type).is_some() {
                all.push(format!("{from}?{name}:{resource_type}._id={{id}}&_total=accurate"));
                all.push(format!("{resource_type}?_id={{id}}&_revinclude={from}:{name}"));
                all.push(format!(
                    "{resource_type}?_has:{from}:{name}:_lastUpdated=gt2000&_id={{id}}"
                ));
            }
            for target in source.params.iter().filter(|other| other.name == "patient") {
                let target = target.name;
                all.push(format!(
                    "Patient?_has:{from}:{target}:{name}={resource_type}/{{id}}&_total=accurate"
                ));
            }
        }
    }
    all
}

async fn ask_every_search(asker: Asker) {
    let mut matrix = Matrix::new(asker).await;
    let withheld = std::mem::take(&mut matrix.withheld);
    let mut refused = 0;
    for Withheld { why, key } in &withheld {
        let (resource_type, id) = key.split_once('/').unwrap();
        for search in searches(resource_type) {
            matrix
                .ask(id, why, &search, |server, id| {
                    server.request(Method::GET, &search.replace("{id}", id))
                })
                .await;
            refused += usize::from(matrix.never[&search].0 != 200);
        }
    }
    assert!(matrix.asked > 600 && refused * 10 < matrix.asked, "{refused} of {}", matrix.asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_search_finds_of_what_is_withheld_what_it_finds_of_nobody() {
    ask_every_search(Asker::Recipient).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_search_finds_for_a_client_of_others_what_it_finds_of_nobody() {
    ask_every_search(Asker::Client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_search_finds_for_a_proxy_of_what_she_may_not_see_what_it_finds_of_nobody() {
    ask_every_search(Asker::Mother).await;
}
