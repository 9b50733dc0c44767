//! The example map of a session log, written by hand: what an engine is measured against.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    data: Data<'a>,
    #[serde(borrow)]
    derived: Derived<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    status: &'a str,
    modality: &'a str,
    started_at: Option<&'a str>,
    ended_at: Option<&'a str>,
    billing: Option<Billing<'a>>,
}

#[derive(Deserialize)]
struct Billing<'a> {
    #[serde(borrow)]
    cpt: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Derived<'a> {
    resource_id: &'a str,
    #[serde(borrow)]
    identifier_system: Cow<'a, str>,
    #[serde(borrow)]
    identifier_value: Cow<'a, str>,
    last_updated: &'a str,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    labels: Vec<Coding<'a>>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    minutes: Option<u32>,
    #[serde(borrow, default)]
    participants: Vec<Person<'a>>,
    #[serde(borrow, default)]
    reasons: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Person<'a> {
    function: &'a str,
    #[serde(borrow)]
    reference: Cow<'a, str>,
    start: Option<&'a str>,
    end: Option<&'a str>,
}

#[derive(Deserialize, Serialize)]
struct Coding<'a> {
    #[serde(borrow)]
    system: Cow<'a, str>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Encounter<'a> {
    resource_type: &'static str,
    id: &'a str,
    meta: Meta<'a>,
    identifier: [Identifier<'a>; 1],
    status: &'static str,
    class: Coding<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<[Concept<'a>; 1]>,
    subject: Reference<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    participant: Vec<Participant<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Period<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<Quantity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reason_code: Vec<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    last_updated: &'a str,
    source: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security: Vec<Coding<'a>>,
}

#[derive(Serialize)]
struct Identifier<'a> {
    system: Cow<'a, str>,
    value: Cow<'a, str>,
}

#[derive(Serialize)]
struct Concept<'a> {
    coding: [CodeOnly<'a>; 1],
}

#[derive(Serialize)]
struct CodeOnly<'a> {
    system: &'static str,
    code: Cow<'a, str>,
}

#[derive(Serialize)]
struct Reference<'a> {
    reference: Cow<'a, str>,
}

#[derive(Serialize)]
struct Participant<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<[Function<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Period<'a>>,
    individual: Reference<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    coding: [Coding<'a>; 1],
}

#[derive(Serialize)]
struct Period<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<&'a str>,
}

#[derive(Serialize)]
struct Quantity {
    value: u32,
    unit: &'static str,
    system: &'static str,
    code: &'static str,
}

#[derive(Serialize)]
struct Text<'a> {
    text: Cow<'a, str>,
}

fn coding(system: &'static str, code: &'static str, display: &'static str) -> Coding<'static> {
    Coding { system: Cow::Borrowed(system), code, display: Some(display) }
}

fn function(name: &str) -> Option<[Function<'static>; 1]> {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    let (code, display) = match name {
        "therapist" => ("PPRF", "primary performer"),
        "supervisor" => ("SPRF", "secondary performer"),
        _ => return None,
    };
    Some([Function { coding: [coding(SYSTEM, code, display)] }])
}

fn period<'a>(start: Option<&'a str>, end: Option<&'a str>) -> Option<Period<'a>> {
    (start.is_some() || end.is_some()).then_some(Period { start, end })
}

fn class(modality: &str) -> Coding<'static> {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    match modality {
        "video" | "phone" => coding(SYSTEM, "VR", "virtual"),
        _ => coding(SYSTEM, "AMB", "ambulatory"),
    }
}

fn participant(person: Person<'_>) -> Participant<'_> {
    Participant {
        r#type: function(person.function),
        period: period(person.start, person.end),
        individual: Reference { reference: person.reference },
    }
}

/// A session log's view as an Encounter.
pub(super) fn encounter(view: &str) -> Vec<u8> {
    let record: Record<'_> = serde_json::from_str(view).unwrap();
    let (data, derived) = (record.data, record.derived);
    let cpt = data.billing.and_then(|billing| billing.cpt);
    let encounter = Encounter {
        resource_type: "Encounter",
        id: derived.resource_id,
        meta: Meta {
            last_updated: derived.last_updated,
            source: derived.source,
            security: derived.labels,
        },
        identifier: [Identifier {
            system: derived.identifier_system,
            value: derived.identifier_value,
        }],
        status: match data.status {
            "completed" => "finished",
            _ => "cancelled",
        },
        class: class(data.modality),
        r#type: cpt.map(|code| {
            [Concept { coding: [CodeOnly { system: "http://www.ama-assn.org/go/cpt", code }] }]
        }),
        subject: Reference { reference: derived.subject },
        participant: derived.participants.into_iter().map(participant).collect(),
        period: data.started_at.and_then(|start| period(Some(start), data.ended_at)),
        length: derived.minutes.map(|value| Quantity {
            value,
            unit: "min",
            system: "http://unitsofmeasure.org",
            code: "min",
        }),
        reason_code: derived.reasons.into_iter().map(|text| Text { text }).collect(),
    };
    serde_json::to_vec(&encounter).unwrap()
}
