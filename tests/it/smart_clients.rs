//! Real clients of SMART: a backend with npm's jose, and an app with Python's fhirclient.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use throughline::app::Config;
use url::Url;

use crate::support::server::{Server, spawn_as_new};
use crate::support::signer::rsa_pem;
use crate::support::smart::{approval, client, clients};

fn tools(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn people(server: &Server) {
    let patient = |id: &str| {
        json!({
            "resourceType": "Patient", "id": id, "name": [{ "family": "Okafor" }],
            "meta": { "versionId": "1", "lastUpdated": "2026-11-25T10:00:00Z" }
        })
    };
    server.store("hv", "people", &[patient("p1"), patient("p2")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_in_javascript_gets_a_token_and_reads() {
    assert!(
        tools(".tools/node_modules/jose").exists(),
        "npm's jose is missing: tests/tools installs it"
    );
    let pem = rsa_pem();
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let mut jwk = json!(Jwk::from_encoding_key(&key, Algorithm::RS384).unwrap());
    jwk["kid"] = json!("k");
    let clients = vec![client("ehr", "asymmetric", &json!({ "jwks": { "keys": [jwk] } }))];
    let server = spawn_as_new(Config { clients, ..Config::default() });
    people(&server);
    let mut child = Command::new("node")
        .arg(tools("tests/clients/backend.mjs"))
        .args([server.base.as_str(), "ehr", "RS384"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(pem.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let saw: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({
        "status": 200, "scope": "system/Patient.rs", "type": "Bearer", "patients": 2,
        "goals": 403, "again": 401
    });
    assert_eq!(saw, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_python_connects_reads_refreshes_and_is_cut_off() {
    let python = tools(".tools/python/bin/python");
    assert!(python.exists(), "Python's fhirclient is missing: tests/tools installs it");
    let server = spawn_as_new(Config { clients: clients(), ..Config::default() });
    people(&server);
    let mut child = Command::new(python)
        .arg(tools("tests/clients/smart_app.py"))
        .args([server.base.as_str(), "app", "http://127.0.0.1:4567/redirect"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let Some(Ok(url)) = lines.next() else {
        let output = child.wait_with_output().unwrap();
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    };
    let url = Url::parse(&url).unwrap();
    let parameters: Vec<_> = url.query_pairs().into_owned().collect();
    let begun = server.begin(&parameters).await;
    let scope = "openid fhirUser launch/patient offline_access patient/*.read";
    let back = server.approve(&begun, approval(scope)).await;
    writeln!(input, "{back}").unwrap();
    let saw: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let expected = json!({ "patient": "p1", "family": "Okafor", "refreshed": true, "again": "p1" });
    assert_eq!(saw, expected);
    server.revoke().await;
    writeln!(input).unwrap();
    let last = lines.next().unwrap().unwrap();
    assert!(last.contains("Unauthorized"), "{last}");
    assert!(child.wait().unwrap().success());
}
