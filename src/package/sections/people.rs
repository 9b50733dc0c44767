//! The person whose record it is, and those who take part in their care.

use serde_json::Value;

use super::{Section, joined, table};
use crate::package::record::{Record, Resource, concept, list, one_name, person as named, text};
use crate::package::texts::Texts;

pub(super) fn person(record: &Record, texts: &Texts) -> Section {
    let words = &texts.person;
    let patient = &record.patient;
    let mut section = Section::new("person", None, &words.title);
    let mut rows = table("", &[("", 3), ("", 9)]);
    let mut add = |label: &str, value: String| {
        if !value.is_empty() {
            rows.rows.push(vec![label.to_owned(), value]);
        }
    };
    let name = named(patient.list("/name"));
    let others = patient.list("/name").iter().map(one_name);
    let others: Vec<String> = others.filter(|other| *other != name).collect();
    add(&words.name, name);
    add(&words.also, others.join(", "));
    add(&words.born, texts.date(patient.text("/birthDate")));
    add(&words.died, texts.date(patient.text("/deceasedDateTime")));
    add(&words.gender, texts.code(patient.text("/gender")).to_owned());
    let numbers = patient.list("/identifier").iter().map(|number| text(number, "/value"));
    add(&words.identifier, joined(numbers, ", "));
    add(&words.phone, telecom(patient.list("/telecom"), "phone"));
    add(&words.email, telecom(patient.list("/telecom"), "email"));
    let addresses: Vec<String> = patient.list("/address").iter().map(address).collect();
    add(&words.address, joined(addresses.iter().map(String::as_str), "\n"));
    let languages = patient.list("/communication").iter().filter_map(|one| one.get("language"));
    add(&words.language, joined(languages.map(concept), ", "));
    let contacts: Vec<String> = patient
        .list("/contact")
        .iter()
        .map(|contact| {
            let name = contact.get("name").map(one_name).unwrap_or_default();
            joined([&*name, &*telecom(list(contact, "/telecom"), "phone")], ", ")
        })
        .collect();
    add(&words.contact, joined(contacts.iter().map(String::as_str), "\n"));
    section.table(rows);
    section
}

fn telecom(points: &[Value], system: &str) -> String {
    let points = points.iter().filter(|point| text(point, "/system") == system);
    joined(points.map(|point| text(point, "/value")), ", ")
}

fn address(address: &Value) -> String {
    let lines = list(address, "/line").iter().filter_map(Value::as_str);
    let place = ["/city", "/state", "/postalCode", "/country"].map(|part| text(address, part));
    joined(lines.chain([&*joined(place, " ")]), ", ")
}

pub(super) fn team(record: &Record, texts: &Texts) -> Section {
    let words = &texts.people;
    let mut section = Section::new("people", Some("85847-2"), &words.title);
    let columns = [(&*words.name, 4), (&*words.role, 4), (&*words.contact, 4), (&*words.since, 3)];
    let mut rows = table(&words.caption, &columns);
    let mut told: Vec<String> = Vec::new();
    for team in record.of("CareTeam") {
        section.entries.push(team.name());
        for part in team.list("/participant") {
            let Some(member) = part.get("member") else { continue };
            let found = record.find(text(member, "/reference"));
            told.extend(found.map(Resource::name));
            let roles = list(part, "/role").iter().map(concept);
            rows.rows.push(vec![
                record.who(member),
                joined(roles, ", "),
                found.map(reached).unwrap_or_default(),
                texts.date(text(part, "/period/start")),
            ]);
        }
    }
    for kind in ["Practitioner", "RelatedPerson", "Organization", "Location", "PractitionerRole"] {
        for found in record.of(kind) {
            section.entries.push(found.name());
            if told.contains(&found.name()) || kind == "PractitionerRole" || kind == "Location" {
                continue;
            }
            let roles = found.list("/relationship").iter().map(concept);
            let name = found.value.get("name").and_then(Value::as_str).map(ToOwned::to_owned);
            rows.rows.push(vec![
                name.unwrap_or_else(|| named(found.list("/name"))),
                joined(roles, ", "),
                reached(found),
                String::new(),
            ]);
        }
    }
    section.table(rows);
    section
}

/// How somebody is reached.
fn reached(found: &Resource) -> String {
    let points = found.list("/telecom");
    joined([&*telecom(points, "phone"), &*telecom(points, "email")], "\n")
}
