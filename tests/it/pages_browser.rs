//! Real people's side: a real SMART app (npm fhirclient) in a real browser, the pages inspected by
//! axe, at three widths, in both themes and both languages, and by keyboard alone.

use serde_json::json;
use throughline::config::LoginSettings;

use crate::support::browser::{drive, free_port};
use crate::support::people::{
    ELLIE, JOEL, LUCIA, MARISOL, MATEO, PRACTICE, accounts, practice, practice_at,
};
use crate::support::platform::Push;
use crate::support::provider::Provider;

#[test]
fn a_smart_app_is_connected_by_people_and_cut_off_by_them() {
    let port = free_port();
    let app = format!("http://127.0.0.1:{port}");
    let login = LoginSettings::of_demo("hv", PRACTICE, accounts());
    let server = practice(login, &format!("{app}/app.html"), std::slice::from_ref(&app));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let context = json!({
        "client_id": "app", "client": ELLIE, "session": "ses_101", "user": { "staff": MARISOL },
        "need_patient_banner": false, "intent": "review",
    });
    let launch = runtime.block_on(Push::launch(&context).send(&server)).json();
    let saw = drive(
        "smart.mjs",
        &json!({
            "base": server.base, "port": port, "launch": launch["launch"],
            "ellie": ELLIE, "lucia": LUCIA, "marisol": MARISOL, "joel": JOEL,
        }),
    );
    let patient = |client: &str| server.patient(client).to_string();
    let standalone = &saw["standalone"];
    assert_eq!(standalone["patient"], patient(ELLIE));
    assert_eq!(standalone["read"], patient(ELLIE), "the app reads the Patient");
    assert_eq!(standalone["user"], format!("Patient/{}", patient(ELLIE)));
    assert_eq!(standalone["userRead"], "Patient");
    assert!(standalone["sessions"].as_u64().unwrap() > 0, "{saw}");
    assert_eq!(standalone["notes"], 403, "what was left out");
    assert_eq!(standalone["refreshed"], true);
    assert_eq!(standalone["afterStop"], 401, "within a second");
    assert_eq!(standalone["refreshAfterStop"], "refused");
    let launched = &saw["launched"];
    assert_eq!(launched["patient"], patient(ELLIE));
    assert_eq!(launched["banner"], false);
    assert_eq!(launched["intent"], "review");
    assert!(launched["user"].as_str().unwrap().starts_with("Practitioner/"));
    assert!(launched["encounter"].is_string());
    let chosen = &saw["chosen"];
    assert!(chosen["patient"].is_string() && chosen["encounter"].is_string(), "{saw}");
    assert_eq!(chosen["refreshed"], true, "while they are signed in");
    assert_eq!(chosen["refreshAfterSigningOut"], "refused");
    assert_eq!(saw["keyboard"]["patient"], patient(MATEO), "without a mouse");
    assert!(saw["keyboard"]["user"].as_str().unwrap().starts_with("RelatedPerson/"));
    assert_eq!(saw["keyboard"]["afterStop"], 401, "stopped without a mouse");
    assert_eq!(saw["inspected"], 15, "{saw}");
}

#[test]
fn somebody_signs_in_at_the_provider_and_out_of_both() {
    let mut provider = Provider::start(&json!({ "ellie": { "client_record": ELLIE } }));
    let (server, _folder) = practice_at(&provider);
    provider.serve(server.origin());
    let settings =
        json!({ "origin": server.origin(), "issuer": provider.issuer, "account": "ellie" });
    let saw = drive("sign-in.mjs", &settings);
    assert_eq!(saw["who"], "Signed in as Ellie Marsh");
    assert_eq!(saw["httpOnly"], true);
    assert_eq!(saw["sameSite"], "Lax");
    assert_eq!(saw["after"], provider.issuer, "nobody is signed in any more");
}
