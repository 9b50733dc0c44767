//! The platform launches an app from its own pages.

use serde_json::{Value, json};

use crate::support::people::{ADA, ELLIE, JOEL, MARISOL, demo_practice};
use crate::support::platform::Push;
use crate::support::server::{Answer, Server};
use crate::support::visitor::Visitor;

const SCOPES: &str = "launch openid fhirUser patient/Patient.rs patient/Encounter.rs";
const SESSION: &str = "ses_101";

fn context() -> Value {
    json!({
        "client_id": "app", "client": ELLIE, "session": SESSION, "user": { "staff": MARISOL },
        "intent": "reconcile", "need_patient_banner": false, "tenant": "harborview",
        "smart_style_url": "https://style.example/smart.json",
        "fhirContext": [{ "reference": "CareTeam/1" }],
    })
}

async fn launch(server: &Server, context: &Value) -> Answer {
    Push::launch(context).send(server).await
}

/// Redeems a launch as somebody; the page that they come to.
async fn redeem(server: &Server, launch: &str, account: &str) -> crate::support::visitor::Seen {
    let url = server.asking(SCOPES, &[("launch", launch)]);
    Visitor::new().begin(&url, account).await
}

#[tokio::test]
async fn who_launches_an_app_comes_straight_to_the_decision_about_that_record() {
    let server = demo_practice();
    let made = launch(&server, &context()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!(made["iss"], server.base);
    assert_eq!(made["expires_in"], 300);
    let page = redeem(&server, made["launch"].as_str().unwrap(), MARISOL).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("the care record of Ellie Marsh"), "{}", page.text);
}

#[tokio::test]
async fn nobody_goes_on_with_the_launch_of_somebody_else() {
    let server = demo_practice();
    for account in [JOEL, ELLIE, ADA] {
        let made = launch(&server, &context()).await.json();
        let page = redeem(&server, made["launch"].as_str().unwrap(), account).await;
        assert_eq!(page.status, 403, "{account}: {}", page.text);
        assert!(!page.text.contains("Marsh") || account == ELLIE, "nobody is named");
    }
}

#[tokio::test]
async fn a_launch_into_a_record_that_its_user_may_not_open_ends_at_a_page() {
    let server = demo_practice();
    let mut wrong = context();
    wrong["user"] = json!({ "staff": JOEL });
    let made = launch(&server, &wrong).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let page = redeem(&server, made.json()["launch"].as_str().unwrap(), JOEL).await;
    assert_eq!(page.status, 403);
}

#[tokio::test]
async fn a_launch_names_what_is_there_in_the_form_it_has() {
    let server = demo_practice();
    for (field, value) in [
        ("client", json!("cl_none")),
        ("session", json!("ses_none")),
        ("user", json!({ "staff": "st_none" })),
        ("user", json!({ "robot": "r2" })),
        ("smart_style_url", json!("http://style.example/")),
        ("smart_style_url", json!("javascript:alert(1)")),
        ("fhirContext", json!(["CareTeam/1"])),
        ("fhirContext", json!([{ "reference": "https://evil.example/Patient/1" }])),
        ("fhirContext", json!([{ "reference": "CareTeam/a b" }])),
        ("fhirContext", json!([{}])),
        ("surprise", json!(1)),
    ] {
        let mut wrong = context();
        wrong[field] = value.clone();
        let answer = launch(&server, &wrong).await;
        assert_eq!(answer.status, 400, "{field} {value}: {}", answer.text);
    }
    let mut other = context();
    other["client"] = json!(ADA);
    assert_eq!(launch(&server, &other).await.status, 400, "another client's session");
}

#[tokio::test]
async fn only_a_platform_makes_a_launch() {
    let server = demo_practice();
    let good = Push::launch(&context());
    for (name, wrong, status) in [
        (
            "another secret",
            Push { secret: "another-secret-of-the-same-length-00000000001".into(), ..good.clone() },
            401,
        ),
        ("another source", Push { source: "web".into(), ..good.clone() }, 401),
        ("an old signature", Push { timestamp: good.timestamp - 3_600, ..good.clone() }, 400),
    ] {
        assert_eq!(wrong.send(&server).await.status, status, "{name}");
    }
    let url = format!("{}/auth/launch", server.origin());
    let mut changed = good.request(&server.client, &url);
    changed = changed.body(context().to_string().replace(ELLIE, ADA));
    assert_eq!(server.send(changed).await.status, 401, "another body");
    let push = Push { target: "/platform/records", ..good.clone() };
    assert_eq!(server.send(push.request(&server.client, &url)).await.status, 401, "of a push");
    let bearer = server.client.post(&url).bearer_auth(&server.token).json(&context());
    assert_eq!(server.send(bearer).await.status, 401, "a token");
}
