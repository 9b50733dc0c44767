//! The US Core 6.1.0 profiles that served resources claim (<https://hl7.org/fhir/us/core/STU6.1/>).

/// The profiles of one resource type.
pub fn supported(resource_type: &str) -> &'static [&'static str] {
    PROFILES.iter().find(|(name, _)| *name == resource_type).map_or(&[], |(_, profiles)| profiles)
}

const PROFILES: &[(&str, &[&str])] = &[
    ("Patient", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]),
    ("Practitioner", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-practitioner"]),
    (
        "PractitionerRole",
        &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-practitionerrole"],
    ),
    ("Organization", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-organization"]),
    ("Location", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-location"]),
    ("RelatedPerson", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-relatedperson"]),
    ("CareTeam", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-careteam"]),
    ("Encounter", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-encounter"]),
    (
        "DocumentReference",
        &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-documentreference"],
    ),
    ("CarePlan", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-careplan"]),
    ("Goal", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-goal"]),
    (
        "Condition",
        &[
            "http://hl7.org/fhir/us/core/StructureDefinition/us-core-condition-encounter-diagnosis",
            "http://hl7.org/fhir/us/core/StructureDefinition/us-core-condition-problems-health-concerns",
        ],
    ),
    (
        "Observation",
        &[
            "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-screening-assessment",
        ],
    ),
    ("Provenance", &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance"]),
];
