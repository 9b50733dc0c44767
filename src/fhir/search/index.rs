//! What a resource is found by: its bytes in, its index rows out.

use serde::de::DeserializeSeed;

use super::node::{Members, Node};
use super::param::{self, Form, Param, SearchType};
use super::{IndexRow, ParamKind, date, text};
use crate::domain::FhirId;
use crate::error::{Error, Result};

/// The number under which the reference of `Binary.securityContext` is in the index. It is no search
/// parameter.
pub const SECURITY_CONTEXT: u16 = 0xE000;

/// The number under which the members of a CareTeam are in the index: a reference to the member, and
/// a quantity whose unit's code is that reference and whose range is the time of the membership, in
/// microseconds since 1970. It is no search parameter.
pub const MEMBER: u16 = 0xE001;

/// The patient whose record the resource belongs to, if any, and the rows of the search index.
///
/// # Errors
///
/// The bytes are not a JSON object.
pub fn rows(resource_type: &str, bytes: &[u8]) -> Result<(Option<FhirId>, Vec<IndexRow>)> {
    let Some(kind) = param::search_type(resource_type) else {
        return Ok((None, security_context(bytes)?));
    };
    let wanted = |name: &str| {
        name == "id"
            || kind.numbered().flat_map(|(_, param)| param.paths).any(|path| first(path) == name)
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let resource = Members(wanted).deserialize(&mut reader).map_err(Error::internal)?;
    let mut rows = Vec::new();
    let mut patient = None;
    for (number, param) in kind.numbered() {
        for path in param.paths {
            visit_names(&resource, path, false, &mut |value, is_former| {
                let number = if is_former { number | param::FORMER } else { number };
                put((number, param), kind, value, &mut rows);
            });
        }
        if param.form == Form::Truth {
            truth(number, &mut rows);
        }
        if param.name == "patient" {
            patient = rows.iter().find_map(|row| patient_of(number, row));
        }
    }
    if resource_type == "CareTeam" {
        members(&resource, &mut rows);
    }
    if resource_type == "Patient" {
        patient = resource.text_at("id").and_then(|id| id.parse().ok());
    }
    Ok((patient, rows))
}

/// The members of a team, each with the time of the membership. Who is one for a time that cannot be
/// told is none.
fn members(team: &Node<'_>, rows: &mut Vec<IndexRow>) {
    for participant in team.get("participant").map_or(&[][..], Node::items) {
        let Some((low, high)) = membership(participant.get("period")) else { continue };
        let mut found = Vec::new();
        if let Some(member) = participant.get("member") {
            references(MEMBER, &["Practitioner"], member, &mut found);
        }
        for row in found {
            if let IndexRow::Reference { target, .. } = &row {
                let (system, unit) = (String::new(), String::new());
                let code = target.clone();
                add(rows, IndexRow::Quantity { param: MEMBER, low, high, system, code, unit });
            }
            add(rows, row);
        }
    }
}

/// From when until when somebody is a member: always, where the team does not say.
#[expect(clippy::cast_precision_loss, reason = "microseconds are whole in it until the year 2255")]
fn membership(period: Option<&Node<'_>>) -> Option<(f64, f64)> {
    let end = |name: &str| match period.and_then(|period| period.get(name)) {
        None => Some(None),
        Some(Node::Text(text)) => date::range(text).map(Some),
        Some(_) => None,
    };
    let low = end("start")?.map_or(f64::NEG_INFINITY, |(first, _)| first as f64);
    let high = end("end")?.map_or(f64::INFINITY, |(_, last)| last as f64);
    Some((low, high))
}

/// The one row of a type that is not searched: whose access rules are those of another resource
/// (<https://hl7.org/fhir/R4/binary-definitions.html#Binary.securityContext>).
fn security_context(bytes: &[u8]) -> Result<Vec<IndexRow>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let wanted = |name: &str| name == "securityContext";
    let resource = Members(wanted).deserialize(&mut reader).map_err(Error::internal)?;
    let mut rows = Vec::new();
    visit(&resource, "securityContext", &mut |value| {
        references(SECURITY_CONTEXT, &[], value, &mut rows);
    });
    Ok(rows)
}

