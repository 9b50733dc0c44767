//! `throughline clients` and `throughline keys`, as an administrator uses them beside a server.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use throughline::app::Config;

use crate::support::demo::run;
use crate::support::server::spawn_as;
use crate::support::smart::clients;

/// The exit code, and what was said.
fn say(data: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(arguments, data);
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_added_listed_given_a_new_secret_and_disabled_while_the_server_runs() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let server = spawn_as(data.clone(), Config { clients: clients(), ..Config::default() });
    let say = |arguments: &[&str]| say(data.path(), arguments);
    let add = [
        "clients",
        "add",
        "clinic",
        "--tenant",
        "hv",
        "--name",
        "Clinic",
        "--auth",
        "symmetric",
        "--redirect-uri",
        "https://clinic.example/back",
        "--scopes",
        "launch/patient patient/*.rs",
    ];
    let (code, secret) = say(&add);
    assert_eq!((code, secret.trim().len()), (0, 43), "{secret}");
    let (code, said) = say(&add);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the id is taken"), "{said}");
    let ask = |secret: String| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        let ask = server.client.post(server.url("/auth/token")).form(&form);
        let ask = ask.basic_auth("clinic", Some(secret.trim().to_owned()));
        let server = &server;
        async move { server.send(ask).await.json()["error"].clone() }
    };
    assert_eq!(ask(secret.clone()).await, json!("invalid_grant"), "the client is known");
    assert_eq!(ask("x".into()).await, json!("invalid_client"));
    let (_, listed) = say(&["clients", "list"]);
    assert_eq!(listed, "clinic  tenant hv  symmetric  Clinic\n");
    let (_, shown) = say(&["clients", "show", "clinic"]);
    assert!(shown.contains("clinic.example") && !shown.contains("argon2"), "{shown}");
    let (_, newer) = say(&["clients", "rotate", "clinic"]);
    assert_eq!(ask(newer.clone()).await, json!("invalid_grant"));
    assert_eq!(ask(secret.clone()).await, json!("invalid_grant"), "the old one stays for a while");
    let (_, newest) = say(&["clients", "rotate", "clinic", "--now"]);
    assert_eq!(ask(newest.clone()).await, json!("invalid_grant"));
    assert_eq!(ask(newer).await, json!("invalid_client"));
    assert_eq!(say(&["clients", "disable", "clinic"]).0, 0);
    assert_eq!(ask(newest.clone()).await, json!("invalid_client"));
    assert!(say(&["clients", "list"]).1.contains("DISABLED"));
    assert_eq!(say(&["clients", "disable", "clinic", "--undo"]).0, 0);
    assert_eq!(ask(newest).await, json!("invalid_grant"));
}

#[test]
fn what_is_wrong_with_a_client_is_said() {
    let data = tempfile::tempdir().unwrap();
    let add = |others: &[&str]| {
        let begin = ["clients", "add", "app", "--tenant", "hv", "--name", "App"];
        say(data.path(), &[&begin[..], others].concat())
    };
    for (others, part) in [
        (&["--auth", "public", "--scopes", "nonsense"][..], "`nonsense` is no scope"),
        (&["--auth", "public", "--scopes", "patient/*.rs"], "need `redirect_uris`"),
        (&["--auth", "asymmetric", "--scopes", "system/*.rs"], "has `jwks` or `jwks_url`"),
        (
            &["--auth", "asymmetric", "--scopes", "system/*.rs", "--jwks", "/nonexistent"],
            "/nonexistent",
        ),
    ] {
        let (code, said) = add(others);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(part), "{said}");
    }
    assert!(say(data.path(), &["clients", "show", "nobody"]).1.contains("there is no client"));
}

#[test]
fn keys_are_listed_and_rotated() {
    let data = tempfile::tempdir().unwrap();
    let (code, listed) = say(data.path(), &["keys", "list"]);
    assert_eq!((code, listed.lines().count()), (0, 2), "{listed}");
    assert!(listed.lines().all(|line| line.ends_with("  signs")), "{listed}");
    let (code, rotated) = say(data.path(), &["keys", "rotate"]);
    assert_eq!((code, rotated.lines().count()), (0, 4), "{rotated}");
    assert!(rotated.starts_with(&listed[..40]), "the old ones stay");
    assert_eq!(rotated.lines().filter(|line| line.ends_with("signs soon")).count(), 2);
    let token = say(data.path(), &["token"]);
    assert_eq!(token.0, 0, "{}", token.1);
}
