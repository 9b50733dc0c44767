//! What a Bundle has to be before it is kept: about one person, of a form that says what it is, and
//! nothing that would do something here.

use serde_json::Value;

use crate::exchange::ingest::{Reject, read_json};

/// The most entries.
const ENTRIES: usize = 5_000;
/// The forms that are kept.
const FORMS: [&str; 3] = ["document", "collection", "transaction"];

/// A Bundle that can be kept.
#[derive(Debug)]
pub(super) struct Sent {
    /// Its form.
    pub(super) form: &'static str,
    /// The Patient whom it is about.
    pub(super) patient: Value,
}

/// Looks at the bytes of a Bundle.
pub(super) fn inspect(bytes: &[u8]) -> Result<Sent, Reject> {
    let bundle = read_json(bytes)?.value;
    let wrong = |pointer: &str, detail: &str| Reject::new("hostile_bundle", pointer, detail);
    if text(&bundle, "/resourceType") != Some("Bundle") {
        return Err(wrong("/resourceType", "it is no Bundle: send one"));
    }
    let form = FORMS.into_iter().find(|form| text(&bundle, "/type") == Some(*form));
    let form = form.ok_or_else(|| {
        wrong("/type", "send a Bundle of type document, collection or transaction")
    })?;
    let entries = bundle.get("entry").and_then(Value::as_array).map(Vec::as_slice);
    let entries = entries.unwrap_or_default();
    if entries.is_empty() || entries.len() > ENTRIES {
        return Err(wrong("/entry", "a Bundle has 1 to 5000 entries: split a longer one"));
    }
    let mut patient: Option<&Value> = None;
    for (place, entry) in entries.iter().enumerate() {
        let at = |rest: &str| format!("/entry/{place}{rest}");
        let resource_type = text(entry, "/resource/resourceType");
        let resource_type = resource_type.ok_or_else(|| {
            wrong(&at("/resource"), "the entry has no resource: leave the entry out")
        })?;
        if form == "document" && place == 0 && resource_type != "Composition" {
            return Err(wrong(&at("/resource"), "a document begins with its Composition"));
        }
        let method = entry.pointer("/request/method");
        if method.is_some_and(|method| !matches!(method.as_str(), Some("POST" | "PUT"))) {
            return Err(wrong(&at("/request/method"), "only what is to be kept can be sent: POST"));
        }
        if resource_type == "Patient" && patient.replace(entry).is_some() {
            return Err(wrong(&at("/resource"), "a Bundle is about one person: send one for each"));
        }
    }
    let Some(entry) = patient else {
        return Err(wrong("/entry", "the Bundle has no Patient: send the one whom it is about"));
    };
    let names = names(entry);
    for (place, entry) in entries.iter().enumerate() {
        for element in ["subject", "patient"] {
            let pointer = format!("/resource/{element}/reference");
            let target = text(entry, &pointer).filter(|target| is_of_person(target));
            if target.is_some_and(|target| !names.iter().any(|name| name == target)) {
                let pointer = format!("/entry/{place}{pointer}");
                let detail = "the entry is about somebody who is not in the Bundle";
                return Err(wrong(&pointer, detail));
            }
        }
    }
    Ok(Sent { form, patient: entry.get("resource").cloned().unwrap_or_default() })
}

/// What an entry's resource may be called in references.
fn names(entry: &Value) -> Vec<String> {
    let full = text(entry, "/fullUrl").map(str::to_owned);
    let relative = text(entry, "/resource/id").map(|id| format!("Patient/{id}"));
    full.into_iter().chain(relative).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Whether a reference may be one to a person: to a Patient, or to what only the Bundle knows.
fn is_of_person(target: &str) -> bool {
    target.starts_with("urn:") || target.rsplit('/').nth(1) == Some("Patient")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bundle(form: &str, entries: &Value) -> Vec<u8> {
        json!({ "resourceType": "Bundle", "type": form, "entry": entries }).to_string().into_bytes()
    }

    #[test]
    fn a_bundle_about_one_person_is_taken_and_any_other_is_refused_where_it_is_wrong() {
        let patient = json!({ "fullUrl": "urn:uuid:p", "resource": { "resourceType": "Patient" } });
        let goal = |of: &str| json!({ "resource": { "resourceType": "Goal", "subject": { "reference": of } } });
        let composition = json!({ "resource": { "resourceType": "Composition" } });
        let delete = json!({ "resource": { "resourceType": "Goal" },
            "request": { "method": "DELETE", "url": "Goal/1" } });
        let taken = inspect(&bundle("collection", &json!([patient, goal("urn:uuid:p")]))).unwrap();
        assert_eq!((taken.form, &taken.patient["resourceType"]), ("collection", &json!("Patient")));
        assert!(inspect(&bundle("document", &json!([composition, patient]))).is_ok());
        for (form, entries, pointer) in [
            ("batch", json!([patient]), "/type"),
            ("collection", json!([]), "/entry"),
            ("collection", json!([goal("urn:uuid:p")]), "/entry"),
            ("collection", json!([patient, {}]), "/entry/1/resource"),
            ("collection", json!([patient, patient]), "/entry/1/resource"),
            (
                "collection",
                json!([patient, goal("Patient/q")]),
                "/entry/1/resource/subject/reference",
            ),
            ("document", json!([patient, composition]), "/entry/0/resource"),
            ("transaction", json!([patient, delete]), "/entry/1/request/method"),
        ] {
            let refused = inspect(&bundle(form, &entries)).unwrap_err();
            assert_eq!(refused.pointer, pointer, "{entries}");
        }
        assert!(inspect(b"{\"resourceType\":\"Bundle\",\"resourceType\":\"Bundle\"}").is_err());
    }
}
