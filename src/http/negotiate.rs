//! The one format: JSON, FHIR 4.0 (<https://hl7.org/fhir/R4/http.html#mime-type>).

use actix_web::http::header::{self, HeaderMap};

use super::{Refusal, parameters};

/// Refuses a request that does not take JSON; `_format` counts before `Accept`.
pub(super) fn json(headers: &HeaderMap, query: Option<&str>) -> Result<(), Refusal> {
    let parameters = parameters::parse(query.unwrap_or_default())?;
    if let Some((_, format)) = parameters.iter().find(|(name, _)| name == "_format") {
        // A `+` that was not escaped in the URL arrives as a space.
        return acceptable(&format.replace("fhir json", "fhir+json"));
    }
    let mut accepted = headers.get_all(header::ACCEPT).peekable();
    if accepted.peek().is_none() {
        return Ok(());
    }
    let any = accepted
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .any(|range| acceptable(range).is_ok());
    if any { Ok(()) } else { Err(Refusal::NotAcceptable) }
}

/// Whether a media range, or a value of `_format`, takes JSON of FHIR 4.0.
fn acceptable(range: &str) -> Result<(), Refusal> {
    const JSON: &[&str] =
        &["application/fhir+json", "application/json", "application/*", "*/*", "json", "text/json"];
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let excluded = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        match name.to_ascii_lowercase().as_str() {
            "q" => value.parse::<f32>().is_ok_and(|quality| quality == 0.0),
            "fhirversion" => !value.starts_with("4.0"),
            _ => false,
        }
    };
    let taken = JSON.iter().any(|json| json.eq_ignore_ascii_case(media)) && !parts.any(excluded);
    if taken { Ok(()) } else { Err(Refusal::NotAcceptable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_json(accept: &str, query: &str) -> bool {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        json(&headers, Some(query)).is_ok()
    }

    #[test]
    fn json_is_given_to_whoever_takes_it() {
        for accept in [
            "",
            "*/*",
            "application/fhir+json",
            "application/fhir+json; fhirVersion=4.0",
            "application/json;q=0.5",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "Application/FHIR+JSON;charset=utf-8",
        ] {
            assert!(takes_json(accept, ""), "{accept}");
        }
        for accept in [
            "application/fhir+xml",
            "text/html",
            "application/fhir+json;fhirVersion=5.0",
            "application/json;q=0",
        ] {
            assert!(!takes_json(accept, ""), "{accept}");
        }
    }

    #[test]
    fn the_format_parameter_counts_before_the_header() {
        assert!(takes_json("text/html", "_format=json"));
        assert!(takes_json("text/html", "_format=application/fhir+json"));
        assert!(takes_json("text/html", "_format=application%2Ffhir%2Bjson"));
        assert!(!takes_json("application/json", "_format=xml"));
    }
}
