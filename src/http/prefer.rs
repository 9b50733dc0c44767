//! What a caller would like (RFC 7240): how strictly unknown
//! parameters are taken, and whether an answer may come later (<https://hl7.org/fhir/R4/search.html#errors>).

use actix_web::http::header::HeaderMap;

/// Whether the caller takes an answer later (RFC 7240, 4.1).
pub(super) fn is_async(headers: &HeaderMap) -> bool {
    let fields = headers.get_all("prefer").filter_map(|field| field.to_str().ok());
    let mut said = fields.flat_map(|field| field.split([',', ';']));
    said.any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
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
