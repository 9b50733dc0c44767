//! What is carried out of the house holds no marker of `fixtures/sentinel`: the bodies that a foreign
//! server receives, and the files behind links once they are decrypted by a program that is not ours.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cases::text_of;
use crate::links::foreign;
use crate::sentinel::{markers, records};
use crate::support::charts::{EHR, form, release};
use crate::support::receiver::{self, Way};
use crate::support::served::{Served, command, settled};

/// The client of the fixture who may be shown, and what shows that it is theirs.
const ANN: &str = "cl_a";
const VISIBLE: &[&str] = &["Visible", "Visible progress."];
/// In which forms records are carried, and where to.
const FORMS: &[(&str, &str)] = &[
    ("transaction", "POST /fhir"),
    ("document", "POST /fhir/Bundle"),
    ("message", "POST /fhir/$process-message"),
];

/// A text, what is base64 in it, and the text of that.
fn unfolded(text: &str) -> String {
    let parsed = serde_json::from_str::<Value>(text);
    let mut whole = parsed.as_ref().map(text_of).unwrap_or_default();
    let mut texts = Vec::new();
    if let Ok(value) = &parsed {
        strings(value, &mut texts);
    }
    for one in texts {
        let bytes = STANDARD.decode(one).unwrap_or_default();
        whole.push_str(&String::from_utf8_lossy(&bytes));
    }
    whole + text
}

fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

/// Fails where a text that left holds a marker, or does not hold what was to leave.
fn holds_no_marker(what: &str, text: &str, markers: &BTreeSet<String>) {
    let whole = unfolded(text);
    let found: Vec<_> = markers.iter().filter(|marker| whole.contains(marker.as_str())).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
    for visible in VISIBLE {
        assert!(whole.contains(visible), "{what} is about her: {visible}");
    }
}

/// A practice with the records of the sentinel, whose client has let a receiver have all of hers.
fn practice(way: &str) -> Served {
    let mut settings = String::from("[jobs]\nlook_s = 1\n");
    for (takes, _) in FORMS {
        write!(
            settings,
            "[[receivers]]\nname = '{takes}'\ntenant = 'hv'\ntitle = 'Front Range'\n\
             client = '{EHR}'\nbase_url = '{way}'\ntakes = '{takes}'\nunmatched = 'create'\n\
             private_networks = ['127.0.0.0/8']\n"
        )
        .unwrap();
    }
    write!(
        settings,
        "[[clients]]\nid = '{EHR}'\ntenant = 'hv'\nname = 'Front Range'\nauth = 'public'\n\
         redirect_uris = ['https://app.example/back']\nscopes = 'system/*.rs'\n"
    )
    .unwrap();
    let folder = settled(&settings);
    let kinds = [
        "session_note",
        "message",
        "session_log",
        "appointment",
        "attachment",
        "diagnosis",
        "episode",
    ];
    let consent = folder.path().join("consent.ndjson");
    let lines = [form(ANN, "con_ehr"), release(ANN, "con_ehr", &kinds)].map(|one| one.to_string());
    fs::write(&consent, lines.join("\n") + "\n").unwrap();
    let files = [records(), consent].map(|path| path.display().to_string());
    let output = command(folder.path(), &["ingest", &files[0], &files[1]]).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    let serve = command(folder.path(), &["serve"]);
    Served::run(folder, serve)
}

fn run(served: &Served, arguments: &[&str]) -> String {
    let output = command(served.folder.path(), arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_marker_is_in_what_a_foreign_server_receives() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, []).await;
    let served = practice(&way.base);
    let markers = markers();
    for (takes, place) in FORMS {
        let create = ["transfer", "create", "--client", ANN, "--to", takes, "--reason", "Moves"];
        let id = run(&served, &[&create[..], &["--approve"]].concat());
        let began = Instant::now();
        let sent = loop {
            let seen = way.seen.lock().unwrap().clone();
            if let Some((_, body)) = seen.into_iter().find(|(line, _)| line == place) {
                break body;
            }
            let shown = run(&served, &["transfer", "show", id.trim(), "--json"]);
            assert!(began.elapsed() < Duration::from_mins(1), "{takes}: {shown}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        holds_no_marker(takes, &sent, &markers);
    }
    // Whom a server was asked about, too.
    for (line, body) in way.seen.lock().unwrap().iter() {
        let found: Vec<_> = markers.iter().filter(|marker| body.contains(*marker)).collect();
        assert!(found.is_empty(), "{line}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_marker_is_in_what_a_link_holds() {
    let served = practice("http://127.0.0.1:9/fhir");
    let patients = served.get("Patient?family=Visible").bearer_auth(served.token()).send().await;
    let found: Value = patients.unwrap().json().await.unwrap();
    let id = found["entry"][0]["resource"]["id"].as_str().unwrap();
    let base = format!("server.base_url=http://{}/fhir", served.address);
    let create = ["link", "create", "--tenant", "hv", "--patient", id, "--set", &base];
    let for_whom: [&[&str]; 2] = [
        &["--no-passcode"],
        &["--direct", "--purpose", "transfer", "--to", EHR, "--reason", "Moves"],
    ];
    let markers = markers();
    for more in for_whom {
        let said = run(&served, &[&create[..], more].concat());
        let link = said.lines().find_map(|line| line.strip_prefix("link      ")).unwrap();
        let asking = json!([{ "link": link, "recipient": "Elm Street" }]);
        let seen = tokio::task::spawn_blocking(move || foreign(&asking)).await.unwrap();
        let resources = &seen[0]["resources"];
        assert!(resources.as_array().is_some_and(|all| !all.is_empty()), "{seen}");
        holds_no_marker(&more.join(" "), &resources.to_string(), &markers);
    }
}
