//! The parameters of R4 and US Core 6.1.0 that the table leaves out, each with the reason.
//!
//! A parameter by which nothing could ever be found is not declared: a caller who is told so can
//! ask otherwise, one who gets an empty answer cannot know whether there is nothing or nobody
//! looked.

/// Why it finds nothing.
const NO_CONTENT: &str = "what it looks at is in no resource of this type here";

/// The parameters that look at what no served resource has, by type.
const EMPTY: &[(&str, &[&str])] = &[
    ("Patient", &["general-practitioner"]),
    (
        "Practitioner",
        &[
            "address",
            "address-city",
            "address-country",
            "address-postalcode",
            "address-state",
            "address-use",
            "gender",
        ],
    ),
    ("PractitionerRole", &["endpoint", "location", "service"]),
    ("Organization", &["address-use", "endpoint", "partof", "type"]),
    ("Location", &["address-use", "endpoint", "near", "operational-status", "partof"]),
    (
        "RelatedPerson",
        &[
            "address",
            "address-city",
            "address-country",
            "address-postalcode",
            "address-state",
            "address-use",
            "birthdate",
            "gender",
        ],
    ),
    ("CareTeam", &["category", "date", "encounter"]),
    ("EpisodeOfCare", &["incoming-referral", "type"]),
    (
        "Appointment",
        &["based-on", "reason-code", "reason-reference", "service-category", "slot", "specialty"],
    ),
    (
        "Encounter",
        &[
            "account",
            "based-on",
            "diagnosis",
            "discharge-disposition",
            "location-period",
            "part-of",
            "reason-code",
            "special-arrangement",
        ],
    ),
    ("Communication", &["based-on", "instantiates-canonical", "instantiates-uri"]),
    ("DocumentReference", &["event", "facility", "language", "related", "setting"]),
    (
        "CarePlan",
        &[
            "activity-reference",
            "based-on",
            "encounter",
            "instantiates-canonical",
            "instantiates-uri",
            "part-of",
        ],
    ),
    (
        "Condition",
        &[
            "abatement-age",
            "abatement-string",
            "asserted-date",
            "asserter",
            "body-site",
            "evidence",
            "evidence-detail",
            "onset-age",
            "onset-info",
            "severity",
            "stage",
        ],
    ),
    (
        "Observation",
        &[
            "based-on",
            "code-value-date",
            "component-code",
            "component-code-value-concept",
            "component-code-value-quantity",
            "component-data-absent-reason",
            "component-value-concept",
            "component-value-quantity",
            "device",
            "focus",
            "method",
            "part-of",
            "specimen",
            "value-date",
        ],
    ),
    ("QuestionnaireResponse", &["based-on", "part-of", "source"]),
    ("Consent", &["action"]),
    ("Provenance", &["agent-role", "location", "signature-type", "when"]),
    ("Task", &["based-on", "encounter", "group-identifier", "part-of", "performer", "period"]),
];

/// Other reasons, whatever the type.
const OTHERS: &[(&str, &str)] = &[
    ("phonetic", "who only sounds alike is somebody else: search by name"),
    ("activity-date", "a schedule here says how often, not when"),
    ("_content", "the text of records is not searched"),
    ("_text", "the text of records is not searched"),
    ("_query", "there are no named queries"),
];

/// Why a parameter that is defined for a type is not in the table; `None` where nothing is said.
pub fn why(resource_type: &str, name: &str) -> Option<&'static str> {
    let empty = EMPTY.iter().find(|(known, _)| *known == resource_type);
    if empty.is_some_and(|(_, names)| names.contains(&name)) {
        return Some(NO_CONTENT);
    }
    OTHERS.iter().find(|(known, _)| *known == name).map(|(_, why)| *why)
}
