//! What every copy has to be, whatever is in the record.

use std::io::{Cursor, Read};

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn piece(resource_type: &str, id: &str, mut value: serde_json::Value) -> Piece {
    value["resourceType"] = json!(resource_type);
    value["id"] = json!(id);
    Piece {
        resource_type: resource_type.to_owned(),
        id: id.parse().unwrap(),
        version: "1".to_owned(),
        body: value.to_string().into_bytes().into(),
    }
}

/// A record whose texts are these.
fn pieces(name: &str, said: &str, sent: &str) -> Vec<Piece> {
    let patient = json!({ "reference": "Patient/p" });
    vec![
        piece("Patient", "p", json!({ "name": [{ "family": name }] })),
        piece("Condition", "c", json!({ "subject": patient, "code": { "text": said } })),
        piece(
            "Communication",
            "m",
            json!({ "subject": patient, "sent": sent, "payload": [{ "contentString": said }] }),
        ),
        piece(
            "DocumentReference",
            "d",
            json!({ "subject": patient, "description": said, "author": [{ "reference": "Practitioner/x" }] }),
        ),
    ]
}

fn options() -> Options {
    Options {
        purpose: Purpose::Access,
        language: Language::Spanish,
        sheet: Sheet::A4,
        at: "2026-11-28T03:02:01.5Z".parse().unwrap(),
        base: "https://fhir.example/fhir".to_owned(),
        reason: None,
    }
}

fn copy(pieces: Vec<Piece>) -> Package {
    build(
        &"p".parse().unwrap(),
        pieces,
        &Beside { log: Some(&[]), ..Beside::default() },
        &options(),
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_same_record_gives_the_same_bytes_in_any_order(
        name in "\\PC{0,12}", said in any::<String>(), sent in "(2026-0[1-9]-1[0-9]T10:00:00Z)?",
    ) {
        let all = pieces(&name, &said, &sent);
        let turned: Vec<Piece> = all.iter().rev().cloned().collect();
        let first = copy(all).zip().unwrap();
        prop_assert_eq!(&copy(turned).zip().unwrap(), &first);
        let mut archive = zip::ZipArchive::new(Cursor::new(&first)).unwrap();
        let mut page = String::new();
        archive.by_name("human/index.html").unwrap().read_to_string(&mut page).unwrap();
        prop_assert_eq!(page.matches("<script").count(), 0);
        let mut document = Vec::new();
        archive.by_name("document.json").unwrap().read_to_end(&mut document).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
        let text = document.to_string();
        prop_assert!(!text.contains("Practitioner/x"), "what is not there is not referred to");
    }
}

#[test]
fn a_patient_who_is_not_there_has_no_copy() {
    let nobody = build(&"q".parse().unwrap(), pieces("a", "b", ""), &Beside::default(), &options());
    assert!(matches!(nobody, Err(crate::error::Error::NotFound)));
}

/// Every narrative in a resource.
fn narratives(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            found.extend(members.get("div").and_then(|div| Some(div.as_str()?.to_owned())));
            members.values().for_each(|member| narratives(member, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| narratives(item, found)),
        _ => {}
    }
}

#[test]
fn what_is_hostile_is_shown_as_text() {
    let said = "<script>alert(1)</script><img src=x onerror=alert(1)> ]]> &amp; \u{202e}";
    let copy = copy(pieces(said, said, ""));
    let file = |path: &str| {
        let file = copy.files().iter().find(|file| file.path == path).unwrap();
        String::from_utf8(file.bytes.clone()).unwrap()
    };
    let document: serde_json::Value = serde_json::from_str(&file("document.json")).unwrap();
    let mut markup = vec![file("human/index.html")];
    narratives(&document, &mut markup);
    assert!(markup.len() > 2, "the document has narratives");
    for text in markup {
        assert!(!text.contains("<script>") && !text.contains("<img"), "{text}");
    }
}
