//! What a Bundle has to be before it is kept: about one person, of a form that says what it is, and
//! nothing that would do something here.

use serde_json::Value;

use crate::exchange::ingest::{Reject, read_json};

/// The most entries.
const ENTRIES: usize = 5_000;
/// The elements that say whom a resource is about.
const ABOUT: [&str; 3] = ["subject", "patient", "beneficiary"];
/// The types that are people.
const PEOPLE: [&str; 3] = ["Patient", "Person", "RelatedPerson"];
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
        if !is_type(resource_type) {
            return Err(wrong(&at("/resource/resourceType"), "name a type of resource"));
        }
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
    let known = Known { person: names(entry), others: others(entries) };
    for (place, entry) in entries.iter().enumerate() {
        let pointer = format!("/entry/{place}/resource");
        if let Some(resource) = entry.get("resource") {
            walk(resource, &known, &pointer, true)?;
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

/// Whether this is how types of resources are called.
fn is_type(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_alphabetic())
}

/// What references of a Bundle may name.
struct Known {
    /// The person whom it is about.
    person: Vec<String>,
    /// The entries that are nobody.
    others: Vec<String>,
}

/// What the other entries are called.
fn others(entries: &[Value]) -> Vec<String> {
    let is_other = |entry: &&Value| text(entry, "/resource/resourceType") != Some("Patient");
    let all = entries.iter().filter(is_other).filter_map(|entry| text(entry, "/fullUrl"));
    all.map(str::to_owned).collect()
}

/// Looks at all that a resource says of whom it is about, at any depth.
fn walk(value: &Value, known: &Known, pointer: &str, is_entry: bool) -> Result<(), Reject> {
    let wrong = |pointer: &str, detail: &str| Reject::new("hostile_bundle", pointer, detail);
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                walk(item, known, &format!("{pointer}/{place}"), false)?;
            }
        }
        Value::Object(members) => {
            let kind = members.get("resourceType").and_then(Value::as_str);
            let is_person = kind == Some("Patient") && !is_entry;
            if is_person || kind == Some("Bundle") {
                let detail = "a Bundle has no Patient and no Bundle within its resources";
                return Err(wrong(pointer, detail));
            }
            for (name, value) in members {
                let pointer = format!("{pointer}/{name}");
                if ABOUT.contains(&name.as_str()) {
                    about(value, known, &pointer)?;
                }
                walk(value, known, &pointer, false)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Refuses a reference, or a list of them, to anybody but the person.
fn about(value: &Value, known: &Known, pointer: &str) -> Result<(), Reject> {
    if let Value::Array(items) = value {
        let mut items = items.iter().enumerate();
        return items
            .try_for_each(|(place, item)| about(item, known, &format!("{pointer}/{place}")));
    }
    let reference = text(value, "/reference");
    if reference.is_some_and(|reference| known.has(reference)) {
        return Ok(());
    }
    let at = if reference.is_some() { "/reference" } else { "" };
    let detail = "the entry is about somebody who is not in the Bundle: refer to its Patient";
    Err(Reject::new("hostile_bundle", format!("{pointer}{at}"), detail))
}

impl Known {
    /// Whether a reference is to the person, or surely to nobody: another entry, what the resource
    /// contains, or something of another type.
    fn has(&self, reference: &str) -> bool {
        let whole = reference.split("/_history/").next().unwrap_or(reference);
        let is = |name: &String| name == whole;
        if whole.starts_with('#') || self.person.iter().chain(&self.others).any(is) {
            return true;
        }
        let mut parts = whole.trim_end_matches('/').rsplit('/');
        let (id, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let is_id = !id.is_empty()
            && id.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.'));
        is_id && is_type(name) && !PEOPLE.contains(&name)
    }
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

    #[test]
    fn nobody_else_is_in_a_bundle_however_they_are_named() {
        let patient = json!({ "fullUrl": "https://h/Patient/a",
            "resource": { "resourceType": "Patient", "id": "a" } });
        let other = json!({ "fullUrl": "urn:uuid:g", "resource": { "resourceType": "Group" } });
        let of = |resource: Value| {
            inspect(&bundle("collection", &json!([patient, other, { "resource": resource }])))
        };
        let goal = |subject: Value| json!({ "resourceType": "Goal", "subject": subject });
        for same in [
            json!({ "reference": "Patient/a" }),
            json!({ "reference": "Patient/a/_history/1" }),
            json!({ "reference": "https://h/Patient/a" }),
            json!({ "reference": "urn:uuid:g" }),
            json!({ "reference": "Group/7" }),
            json!({ "reference": "https://h/Device/7" }),
            json!([{ "reference": "Patient/a" }, { "reference": "Location/7" }]),
        ] {
            assert!(of(goal(same.clone())).is_ok(), "{same}");
        }
        let at = "/entry/2/resource";
        for (resource, pointer) in [
            (goal(json!({ "reference": "Patient/b/_history/1" })), "/subject/reference"),
            (goal(json!({ "reference": "https://h/Patient/b/" })), "/subject/reference"),
            (goal(json!({ "reference": "Patient?identifier=x|y" })), "/subject/reference"),
            (goal(json!({ "identifier": { "value": "7" } })), "/subject"),
            (goal(json!([{ "reference": "Patient/b" }])), "/subject/0/reference"),
            (
                json!({ "resourceType": "Goal", "contained": [{ "resourceType": "Patient" }] }),
                "/contained/0",
            ),
            (json!({ "resourceType": "Bundle", "entry": [] }), ""),
            (
                json!({ "resourceType": "Coverage", "beneficiary": { "reference": "Patient/b" } }),
                "/beneficiary/reference",
            ),
            (goal(json!({ "reference": "RelatedPerson/b" })), "/subject/reference"),
            (goal(json!({ "reference": "urn:uuid:somebody" })), "/subject/reference"),
            (json!({ "resourceType": "Go\u{1b}al" }), "/resourceType"),
            (json!({ "resourceType": "G".repeat(65) }), "/resourceType"),
        ] {
            let refused = of(resource.clone()).unwrap_err();
            assert_eq!(refused.pointer, format!("{at}{pointer}"), "{resource}");
        }
    }
}
