//! A name that a client goes by no longer: the practice's people keep it, and nobody else is shown it,
//! finds it, or can tell that there is one.
//!
//! Two servers with the same keys have the same records, but for that name. Whatever is asked of both
//! from outside has to be answered alike.

use std::fs;
use std::io::Read as _;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::config::{ReceivingSettings, Sources};

use crate::bulk::{begin, done};
use crate::receiving::{MAY, bundle, name, person, send};
use crate::support::charts::{
    EHR, client, diagnosis, form, guardian, holding, message, release, session, staff, take_in,
    with,
};
use crate::support::demo::run;
use crate::support::people::{ELLIE, demo_practice};
use crate::support::server::{Answer, Server, spawn_as};
use crate::support::visitor::Visitor;

/// The family name, and the given one, that the client left behind.
const FAMILY: &str = "Abelmann";
const GIVEN: &str = "Roswitha";

/// A child called Mills, a grown-up called Lopez, and for each a release to the same recipient.
fn records(has_former: bool) -> Vec<Value> {
    let mut names = vec![json!({ "use": "official", "family": "Mills", "given": ["Ada"] })];
    if has_former {
        names.insert(
            0,
            json!({ "use": "old", "family": FAMILY, "given": [GIVEN], "period": { "to": "2025-01-31" } }),
        );
    }
    let child =
        with(client("cl_1", "Mills"), json!({ "names": names, "birth_date": "2015-03-08" }));
    let kinds = ["diagnosis", "session_log", "message"];
    let mut consent = release("cl_1", "con_1", &kinds);
    consent["data"]["signer"] = json!({ "kind": "guardian", "id": "Mother" });
    let mut all = staff();
    all.extend([
        child,
        client("cl_2", "Lopez"),
        guardian("cl_1", "Mother"),
        diagnosis("cl_1", "dx_1", "F41.1"),
        diagnosis("cl_2", "dx_2", "F40.1"),
        session(&["cl_1"], "ses_1"),
        message("cl_1", "msg_1"),
        form("cl_1", "con_1"),
        consent,
        form("cl_2", "con_2"),
        release("cl_2", "con_2", &kinds),
    ]);
    all
}

/// The same practice with that name, and without.
struct Twins {
    with: Server,
    without: Server,
    patient: String,
}

fn config(settings: ReceivingSettings) -> Config {
    let clients =
        vec![crate::support::smart::client(EHR, "asymmetric", &json!({ "jwks": { "keys": [] } }))];
    Config { clients, sources: Sources::default(), receiving: settings, ..Config::default() }
}

impl Twins {
    fn new() -> Self {
        let with =
            spawn_as(Arc::new(tempfile::tempdir().unwrap()), config(ReceivingSettings::default()));
        let data = tempfile::tempdir().unwrap();
        fs::copy(with.data().join("keys.json"), data.path().join("keys.json")).unwrap();
        let without = spawn_as(Arc::new(data), config(ReceivingSettings::default()));
        take_in(&with, &records(true));
        take_in(&without, &records(false));
        let patient = format!("Patient/{}", with.patient("cl_1"));
        Self { with, without, patient }
    }

