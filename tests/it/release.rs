//! `throughline release-note`: the only way out for psychotherapy and SUD counselling notes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use throughline::app::Config;
use throughline::policy::notice;

use crate::consents::{form, note, people, release, take_in};
use crate::support::demo::run;
use crate::support::server::{Server, spawn_as};

/// The practice's people, with a note of each plane that is kept apart, each with a marker.
fn records() -> Vec<Value> {
    let mut all = people();
    for (id, class) in [("psy_1", "psychotherapy"), ("sud_1", "sud_counseling")] {
        let mut apart = note("cl_1", id, class, "signed");
        apart["data"]["separated"] = json!(true);
        apart["data"]["sections"][0]["text"] = json!(format!("ZZAPART {id} and ZZTHIRD"));
        let at = format!("ZZAPART {id} and ").len();
        apart["data"]["third_party_spans"] =
            json!([{"section": "n", "start": at, "end": at + 7, "kind": "relative"}]);
        all.push(apart);
    }
    all
}

fn authorization(id: &str, form_of: &str, class: &str) -> Value {
    let mut consent = release("cl_1", id, 1, &["session_note"]);
    consent["data"]["type"] = json!(form_of);
    consent["data"]["scope"]["note_classes"] = json!([class]);
    consent
}

struct Desk {
    server: Server,
    data: Arc<tempfile::TempDir>,
}

impl Desk {
    fn new() -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let server = spawn_as(Arc::clone(&data), Config::default());
        take_in(&server, &records());
        Self { server, data }
    }

    fn say(&self, arguments: &[&str]) -> (i32, String) {
        let output = run(arguments, self.data.path());
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    fn release(&self, note: &str, to: &str, purpose: &str, out: &Path) -> (i32, String) {
        let out = out.to_str().unwrap();
        self.say(&["release-note", "--note", note, "--to", to, "--purpose", purpose, "--out", out])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_authorization_of_the_right_type_releases_a_note_that_is_kept_apart() {
    let desk = Desk::new();
    let out = desk.data.path().join("note.txt");
    let ehr = "client:ehr-frfm";
    let (code, said) = desk.release("psy_1", ehr, "TREAT", &out);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("C.2-2") && !out.exists(), "{said}");
    // A general release that lists such notes is none for them.
    take_in(
        &desk.server,
        &[form("cl_1", "con_roi"), authorization("con_roi", "roi", "psychotherapy")],
    );
    let (code, said) = desk.release("psy_1", ehr, "TREAT", &out);
    assert_eq!((code, said.contains("C.2-6")), (1, true), "{said}");
    let right = authorization("con_psy", "psychotherapy_authorization", "psychotherapy");
    take_in(&desk.server, &[form("cl_1", "con_psy"), right]);
    for (note, to, purpose) in [
        ("psy_1", "client:another", "TREAT"),
        ("psy_1", ehr, "HPAYMT"),
        ("psy_1", ehr, "BTG"),
        ("sud_1", ehr, "TREAT"),
    ] {
        let (code, said) = desk.release(note, to, purpose, &out);
        assert_eq!(code, 1, "{note} to {to} for {purpose}: {said}");
        assert!(!out.exists() && !said.contains("ZZAPART"));
    }
    assert_eq!(desk.release("nobody", ehr, "TREAT", &out).0, 2);
    assert_eq!(desk.release("note_cl_1", ehr, "TREAT", &out).0, 2, "a note of the general plane");
    let (code, said) = desk.release("psy_1", ehr, "TREAT", &out);
    assert_eq!(code, 0, "{said}");
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("ZZAPART psy_1") && text.contains("PSYTHPN"), "{text}");
    assert!(text.contains("con_psy") && !text.contains("ZZTHIRD"), "{text}");
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(desk.release("psy_1", ehr, "TREAT", &out).0, 2, "a file is never overwritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sud_counselling_note_goes_with_its_own_consent_and_the_notice() {
    let desk = Desk::new();
    let out = desk.data.path().join("note.txt");
    let consent = authorization("con_sud", "part2_counseling_notes", "sud_counseling");
    take_in(&desk.server, &[form("cl_1", "con_sud"), consent]);
    let (code, said) = desk.release("sud_1", "client:ehr-frfm", "TREAT", &out);
    assert_eq!(code, 0, "{said}");
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains(notice::STATEMENT) && text.contains("ZZAPART sud_1"), "{text}");
    assert_eq!(desk.release("psy_1", "client:ehr-frfm", "TREAT", &out.with_extension("b")).0, 1);
    let patient = desk.server.patient("cl_1").to_string();
    let (code, told) = desk.say(&["audit", "disclosures", "--tenant", "hv", "--patient", &patient]);
    assert!(code == 0 && told.contains("1 note kept apart"), "42 CFR 2.25: {told}");
    assert!(told.contains("client:ehr-frfm") && !told.contains("sud_1"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_written_down_on_a_stream_of_its_own_and_shows_nowhere_else() {
    let desk = Desk::new();
    let right = authorization("con_psy", "psychotherapy_authorization", "psychotherapy");
    take_in(&desk.server, &[form("cl_1", "con_psy"), right]);
    let out = desk.data.path().join("note.txt");
    assert_eq!(desk.release("psy_1", "client:ehr-frfm", "TREAT", &out).0, 0);
    assert_eq!(desk.release("psy_1", "client:else", "TREAT", &out.with_extension("b")).0, 1);
    let (_, apart) = desk.say(&["audit", "search", "--tenant", "hv", "--apart", "--json"]);
    assert_eq!(apart.lines().filter(|line| line.contains("psy_1")).count(), 2, "{apart}");
    assert!(apart.contains("C.2-2") && apart.contains("con_psy"));
    let (_, general) = desk.say(&["audit", "search", "--tenant", "hv", "--json"]);
    assert!(!general.contains("psy_1"), "{general}");
    let (code, verified) = desk.say(&["audit", "verify"]);
    assert_eq!(code, 0, "{verified}");
    assert!(verified.contains("hv/apart: as written"), "{verified}");
    let server = &desk.server;
    for token in [server.of_practice(), server.of_ehr()] {
        let found = server.all_of(&token).await;
        let text = serde_json::to_string(&found).unwrap();
        assert!(!text.contains("ZZAPART"), "nothing shows");
        for key in found.keys().filter(|key| key.starts_with("Patient/")) {
            let all = server.asked(&token, &format!("{key}/$everything")).await;
            assert!(!all.text.contains("ZZAPART"));
        }
    }
}
