//! The least that payment and operations need of a resource (45 CFR 164.502(b), 164.514(d)).
//!
//! Each type with the elements that are shown; a type that is not listed shows nothing but what it
//! cannot be without. A consent that names the recipient, and its signed form, are shown whole.

use super::purpose::Purpose;

/// What is shown of a type.
struct Row {
    resource_type: &'static str,
    /// For payment: what a claim is made of and checked against.
    payment: &'static [&'static str],
    /// For operations: what quality, staffing and audits are measured by.
    operations: &'static [&'static str],
}

impl Row {
    /// A type of which both need the same.
    const fn alike(resource_type: &'static str, elements: &'static [&'static str]) -> Self {
        Self { resource_type, payment: elements, operations: elements }
    }
}

const ROWS: &[Row] = &[
    Row {
        resource_type: "Patient",
        payment: &["identifier", "active", "name", "gender", "birthDate", "address", "link"],
        operations: &["identifier", "active", "name", "gender", "birthDate", "link"],
    },
    Row {
        resource_type: "Encounter",
        payment: &[
            "identifier",
            "status",
            "class",
            "type",
            "subject",
            "participant",
            "period",
            "length",
            "reasonReference",
            "diagnosis",
            "location",
            "serviceProvider",
        ],
        operations: &[
            "identifier",
            "status",
            "class",
            "type",
            "subject",
            "period",
            "length",
            "serviceProvider",
        ],
    },
    Row {
        resource_type: "Condition",
        payment: &[
            "identifier",
            "clinicalStatus",
            "verificationStatus",
            "category",
            "code",
            "subject",
            "encounter",
            "recordedDate",
        ],
        operations: &["clinicalStatus", "verificationStatus", "category", "code", "subject"],
    },
    Row::alike(
        "Appointment",
        &["identifier", "status", "serviceType", "start", "end", "participant"],
    ),
    Row {
        resource_type: "Observation",
        payment: &["status", "category", "code", "subject", "effectiveDateTime"],
        operations: &[
            "status",
            "category",
            "code",
            "subject",
            "effectiveDateTime",
            "valueQuantity",
            "valueInteger",
            "dataAbsentReason",
        ],
    },
    Row::alike("QuestionnaireResponse", &["questionnaire", "status", "subject", "authored"]),
    Row::alike(
        "EpisodeOfCare",
        &["identifier", "status", "patient", "managingOrganization", "period"],
    ),
    Row::alike("CareTeam", &["status", "subject", "participant", "managingOrganization"]),
    Row {
        resource_type: "CarePlan",
        payment: &["status", "intent", "category", "subject", "period"],
        operations: &["status", "intent", "category", "subject", "period", "goal"],
    },
    Row {
        resource_type: "Goal",
        payment: &["lifecycleStatus", "description", "subject"],
        operations: &["lifecycleStatus", "achievementStatus", "description", "subject"],
    },
    Row::alike("Communication", &["status", "category", "subject", "sent"]),
    Row::alike("RelatedPerson", &["active", "patient", "relationship"]),
    Row::alike("Provenance", &["target", "recorded", "agent"]),
    Row::alike("Task", &["status", "intent", "code", "for", "authoredOn", "lastModified"]),
];

/// Types that are nobody's record, a consent, or go only where a consent lists them by name, so that
/// what they say is what was described.
const WHOLE: &[&str] = &[
    "Binary",
    "Consent",
    "DocumentReference",
    "Location",
    "Organization",
    "Practitioner",
    "PractitionerRole",
];

/// The elements of a type that are shown for a purpose; all of them where it is `None`.
pub fn elements(resource_type: &str, purpose: Purpose) -> Option<&'static [&'static str]> {
    if !purpose.is_minimised() || WHOLE.contains(&resource_type) {
        return None;
    }
    let row = ROWS.iter().find(|row| row.resource_type == resource_type);
    Some(row.map_or(&[][..], |row| match purpose {
        Purpose::Payment => row.payment,
        _ => row.operations,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::r4::Elements;
    use crate::fhir::search::param;

    #[test]
    fn every_type_that_is_served_has_a_row_that_holds_what_it_cannot_be_without() {
        let table = Elements::new();
        for name in param::served() {
            for purpose in [Purpose::Payment, Purpose::Operations] {
                let Some(shown) = elements(name, purpose) else { continue };
                assert!(!shown.is_empty(), "{name} has no row");
                let known = table.find(name).and_then(|id| table.get(id)).unwrap();
                let named: Vec<&str> =
                    known.elements.iter().map(|element| &*element.name).collect();
                for element in shown {
                    let is_one = |name: &&&str| {
                        element.strip_prefix(**name).is_some_and(|rest| {
                            rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase())
                        })
                    };
                    assert!(named.iter().any(|name| is_one(&name)), "{name}.{element}");
                }
                for element in known.elements.iter().filter(|element| element.required) {
                    assert!(shown.contains(&&*element.name), "{name}.{} is left out", element.name);
                }
            }
        }
    }

    #[test]
    fn treatment_is_exempt() {
        assert_eq!(elements("Condition", Purpose::Treatment), None);
        assert!(!elements("Condition", Purpose::Payment).unwrap().contains(&"note"));
    }

    #[test]
    fn the_table_as_a_lawyer_reads_it() {
        let row = |row: &Row| {
            let (payment, operations) = (row.payment.join(" "), row.operations.join(" "));
            format!("{}\n  payment     {payment}\n  operations  {operations}", row.resource_type)
        };
        let table = ROWS.iter().map(row).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(table);
    }
}
