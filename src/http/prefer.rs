//! What a caller would like (RFC 7240): how strictly unknown
//! parameters are taken, and whether an answer may come later (<https://hl7.org/fhir/R4/search.html#errors>).

use actix_web::http::header::HeaderMap;

/// Whether the caller takes an answer later (RFC 7240, 4.1).
pub(super) fn is_async(headers: &HeaderMap) -> bool {
    let fields = headers.get_all("prefer").filter_map(|field| field.to_str().ok());
    let mut said = fields.flat_map(|field| field.split([',', ';']));
    said.any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

/// What of a resource that was written an answer is to hold (RFC 7240, 4.2;
/// <https://hl7.org/fhir/R4/http.html#ops>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    /// Nothing.
    Minimal,
    /// The resource.
    Representation,
    /// What there is to know about it.
    Outcome,
}

/// What the caller would like back.
pub(super) fn returned(headers: &HeaderMap) -> Option<Return> {
    let fields = headers.get_all("prefer").filter_map(|field| field.to_str().ok());
    let mut said = fields.flat_map(|field| field.split([',', ';']));
    said.find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("return") {
            return None;
        }
        match value.trim().trim_matches('"') {
            "minimal" => Some(Return::Minimal),
            "representation" => Some(Return::Representation),
            "OperationOutcome" => Some(Return::Outcome),
            _ => None,
        }
    })
}

/// Whether unknown parameters are to be ignored. Strict is the default, and wins over lenient: a
/// parameter that is dropped can widen what is disclosed.
pub(super) fn is_lenient(headers: &HeaderMap) -> bool {
    let said = |wanted: &str| {
        headers
            .get_all("prefer")
            .filter_map(|field| field.to_str().ok())
            .flat_map(|field| field.split([',', ';']))
            .any(|preference| {
                let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
                name.trim().eq_ignore_ascii_case("handling")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case(wanted)
            })
    };
    said("lenient") && !said("strict")
}
