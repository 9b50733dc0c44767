//! Every must-support element of the US Core 6.1.0 profiles that we claim is seen in what the demo
//! serves, and every reference leads somewhere. What is not exposed is listed here and in
//! `docs/conformance.md`.

use std::collections::BTreeSet;

use serde_json::Value;
use throughline::fhir::profile;
use throughline::fhir::search::param;

use crate::support::demo_data::{all, at, serve};

const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/";
const NPI: &str = "identifier[system=http://hl7.org/fhir/sid/us-npi].value";

/// Profile, and its elements; `a|b` is a choice, of which one must be seen.
const SEEN: &[(&str, &[&str])] = &[
    (
        "us-core-patient",
        &[
            "identifier.system",
            "identifier.value",
            "name.family",
            "name.given",
            "name.suffix",
            "name[use=old].period.end",
            "telecom.system",
            "telecom.value",
            "telecom.use",
            "gender",
            "birthDate",
            "deceasedDateTime",
            "address.line",
            "address.city",
            "address.state",
            "address.postalCode",
            "address[use=old].period.end",
            "communication.language",
            "link.other.reference",
            "link.type",
            "extension[url=http://hl7.org/fhir/us/core/StructureDefinition/us-core-race].extension.valueCoding",
            "extension[url=http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity].extension.valueCoding",
            "extension[url=http://hl7.org/fhir/us/core/StructureDefinition/us-core-sex].valueCode",
            "extension[url=http://hl7.org/fhir/us/core/StructureDefinition/us-core-genderIdentity].valueCodeableConcept.text",
        ],
    ),
    (
        "us-core-practitioner",
        &["identifier.system", NPI, "name.family", "telecom.system", "telecom.value"],
    ),
    (
        "us-core-practitionerrole",
        &[
            "practitioner.reference",
            "organization.reference",
            "code",
            "specialty",
            "telecom.system",
            "telecom.value",
        ],
    ),
    (
        "us-core-organization",
        &[
            "identifier.system",
            NPI,
            "active",
            "name",
            "telecom.system",
            "telecom.value",
            "address.line",
            "address.city",
            "address.state",
            "address.postalCode",
            "address.country",
        ],
    ),
    (
        "us-core-location",
        &[
            "status",
            "name",
            "type",
            "telecom.value",
            "address.line",
            "address.city",
            "address.state",
            "address.postalCode",
            "managingOrganization.reference",
        ],
    ),
    (
        "us-core-relatedperson",
        &["active", "patient.reference", "relationship", "name.family", "telecom.value"],
    ),
    (
        "us-core-careteam",
        &["status", "subject.reference", "participant.role", "participant.member.reference"],
    ),
    (
        "us-core-encounter",
        &[
            "identifier.system",
            "identifier.value",
            "status",
            "class.code",
            "type",
            "subject.reference",
            "participant.type",
            "participant.period.start",
            "participant.individual.reference",
            "period.start",
            "period.end",
            "reasonCode|reasonReference.reference",
            "location.location.reference",
            "serviceProvider.reference",
        ],
    ),
    (
        "us-core-documentreference",
        &[
            "identifier.value",
            "status",
            "type",
            "category.coding[code=clinical-note].system",
            "subject.reference",
            "date",
            "author.reference",
            "content.attachment.contentType",
            "content.attachment.data|content.attachment.url",
            "content.format.code",
            "context.encounter.reference",
            "context.period.start",
        ],
    ),
    (
        "us-core-careplan",
        &[
            "text.status",
            "text.div",
            "status",
            "intent",
            "category.coding[code=assess-plan].system",
            "subject.reference",
        ],
    ),
    (
        "us-core-goal",
        &[
            "lifecycleStatus",
            "description",
            "subject.reference",
            "startDate|target.dueDate",
            "target",
        ],
    ),
    (
        "us-core-condition-encounter-diagnosis",
        &[
            "clinicalStatus",
            "verificationStatus",
            "category.coding[code=encounter-diagnosis].system",
            "code",
            "subject.reference",
            "encounter.reference",
            "onsetDateTime",
            "abatementDateTime",
            "recordedDate",
        ],
    ),
    (
        "us-core-condition-problems-health-concerns",
        &[
            "clinicalStatus",
            "verificationStatus",
            "category.coding[code=problem-list-item].system",
            "code",
            "subject.reference",
            "onsetDateTime",
            "abatementDateTime",
            "recordedDate",
        ],
    ),
    (
        "us-core-observation-screening-assessment",
        &[
            "status",
            "category.coding[code=survey].system",
            "category.coding[system=http://hl7.org/fhir/us/core/CodeSystem/us-core-category].code",
            "code",
            "subject.reference",
            "effectiveDateTime",
            "performer.reference",
            "valueQuantity.value",
            "valueCodeableConcept",
            "dataAbsentReason",
            "hasMember.reference",
            "derivedFrom.reference",
        ],
    ),
    (
        "us-core-provenance",
        &[
            "target.reference",
            "recorded",
            "agent.type.coding[code=author].system",
            "agent.type.coding[code=transmitter].system",
            "agent.who.reference",
            "agent.onBehalfOf.reference",
        ],
    ),
];

