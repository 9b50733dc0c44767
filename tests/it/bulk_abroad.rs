//! Exports as others fetch them: by a bulk client that is not ours, and of a Part 2 program.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::read::GzDecoder;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::audit::Event;
use throughline::policy::{Principal, Purpose, Under, notice};

use crate::bulk::{ask, begin, done};
use crate::support::server::{Server, TENANT, spawn_as_new};
use crate::support::signer::rsa_pem;
use crate::support::smart::client;

/// Whom the consents of the fixtures name.
const EHR: &str = "ehr-frfm";

/// A practice with these fixtures, and a client that may export.
fn practice(families: &[&str], more: &Value) -> Server {
    let clients = vec![client(EHR, "asymmetric", more)];
    let server = spawn_as_new(Config { clients, ..Config::default() });
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let paths: Vec<_> = families.iter().map(|family| fixtures.join(family)).collect();
    server.app.take_in(&paths).unwrap();
    server
}

fn token(server: &Server, scopes: &str) -> String {
    let principal = Principal {
        under: Some(Under::of_client(EHR, Some(Purpose::Treatment))),
        ..Principal::new(TENANT.parse().unwrap(), EHR, scopes)
    };
    server.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap().0
}

/// The text of the files of one list of a manifest, by type.
async fn files(server: &Server, token: &str, manifest: &Value, list: &str) -> Vec<(Value, String)> {
    let mut found = Vec::new();
    for file in manifest[list].as_array().unwrap() {
        let answer = ask(server, token, Method::GET, file["url"].as_str().unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let is_part2 = answer.text.contains("42CFRPart2");
        let noticed = !answer.header("x-part2-notice").is_empty();
        assert_eq!(is_part2 && file["type"] != "Consent", noticed, "{file}");
        found.push((file["type"].clone(), answer.text));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exporter_of_another_house_fetches_all_that_consent_gives() {
    let exporter = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin/smart-fetch");
    assert!(exporter.exists(), "PyPI's smart-fetch is missing: tests/tools installs it");
    let pem = rsa_pem();
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS384).unwrap();
    // It calls a key by its thumbprint (RFC 7638).
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).unwrap());
    let more = json!({ "jwks": { "keys": [jwk] }, "scopes": "system/*.rs" });
    let server = practice(&["practice", "solo-cbt"], &more);
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("key.pem"), folder.path().join("out"));
    std::fs::write(&file, &pem).unwrap();
    let arguments =
        ["bulk", "--group", "roster", "--type", "Patient,Condition,Encounter", "--fhir-url"];
    let output = Command::new(exporter)
        .args(arguments)
        .args([server.base.as_str(), "--smart-client-id", EHR, "--smart-key"])
        .args([&file, &out])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut got = Vec::new();
    for entry in std::fs::read_dir(&out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".ndjson.gz") {
            continue;
        }
        let text = std::io::read_to_string(GzDecoder::new(std::fs::File::open(&path).unwrap()));
        for line in text.unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            got.push(format!("{}/{}", line["resourceType"].as_str().unwrap(), line["id"]));
        }
    }
    got.sort();
    let token = token(&server, "system/*.rs");
    let mut expected = Vec::new();
    for kind in ["Patient", "Condition", "Encounter"] {
        let found = server
            .send(server.request(Method::GET, &format!("{kind}?_count=1000")).bearer_auth(&token));
        let bundle = found.await.json();
        for entry in bundle["entry"].as_array().unwrap() {
            let resource = &entry["resource"];
            if resource["resourceType"] == kind {
                expected.push(format!("{kind}/{}", resource["id"]));
            }
        }
    }
    expected.sort();
    assert_eq!(got, expected, "{said}");
    assert!(got.len() > 12, "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn part_2_records_are_exported_with_the_notice_and_the_consent_and_accounted_for() {
    let more = json!({ "jwks": { "keys": [] } });
    let server = practice(&["practice", "solo-cbt", "part2"], &more);
    let token = token(&server, "system/Condition.rs system/Encounter.rs");
    let url = begin(&server, &token, "$export").await;
    let manifest = done(&server, &token, &url).await;
    let output = files(&server, &token, &manifest, "output").await;
    let of = |kind: &str| {
        let texts = output.iter().filter(|(of, _)| of == kind).map(|(_, text)| text.as_str());
        texts.collect::<String>()
    };
    assert!(of("Encounter").contains("42CFRPart2"), "Part 2 records are there");
    assert!(of("Encounter").lines().any(|line| !line.contains("42CFRPart2")), "and others");
    let consents = of("Consent");
    assert!(consents.lines().count() >= 1, "the consent goes along, whatever the scopes");
    let notices = &manifest["extension"]["https://throughline.example/fhir/bulk-notices"];
    assert_eq!(notices[0]["text"], notice::STATEMENT, "to the letter");
    let said = files(&server, &token, &manifest, "error").await;
    let outcome: Value = serde_json::from_str(said[0].1.lines().next().unwrap()).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert!(outcome.to_string().contains(json!(notice::STATEMENT).to_string().trim_matches('"')));

    let kept = server.app.audit().ledger().entries(TENANT, 0, 1000).unwrap();
    let events = kept.iter().map(|entry| Event::of(&entry.body).unwrap());
    let exported = events.filter(|event| event.action.name() == "exported");
    let part2 = exported.flat_map(|event| event.shown.clone()).filter(|shown| shown.part2);
    assert!(part2.count() > 0, "they are counted as Part 2 records");

    // A practice without such records has no notice anywhere.
    let other = practice(&["practice", "solo-cbt"], &more);
    let token = self::token(&other, "system/Condition.rs system/Encounter.rs");
    let url = begin(&other, &token, "$export").await;
    let manifest = done(&other, &token, &url).await;
    assert!(!manifest.to_string().contains("42 CFR"), "{manifest}");
    assert_eq!(manifest["error"], json!([]));
    assert!(!files(&other, &token, &manifest, "output").await.is_empty());
}