    /// Tokens of those outside: a recipient, the client, and the mother.
    async fn outside(&self) -> [(&'static str, String); 3] {
        let all = self.with.all_of(&self.with.token).await;
        let mother = holding(&all, "RelatedPerson", "Mother");
        [
            ("recipient", self.with.of_recipient()),
            ("client", self.with.of_person(&self.patient, &self.patient)),
            ("mother", self.with.of_person(&mother, &self.patient)),
        ]
    }

    /// What one of them answers, without what differs by its address and by when it was asked.
    async fn bare(
        server: &Server,
        token: &str,
        path: &str,
        etag: Option<&str>,
    ) -> (u16, String, String) {
        let mut request = server.request(Method::GET, path).bearer_auth(token);
        if let Some(etag) = etag {
            request = request.header("If-None-Match", etag);
        }
        let answer: Answer = server.send(request).await;
        let mut text = answer.text.replace(&server.base, "BASE");
        if let Ok(mut body) = serde_json::from_str::<Value>(&text)
            && body["resourceType"] == "Bundle"
            && let Some(bundle) = body.as_object_mut()
        {
            for member in ["id", "meta", "timestamp", "link"] {
                bundle.remove(member);
            }
            text = body.to_string();
        }
        (answer.status.as_u16(), answer.header("etag").to_owned(), text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_outside_can_tell_that_there_is_a_former_name() {
    let twins = Twins::new();
    let patient = &twins.patient;
    let id = &patient["Patient/".len()..];
    let mut paths: Vec<String> = [
        "Patient?family=Abelmann",
        "Patient?name=abel",
        "Patient?given=Roswitha",
        "Patient?name:contains=belman",
        "Patient?family:exact=Abelmann&_total=accurate",
        "Patient?family:missing=false&_sort=_id",
        "Patient?_sort=family",
        "Patient?_sort=-family",
        "Patient?_sort=name&_count=1",
        "Patient?_has:Condition:patient:code=F41.1&family=Abelmann",
        "Condition?patient.family=Abelmann",
        "Condition?patient.name:contains=belman&_summary=count",
        "Condition?code=F41.1&_include=Condition:patient",
        "Patient?family=Mills&_revinclude=Condition:patient",
    ]
    .map(str::to_owned)
    .into();
    paths.extend([
        patient.clone(),
        format!("{patient}?_elements=name"),
        format!("{patient}?_summary=true"),
        format!("{patient}/_history"),
        format!("{patient}/$everything?_count=100"),
        format!("Patient?_id={id}&family=Abelmann"),
    ]);
    for (who, token) in twins.outside().await {
        let there = token_of(&twins, who).await;
        for path in &paths {
            let with = Twins::bare(&twins.with, &token, path, None).await;
            let without = Twins::bare(&twins.without, &there, path, None).await;
            assert_eq!(with, without, "{who} {path}");
        }
        let read = Twins::bare(&twins.with, &token, patient, None).await;
        assert_eq!(read.0, 200, "{who}");
        assert!(read.2.contains("Mills"), "{who}");
        // These two tell when they were made.
        let summary = twins.with.by_token(&token, &format!("{patient}/$summary")).await;
        assert!(summary.text.contains("Mills") && !summary.text.contains(FAMILY), "{who}");
        let docref = format!("DocumentReference/$docref?patient={id}");
        let listed = twins.with.by_token(&token, &docref).await;
        assert!(listed.status == StatusCode::OK && !listed.text.contains(FAMILY), "{who}");
        let again = Twins::bare(&twins.with, &token, patient, Some(&read.1)).await;
        assert_eq!(again.0, 304, "{who}: the version is that of what is shown");
    }
    let sorted = twins.with.by_token(&twins.with.of_recipient(), "Patient?_sort=family").await;
    assert_eq!(sorted.ids().get(1).map(String::as_str), Some(id), "Lopez comes before Mills");
}

/// The token of the same person at the other server.
async fn token_of(twins: &Twins, who: &str) -> String {
    let server = &twins.without;
    match who {
        "recipient" => server.of_recipient(),
        "client" => server.of_person(&twins.patient, &twins.patient),
        _ => {
            let all = server.all_of(&server.token).await;
            server.of_person(&holding(&all, "RelatedPerson", "Mother"), &twins.patient)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_practice_keeps_a_former_name_and_finds_by_it() {
    let twins = Twins::new();
    let server = &twins.with;
    let read = server.get(&twins.patient).await.json();
    let old = read["name"].as_array().unwrap().iter().find(|name| name["use"] == "old").unwrap();
    assert_eq!((&old["family"], &old["period"]["end"]), (&json!(FAMILY), &json!("2025-01-31")));
    let id = &twins.patient["Patient/".len()..];
    for path in [
        "Patient?family=Abelmann",
        "Patient?name=roswitha",
        "Patient?given:exact=Roswitha",
        "Patient?name:contains=belman",
        "Patient?_has:Condition:patient:code=F41.1&family=abel",
    ] {
        assert_eq!(server.get(path).await.ids(), [id], "{path}");
    }
    assert_eq!(server.get("Condition?patient.family=Abelmann").await.ids().len(), 1);
    let sorted = server.get("Patient?_sort=family").await.ids();
    assert_eq!(sorted[0], id, "Abelmann comes before Lopez");
    let other = twins.without.get("Patient?_sort=family").await.ids();
    assert_eq!(other[1], id, "and Mills after");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_that_leaves_holds_a_former_name() {
    let twins = Twins::new();
    let server = &twins.with;
    let id = &twins.patient["Patient/".len()..];
    let token = server.of_recipient();
    let url = begin(server, &token, "Patient/$export").await;
    let manifest = done(server, &token, &url).await;
    let mut lines = 0;
    for file in manifest["output"].as_array().unwrap() {
        let text = server.by_token(&token, file["url"].as_str().unwrap()).await.text;
        lines += text.lines().count();
        assert!(!text.contains(FAMILY), "{text}");
    }
    assert!(lines > 4, "{manifest}");
    let summary = server.get(&format!("{}/$summary", twins.patient)).await;
    assert_eq!(summary.status, StatusCode::OK);
    assert!(summary.text.contains("Mills") && !summary.text.contains(FAMILY));
    let out = server.data().join("copy.zip");
    let file = out.to_str().unwrap();
    let made = run(&["package", "--tenant", "hv", "--patient", id, "--out", file], server.data());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut archive = zip::ZipArchive::new(fs::File::open(&out).unwrap()).unwrap();
    let mut named = false;
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        named |= text.contains("Mills");
        assert!(!text.contains(FAMILY) && !text.contains(GIVEN), "{:?}", entry.name());
    }
    assert!(named, "the copy says whose it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_calls_a_client_by_the_name_in_use() {
    let server = demo_practice();
    let mut left = with(
        client(ELLIE, "Reed"),
        json!({
            "names": [
                { "use": "old", "family": FAMILY, "given": [GIVEN] },
                { "use": "official", "family": "Reed", "given": ["Elena"] },
            ],
        }),
    );
    left["version"] = json!(90);
    left["updated_at"] = json!("2026-11-20T00:00:00.000Z");
    take_in(&server, &[left]);
    let mut visitor = Visitor::new();
    let page = visitor.begin(&format!("{}/portal", server.origin()), ELLIE).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Reed"), "{}", page.text);
    for path in ["/portal", "/portal/timeline", "/portal/seen"] {
        let page = visitor.get(&format!("{}{path}", server.origin())).await;
        assert!(!page.text.contains(FAMILY) && !page.text.contains(GIVEN), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_send_is_matched_by_a_former_name_only_where_that_is_set() {
    for match_former_names in [false, true] {
        let settings = config(ReceivingSettings { match_former_names });
        let server = spawn_as(Arc::new(tempfile::tempdir().unwrap()), settings);
        take_in(&server, &records(true));
        let own = server.get(&format!("Patient/{}", server.patient("cl_1"))).await.json();
        let sent = bundle(&person(&own["identifier"][0], FAMILY, "2015-03-08"));
        let kept = name(&send(&server, MAY, &sent.to_string()).await);
        let found = server.app.store().received_as(&"hv".parse().unwrap(), &kept).unwrap();
        let (received, _) = found.unwrap();
        assert_eq!(received.patient.is_some(), match_former_names);
    }
}