/// Must-support elements that no record has a source for, by profile.
const NOT_EXPOSED: &[(&str, &[&str])] = &[
    (
        "us-core-patient",
        &[
            "extension[url=http://hl7.org/fhir/us/core/StructureDefinition/us-core-tribal-affiliation]",
        ],
    ),
    ("us-core-practitioner", &["address"]),
    ("us-core-practitionerrole", &["location", "endpoint"]),
    ("us-core-relatedperson", &["address"]),
    ("us-core-encounter", &["hospitalization"]),
    ("us-core-condition-encounter-diagnosis", &["extension"]),
    (
        "us-core-condition-problems-health-concerns",
        &[
            "extension",
            "category.coding[system=http://hl7.org/fhir/us/core/CodeSystem/us-core-category]",
        ],
    ),
    ("us-core-observation-screening-assessment", &["valueString"]),
];

fn claims(resource: &Value, profile: &str) -> bool {
    let claimed = resource["meta"]["profile"].as_array();
    claimed.is_some_and(|all| all.iter().any(|url| url == &format!("{US_CORE}{profile}")))
}

#[tokio::test]
async fn every_must_support_element_is_seen_or_listed_as_not_exposed() {
    let server = serve();
    let mut claimed = BTreeSet::new();
    let mut wrong = Vec::new();
    for kind in param::TYPES {
        let resources = all(&server, kind.name).await;
        for url in profile::supported(kind.name) {
            let name = url.strip_prefix(US_CORE).unwrap();
            claimed.insert(name);
            let own: Vec<&Value> = resources.iter().filter(|r| claims(r, name)).collect();
            let seen = |element: &str| {
                let mut paths = element.split('|');
                paths.any(|path| own.iter().any(|resource| !at(resource, path).is_empty()))
            };
            let (_, elements) = SEEN.iter().find(|(profile, _)| *profile == name).unwrap();
            let unseen = elements.iter().filter(|element| !seen(element));
            wrong.extend(unseen.map(|element| format!("{name}: {element} is not seen")));
            let absent = NOT_EXPOSED.iter().filter(|(profile, _)| *profile == name);
            let there = absent.flat_map(|(_, elements)| *elements).filter(|element| seen(element));
            wrong.extend(there.map(|element| format!("{name}: {element} is seen: take it over")));
        }
    }
    assert_eq!(claimed, SEEN.iter().map(|(profile, _)| *profile).collect());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_not_exposed_is_in_the_documentation() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    let text = std::fs::read_to_string(path).unwrap();
    for (profile, elements) in NOT_EXPOSED {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{profile}` |"))).unwrap();
        for element in *elements {
            let name = element.split(['/', '[', ']']).rfind(|part| !part.is_empty()).unwrap();
            assert!(row.contains(&format!("`{name}`")), "{profile}: {name}");
        }
    }
}

#[tokio::test]
async fn what_is_missing_says_so() {
    let server = serve();
    let observations = all(&server, "Observation").await;
    let reasons = "dataAbsentReason.coding[system=http://terminology.hl7.org/CodeSystem/data-absent-reason].code";
    let codes: Vec<&Value> = observations.iter().flat_map(|o| at(o, reasons)).collect();
    assert!(codes.contains(&&Value::from("unknown")), "{codes:?}");
    let documents = all(&server, "DocumentReference").await;
    let file = documents.iter().find_map(|document| {
        let url = at(document, "content.attachment.url").first()?.as_str()?.to_owned();
        at(document, "content.attachment[contentType=application/pdf]").first().map(|_| url)
    });
    let binary = server.get(&file.unwrap().replace(&format!("{}/", server.base), "")).await.json();
    let absent =
        "_data.extension[url=http://hl7.org/fhir/StructureDefinition/data-absent-reason].valueCode";
    assert_eq!(at(&binary, absent), ["unsupported"]);
}

#[tokio::test]
async fn every_reference_leads_to_a_resource_that_can_be_read() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Object(members) => {
                found.extend(members.get("reference").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            _ => {}
        }
    }
    let server = serve();
    let mut found = BTreeSet::new();
    for kind in param::TYPES {
        all(&server, kind.name).await.iter().for_each(|resource| references(resource, &mut found));
    }
    assert!(found.len() > 500, "{}", found.len());
    for reference in found {
        let answer = server.get(&reference).await;
        assert_eq!(answer.status, 200, "{reference}");
    }
}
