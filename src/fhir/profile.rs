//! What US Core asks of the types that are served: the profiles that resources claim, and the
//! searches by several parameters at once (<https://hl7.org/fhir/us/core/STU6.1/>).

/// The versions of US Core to whose profiles resources are valid, all at once.
pub const VERSIONS: &[&str] = &["6.1.0", "7.0.0"];

/// The profiles of one resource type.
pub fn supported(resource_type: &str) -> &'static [&'static str] {
    PROFILES.iter().find(|(name, _)| *name == resource_type).map_or(&[], |(_, profiles)| profiles)
}

/// The searches by several parameters at once that US Core names for a type, each as its parameters.
pub fn combinations(
    resource_type: &str,
) -> impl Iterator<Item = std::str::Split<'static, char>> + use<> {
    let of_type = COMBINATIONS.iter().find(|(name, _)| *name == resource_type);
    let all = of_type.map_or(&[][..], |(_, all)| all);
    all.iter().map(|names| names.split('+'))
}

/// What US Core's CapabilityStatement of a server names in either version, as far as the parameters are served.
const COMBINATIONS: &[(&str, &[&str])] = &[
    (
        "Patient",
        &[
            "birthdate+family",
            "family+gender",
            "birthdate+name",
            "gender+name",
            "death-date+family",
        ],
    ),
    ("RelatedPerson", &["patient+name"]),
    ("CareTeam", &["patient+status", "patient+role"]),
    (
        "Encounter",
        &[
            "patient+type",
            "class+patient",
            "patient+status",
            "date+patient",
            "patient+location",
            "patient+_lastUpdated",
        ],
    ),
    (
        "DocumentReference",
        &[
            "patient+type",
            "patient+status",
            "patient+type+period",
            "patient+category+date",
            "patient+category",
        ],
    ),
    (
        "CarePlan",
        &[
            "patient+category",
            "patient+category+status",
            "patient+category+status+date",
            "patient+category+date",
        ],
    ),
    ("Goal", &["patient+target-date", "patient+description", "patient+lifecycle-status"]),
    (
        "Condition",
        &[
            "patient+recorded-date",
            "patient+category+clinical-status",
            "patient+onset-date",
            "patient+abatement-date",
            "patient+clinical-status",
            "patient+category+encounter",
            "patient+_lastUpdated",
            "patient+code",
            "patient+category",
        ],
    ),
    (
        "Observation",
        &[
            "patient+code+date",
            "patient+category+status",
            "patient+category+date",
            "patient+category+_lastUpdated",
            "patient+category",
            "patient+code",
        ],
    ),
    ("QuestionnaireResponse", &["patient+questionnaire", "patient+authored", "patient+status"]),
];

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
