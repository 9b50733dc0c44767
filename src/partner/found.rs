//! Whom a server knows (<https://hl7.org/fhir/R4/patient-operation-match.html>).
//!
//! Nobody is taken for somebody on a guess: only one match that the server calls certain counts.

use serde_json::{Value, json};

/// How many are asked for.
pub(super) const MOST: u32 = 5;
/// The extension that grades a match.
const GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";

/// Who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nobody.
    Nobody,
    /// This one, for certain: `Patient/…`.
    One(String),
    /// Somebody who may be it, or more than one.
    Unsure,
}

/// What a server is told of a person to look for them: who they are, and nothing of their care.
pub(super) fn asked(person: &Value) -> Value {
    let mut asked = json!({ "resourceType": "Patient" });
    let told = ["identifier", "name", "telecom", "gender", "birthDate", "address"];
    if let Some(members) = asked.as_object_mut() {
        for name in told {
            if let Some(value) = person.get(name) {
                members.insert(name.to_owned(), value.clone());
            }
        }
    }
    asked
}

fn patients(bundle: &Value) -> Option<Vec<&Value>> {
    if bundle.get("resourceType")? != "Bundle" {
        return None;
    }
    let entries = bundle.get("entry").and_then(Value::as_array);
    let is_match = |entry: &&Value| {
        entry.pointer("/search/mode").and_then(Value::as_str) != Some("outcome")
            && entry.pointer("/resource/resourceType").and_then(Value::as_str) == Some("Patient")
    };
    Some(entries.into_iter().flatten().filter(is_match).collect())
}

fn name(entry: &Value) -> Option<String> {
    let id = entry.pointer("/resource/id")?.as_str()?;
    let is_id = (1..=64).contains(&id.len())
        && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'.');
    is_id.then(|| format!("Patient/{id}"))
}

/// Who is in the answer to a search by an identifier of ours.
pub(super) fn searched(bundle: &Value) -> Option<Found> {
    Some(match patients(bundle)?.as_slice() {
        [] => Found::Nobody,
        [one] => Found::One(name(one)?),
        _ => Found::Unsure,
    })
}

/// Who is in the answer to `$match`.
pub(super) fn matched(bundle: &Value) -> Option<Found> {
    let grade = |entry: &Value| {
        let all = entry.pointer("/search/extension").and_then(Value::as_array);
        let mut graded =
            all.into_iter().flatten().filter(|one| one.get("url") == Some(&GRADE.into()));
        graded.next()?.get("valueCode")?.as_str().map(str::to_owned)
    };
    let mut likely = patients(bundle)?;
    likely.retain(|entry| grade(entry).as_deref() != Some("certainly-not"));
    Some(match likely.as_slice() {
        [] => Found::Nobody,
        [one] if grade(one).as_deref() == Some("certain") => Found::One(name(one)?),
        _ => Found::Unsure,
    })
}

/// Whether every entry of a transaction was taken.
pub(super) fn all_taken(bundle: &Value) -> bool {
    let is_kind = |kind: &str| bundle.get("type").and_then(Value::as_str) == Some(kind);
    let entries = bundle.get("entry").and_then(Value::as_array);
    is_kind("transaction-response")
        && entries.is_some_and(|entries| {
            entries.iter().all(|entry| {
                let status = entry.pointer("/response/status").and_then(Value::as_str);
                status.is_some_and(|status| status.starts_with('2') || status.starts_with("304"))
            })
        })
}

/// Whether it is the answer to a message, and not one of an error.
pub(super) fn is_response(bundle: &Value) -> bool {
    bundle.pointer("/entry/0/resource/response/code").and_then(Value::as_str) == Some("ok")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(entries: &[(&str, Option<&str>)]) -> Value {
        let entries = entries.iter().map(|(id, grade)| {
            let extension = grade.map(|grade| json!([{ "url": GRADE, "valueCode": grade }]));
            json!({
                "resource": { "resourceType": "Patient", "id": id },
                "search": { "mode": "match", "score": 0.99, "extension": extension },
            })
        });
        json!({ "resourceType": "Bundle", "type": "searchset", "entry": entries.collect::<Vec<_>>() })
    }

    #[test]
    fn only_one_certain_match_is_somebody() {
        let one = |id: &str| Some(Found::One(format!("Patient/{id}")));
        for (entries, found) in [
            (&[][..], Some(Found::Nobody)),
            (&[("a", Some("certain"))], one("a")),
            (&[("a", Some("certain")), ("b", Some("certainly-not"))], one("a")),
            (&[("a", Some("certainly-not"))], Some(Found::Nobody)),
            (&[("a", Some("probable"))], Some(Found::Unsure)),
            (&[("a", None)], Some(Found::Unsure)),
            (&[("a", Some("certain")), ("b", Some("possible"))], Some(Found::Unsure)),
            (&[("a", Some("certain")), ("b", Some("certain"))], Some(Found::Unsure)),
            (&[("../x", Some("certain"))], None),
        ] {
            assert_eq!(matched(&bundle(entries)), found, "{entries:?}");
        }
        assert_eq!(matched(&json!({ "resourceType": "OperationOutcome" })), None);
    }

    #[test]
    fn who_is_looked_for_is_told_by_who_they_are_alone() {
        let person = json!({
            "resourceType": "Patient", "id": "x", "birthDate": "1999-03-08",
            "generalPractitioner": [{ "reference": "Practitioner/1" }], "communication": [{}],
        });
        assert_eq!(asked(&person), json!({ "resourceType": "Patient", "birthDate": "1999-03-08" }));
    }

    #[test]
    fn a_transaction_is_taken_when_every_entry_is() {
        let answer = |status: &[&str]| {
            let entries = status.iter().map(|status| json!({ "response": { "status": status } }));
            json!({ "type": "transaction-response", "entry": entries.collect::<Vec<_>>() })
        };
        assert!(all_taken(&answer(&["201 Created", "200 OK"])));
        assert!(!all_taken(&answer(&["201 Created", "412"])));
        assert!(!all_taken(&json!({ "type": "batch-response", "entry": [] })));
    }
}