/// The patient whose record the resource belongs to, if any; nothing where the bytes are no
/// resource.
pub fn patient(resource_type: &str, bytes: &[u8]) -> Option<FhirId> {
    let is_patient = resource_type == "Patient";
    let kind = param::search_type(resource_type);
    let param = kind.and_then(|kind| kind.param("patient"));
    let paths = param.map_or(&[][..], |(_, param)| param.paths);
    if !is_patient && paths.is_empty() {
        return None;
    }
    let wanted = |name: &str| {
        if is_patient { name == "id" } else { paths.iter().any(|path| first(path) == name) }
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let resource = Members(wanted).deserialize(&mut reader).ok()?;
    if is_patient {
        return resource.text_at("id").and_then(|id| id.parse().ok());
    }
    let (kind, (number, param)) = (kind?, param?);
    let mut rows = Vec::new();
    for path in paths {
        visit(&resource, path, &mut |value| put((number, param), kind, value, &mut rows));
    }
    rows.iter().find_map(|row| patient_of(number, row))
}

/// The first element name of a path.
fn first(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

fn patient_of(number: u16, row: &IndexRow) -> Option<FhirId> {
    match row {
        IndexRow::Reference { param, target } if *param == number => {
            target.strip_prefix("Patient/").and_then(|id| id.parse().ok())
        }
        _ => None,
    }
}

/// Calls `found` with every value at the end of `path`.
fn visit<'n, 'a>(node: &'n Node<'a>, path: &str, found: &mut impl FnMut(&'n Node<'a>)) {
    visit_names(node, path, false, &mut |value, _| found(value));
}

/// The same, and whether the value is in a name that somebody goes by no longer.
fn visit_names<'n, 'a>(
    node: &'n Node<'a>,
    path: &str,
    is_former: bool,
    found: &mut impl FnMut(&'n Node<'a>, bool),
) {
    let (segment, rest) = split(path);
    let (name, condition) = match segment.split_once('[') {
        Some((name, condition)) => (name, condition.strip_suffix(']')),
        None => (segment, None),
    };
    let Some(value) = node.get(name) else { return };
    for item in value.items().iter().filter(|item| holds(item, condition)) {
        let is_former = is_former || name == "name" && item.text_at("use") == Some("old");
        match rest {
            Some(rest) => visit_names(item, rest, is_former, found),
            None => found(item, is_former),
        }
    }
}

/// The first segment of a path and what comes after; dots inside brackets do not count.
fn split(path: &str) -> (&str, Option<&str>) {
    let end = match path.find(['[', '.']) {
        Some(at) if path.as_bytes().get(at) == Some(&b'[') => path.find("].").map(|end| end + 1),
        dot => dot,
    };
    match end.and_then(|end| path.split_at_checked(end)) {
        Some((segment, rest)) => (segment, rest.strip_prefix('.')),
        None => (path, None),
    }
}

fn holds(item: &Node<'_>, condition: Option<&str>) -> bool {
    condition
        .and_then(|condition| condition.split_once('='))
        .is_none_or(|(name, value)| item.text_at(name) == Some(value))
}

/// The rows of one value.
fn put(
    (number, param): (u16, &Param),
    kind: &SearchType,
    value: &Node<'_>,
    rows: &mut Vec<IndexRow>,
) {
    match param.kind {
        ParamKind::Token if is_untold(param, value) => {}
        ParamKind::Token => tokens(number, param.system, value, rows),
        ParamKind::Reference => references(number, param.targets, value, rows),
        ParamKind::Date => dates(number, value, rows),
        ParamKind::Text => texts(number, value, rows),
        ParamKind::Quantity => quantity(number, value, rows),
        ParamKind::Uri => uri(number, value, rows),
        ParamKind::Composite => pairs((number, param), kind, value, rows),
    }
}

/// Codes by which nothing is found: what stands beside them, a person related to the client, may be
/// withheld, and then is not in what is shown. That somebody came along is found by `participant`,
/// as far as who it was may be seen.
const UNTOLD: &[(&str, &str)] = &[("participant-type", "PART")];

fn is_untold(param: &Param, concept: &Node<'_>) -> bool {
    let codings = concept.get("coding").map_or(&[][..], Node::items);
    let is_it = |code: &str| codings.iter().any(|coding| coding.text_at("code") == Some(code));
    UNTOLD.iter().any(|(name, code)| *name == param.name && is_it(code))
}

/// One row instead of all that there are: whether there was anything but `false`.
fn truth(number: u16, rows: &mut Vec<IndexRow>) {
    let own = |row: &IndexRow| matches!(row, IndexRow::Token { param, .. } if *param == number);
    let is_false = |row: &IndexRow| matches!(row, IndexRow::Token { code, .. } if code == "false");
    let is_true = rows.iter().any(|row| own(row) && !is_false(row));
    rows.retain(|row| !own(row));
    tokens(number, "", &Node::Bool(is_true), rows);
}

/// Each reference of the element with each of its codes.
fn pairs(
    (number, param): (u16, &Param),
    kind: &SearchType,
    value: &Node<'_>,
    rows: &mut Vec<IndexRow>,
) {
    let Form::Pair(parts) = param.form else { return };
    let [targets, codes] = parts.map(|name| {
        let mut found = Vec::new();
        let Some((part, known)) = kind.param(name) else { return found };
        for path in known.paths {
            let within = param.paths.iter().find_map(|outer| path.strip_prefix(outer));
            let Some(path) = within.and_then(|path| path.strip_prefix('.')) else { continue };
            visit(value, path, &mut |value| put((part, known), kind, value, &mut found));
        }
        found
    });
    for target in &targets {
        let IndexRow::Reference { target, .. } = target else { continue };
        for code in &codes {
            let IndexRow::Token { code, .. } = code else { continue };
            let (system, code) = (target.clone(), code.clone());
            add(rows, IndexRow::Token { param: number, system, code });
        }
    }
}

/// Adds a row once; resources repeat themselves, and a repeated row helps nobody.
fn add(rows: &mut Vec<IndexRow>, row: IndexRow) {
    if !rows.contains(&row) {
        rows.push(row);
    }
}

/// A `code`, boolean, `Coding`, `CodeableConcept` or `Identifier`.
fn tokens(number: u16, implied: &str, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let mut displays = Vec::new();
    let mut token = |system: &str, code: &str| {
        add(rows, IndexRow::Token { param: number, system: system.into(), code: code.into() });
    };
    match value {
        Node::Text(code) => token(implied, code),
        Node::Bool(flag) => token(implied, if *flag { "true" } else { "false" }),
        Node::Object(_) => {
            let codings = value.get("coding").map_or(std::slice::from_ref(value), Node::items);
            for coding in codings {
                displays.extend(coding.text_at("display"));
                let code = coding.text_at("code").or_else(|| coding.text_at("value"));
                if let Some(code) = code {
                    token(coding.text_at("system").unwrap_or_default(), code);
                }
            }
            // What `:of-type` looks at.
            let types = value.get("type").and_then(|kind| kind.get("coding"));
            if let Some(code) = value.text_at("value") {
                for kind in types.map_or(&[][..], Node::items) {
                    let part = |name| kind.text_at(name).unwrap_or_default();
                    token(&format!("{}|{}", part("system"), part("code")), code);
                }
            }
        }
        Node::Array(_) | Node::Number(_) | Node::Null => {}
    }
    // What `:text` looks at; a CodeableConcept has a text of its own.
    for display in displays.into_iter().chain(value.text_at("text")) {
        put_text(number, display, rows);
    }
}

/// A Reference or a canonical URL. An identifier that stands beside or instead of it is what
/// `:identifier` looks at.
fn references(number: u16, targets: &[&str], value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    if let Some(identifier) = value.get("identifier") {
        let system = identifier.text_at("system").unwrap_or_default().to_owned();
        if let Some(code) = identifier.text_at("value") {
            add(rows, IndexRow::Token { param: number, system, code: code.to_owned() });
        }
    }
    let Some(reference) = value.text().or_else(|| value.text_at("reference")) else { return };
    if reference.starts_with('#') {
        return;
    }
    let target = reference.split_once("/_history/").map_or(reference, |(target, _)| target);
    let of_type = |wanted: &&str| {
        target.contains("://")
            || target.strip_prefix(*wanted).is_some_and(|rest| rest.starts_with('/'))
    };
    if targets.is_empty() || targets.iter().any(of_type) {
        for target in versions(target) {
            add(rows, IndexRow::Reference { param: number, target: target.into() });
        }
    }
}

/// A canonical URL without its version, and with it if it has one.
fn versions(url: &str) -> impl Iterator<Item = &str> {
    let plain = url.split_once('|').map_or(url, |(plain, _)| plain);
    std::iter::once(plain).chain((plain.len() < url.len()).then_some(url))
}

/// A date, dateTime, instant or Period.
fn dates(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let range = match value {
        Node::Text(text) => date::range(text),
        Node::Object(_) => {
            let start = value.text_at("start").and_then(date::range);
            let end = value.text_at("end").and_then(date::range);
            let open = (i64::MIN, i64::MAX);
            (start.is_some() || end.is_some())
                .then(|| (start.unwrap_or(open).0, end.unwrap_or(open).1))
        }
        _ => None,
    };
    if let Some((low, high)) = range {
        add(rows, IndexRow::Date { param: number, low, high });
    }
}

/// A string, or the parts of a `HumanName` or `Address` that a person would search for.
fn texts(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    const PARTS: &[&str] = &[
        "text",
        "family",
        "given",
        "prefix",
        "suffix",
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "country",
    ];
    match value {
        Node::Text(text) => put_text(number, text, rows),
        Node::Object(_) => PARTS
            .iter()
            .filter_map(|part| value.get(part))
            .flat_map(Node::items)
            .filter_map(Node::text)
            .for_each(|text| put_text(number, text, rows)),
        _ => {}
    }
}

fn put_text(number: u16, text: &str, rows: &mut Vec<IndexRow>) {
    let value = text::normalise(text);
    if !value.is_empty() {
        add(rows, IndexRow::Text { param: number, value, exact: text.to_owned() });
    }
}

/// A Quantity; a comparator leaves it open on one side.
fn quantity(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let Some(Node::Number(amount)) = value.get("value") else { return };
    let (low, high) = match value.text_at("comparator") {
        Some("<" | "<=") => (f64::NEG_INFINITY, *amount),
        Some(">" | ">=") => (*amount, f64::INFINITY),
        _ => (*amount, *amount),
    };
    let text = |name| value.text_at(name).unwrap_or_default().to_owned();
    let (system, code, unit) = (text("system"), text("code"), text("unit"));
    add(rows, IndexRow::Quantity { param: number, low, high, system, code, unit });
}

/// A URI.
fn uri(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let Some(text) = value.text() else { return };
    for value in versions(text) {
        add(rows, IndexRow::Uri { param: number, value: value.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of one parameter, written out.
    fn found(resource_type: &str, json: &str, name: &str) -> Vec<String> {
        let (number, _) = param::search_type(resource_type).unwrap().param(name).unwrap();
        let (_, rows) = rows(resource_type, json.as_bytes()).unwrap();
        rows.iter()
            .filter_map(|row| match row {
                IndexRow::Token { param, system, code } => {
                    (*param == number).then(|| format!("{system}|{code}"))
                }
                IndexRow::Reference { param, target } => (*param == number).then(|| target.clone()),
                IndexRow::Date { param, low, high } => {
                    (*param == number).then(|| format!("{low}..{high}"))
                }
                IndexRow::Text { param, value, .. } => (*param == number).then(|| value.clone()),
                IndexRow::Quantity { param, low, high, code, .. } => {
                    (*param == number).then(|| format!("{low}..{high} {code}"))
                }
                IndexRow::Uri { param, value } => (*param == number).then(|| value.clone()),
            })
            .collect()
    }

    const ENCOUNTER: &str = r#"{"resourceType":"Encounter","id":"e1","text":{"div":"<div/>"},
        "identifier":[{"system":"urn:s","value":"v"}],"status":"finished",
        "class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"VR"},
        "type":[{"coding":[{"system":"http://www.ama-assn.org/go/cpt","code":"90837"},
        {"system":"http://www.ama-assn.org/go/cpt","code":"90837"}],"text":"x"}],
        "subject":{"reference":"Patient/p1"},
        "participant":[{"individual":{"reference":"Practitioner/s1"}}],
        "period":{"start":"2026-11-01T01:30:00-06:00"},"length":{"value":53}}"#;

    #[test]
    fn an_encounter_is_found_by_what_it_says() {
        let cases = [
            ("identifier", "urn:s|v"),
            ("status", "http://hl7.org/fhir/encounter-status|finished"),
            ("class", "http://terminology.hl7.org/CodeSystem/v3-ActCode|VR"),
            ("subject", "Patient/p1"),
            ("practitioner", "Practitioner/s1"),
            ("date", "1793518200000000..9223372036854775807"),
        ];
        for (name, expected) in cases {
            assert_eq!(found("Encounter", ENCOUNTER, name), [expected], "{name}");
        }
        let code_and_text = ["http://www.ama-assn.org/go/cpt|90837", "x"];
        assert_eq!(found("Encounter", ENCOUNTER, "type"), code_and_text);
        assert!(found("Encounter", ENCOUNTER, "location").is_empty());
    }

    #[test]
    fn the_patient_of_a_resource_is_its_subject_and_of_a_patient_itself() {
        let patient = |kind, json: &str| {
            rows(kind, json.as_bytes()).unwrap().0.map(|id| id.as_str().to_owned())
        };
        assert_eq!(patient("Encounter", ENCOUNTER).as_deref(), Some("p1"));
        assert_eq!(patient("Patient", r#"{"id":"p2"}"#).as_deref(), Some("p2"));
        let appointment = r#"{"participant":[{"actor":{"reference":"Practitioner/s"}},
            {"actor":{"reference":"Patient/p3"}}]}"#;
        assert_eq!(patient("Appointment", appointment).as_deref(), Some("p3"));
        assert_eq!(patient("Organization", r#"{"id":"o"}"#), None);
        assert_eq!(patient("Binary", r#"{"id":"b"}"#), None);
    }

    #[test]
    fn a_condition_in_a_path_keeps_the_matching_elements() {
        let patient = r#"{"id":"p","telecom":[{"system":"phone","value":"1"},
            {"system":"email","value":"a@b.example"}],"name":[{"family":"Šimić","given":["Zoë"]}]}"#;
        assert_eq!(found("Patient", patient, "phone"), ["|1"]);
        assert_eq!(found("Patient", patient, "email"), ["|a@b.example"]);
        assert_eq!(found("Patient", patient, "name"), ["simic", "zoe"]);
        let race = r#"{"id":"p","extension":[{"url":
            "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
            "extension":[{"url":"ombCategory","valueCoding":{"code":"1"}}]},
            {"url":"urn:other","extension":[{"valueCoding":{"code":"2"}}]}]}"#;
        assert_eq!(found("Patient", race, "race"), ["|1"]);
    }

    #[test]
    fn what_a_former_name_says_is_apart() {
        let patient = r#"{"id":"p","name":[{"use":"official","family":"Reed","given":["Ann"]},
            {"use":"old","family":"Bloom","given":["Ann"]}],"address":[{"use":"old","city":"Ely"}]}"#;
        let (_, all) = rows("Patient", patient.as_bytes()).unwrap();
        for (name, current, former) in [
            ("name", vec!["reed", "ann"], vec!["bloom", "ann"]),
            ("family", vec!["reed"], vec!["bloom"]),
            ("given", vec!["ann"], vec!["ann"]),
        ] {
            assert_eq!(found("Patient", patient, name), current, "{name}");
            let (number, _) = param::search_type("Patient").unwrap().param(name).unwrap();
            let number = param::former(number).unwrap();
            let apart = all.iter().filter_map(|row| match row {
                IndexRow::Text { param, value, .. } => (*param == number).then_some(value.as_str()),
                _ => None,
            });
            assert_eq!(apart.collect::<Vec<_>>(), former, "{name}");
        }
        assert_eq!(found("Patient", patient, "address"), ["ely"]);
        let (number, _) = param::search_type("Patient").unwrap().param("address").unwrap();
        assert_eq!(param::former(number), None);
    }

    #[test]
    fn a_reference_of_another_type_is_not_the_patient() {
        let provenance = r#"{"target":[{"reference":"Encounter/e/_history/2"},
            {"reference":"Patient/p"}]}"#;
        assert_eq!(found("Provenance", provenance, "target"), ["Encounter/e", "Patient/p"]);
        assert_eq!(found("Provenance", provenance, "patient"), ["Patient/p"]);
    }

    #[test]
    fn a_quantity_a_uri_an_identifier_and_a_display_have_rows() {
        let observation = r##"{"id":"o","meta":{"profile":["http://p/x|6.1.0"],
            "security":[{"system":"urn:s","code":"R"}]},
            "valueQuantity":{"value":14.50,"comparator":"<","code":"{score}"},
            "code":{"text":"Depression score","coding":[{"code":"1","display":"PHQ"}]},
            "subject":{"identifier":{"system":"urn:i","value":"7"}},
            "encounter":{"reference":"#inside"}}"##;
        assert_eq!(found("Observation", observation, "value-quantity"), ["-inf..14.5 {score}"]);
        let versions = ["http://p/x", "http://p/x|6.1.0"];
        assert_eq!(found("Observation", observation, "_profile"), versions);
        assert_eq!(found("Observation", observation, "_security"), ["urn:s|R"]);
        assert_eq!(found("Observation", observation, "patient"), ["urn:i|7"]);
        assert_eq!(found("Observation", observation, "code"), ["|1", "phq", "depression score"]);
        assert!(found("Observation", observation, "encounter").is_empty());
    }

    #[test]
    fn an_identifier_is_found_by_its_type_too() {
        let patient = r#"{"id":"p","identifier":[{"system":"urn:s","value":"7",
            "type":{"coding":[{"system":"urn:t","code":"MR"}]}}]}"#;
        assert_eq!(found("Patient", patient, "identifier"), ["urn:s|7", "urn:t|MR|7"]);
    }

    #[test]
    fn a_truth_has_one_row_whatever_is_there() {
        for (json, expected) in [
            (r#"{"id":"p"}"#, "|false"),
            (r#"{"id":"p","deceasedBoolean":false}"#, "|false"),
            (r#"{"id":"p","deceasedBoolean":true}"#, "|true"),
            (r#"{"id":"p","deceasedDateTime":"2026-01-02"}"#, "|true"),
        ] {
            assert_eq!(found("Patient", json, "deceased"), [expected], "{json}");
        }
    }

    #[test]
    fn a_pair_is_of_one_element() {
        let document = r#"{"id":"d","relatesTo":[
            {"code":"replaces","target":{"reference":"DocumentReference/a"}},
            {"code":"appends","target":{"reference":"DocumentReference/b"}}]}"#;
        assert_eq!(
            found("DocumentReference", document, "relationship"),
            ["DocumentReference/a|replaces", "DocumentReference/b|appends"]
        );
        let observation = r#"{"id":"o","code":{"text":"x"},"valueString":"y"}"#;
        assert!(found("Observation", observation, "code-value-string").is_empty());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(rows("Patient", b"[]").is_err());
        assert!(rows("Patient", b"{").is_err());
    }
}
