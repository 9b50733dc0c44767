//! The form of an answer: JSON of FHIR 4.0 under one of its names, indented if asked for
//! (<https://hl7.org/fhir/R4/http.html#mime-type>), or the content of a Binary as it is.
//!
//! `_format` counts before `Accept`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest};

use super::Refusal;
use super::parameters::{self, Pairs};
use super::weights::{Weights, weigh};
use crate::fhir::search::parse;

/// The media type of FHIR's JSON, which every refusal has.
pub(super) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// The names under which JSON is asked for, with the media type that is answered. A caller who
/// asks for a generic name gets it.
const NAMES: [(&str, &str); 3] = [
    ("application/fhir+json", FHIR_JSON),
    ("application/json", "application/json; charset=utf-8"),
    ("text/json", "text/json; charset=utf-8"),
];

/// How a JSON answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The media type, with its parameters.
    pub(super) media: &'static str,
    /// Whether it has line breaks and indentation.
    pub(super) pretty: bool,
}

impl Form {
    /// FHIR's JSON as it is stored.
    pub(super) const FHIR: Self = Self { media: FHIR_JSON, pretty: false };

    /// The form that a request asks for.
    pub(super) fn of(headers: &HeaderMap, parameters: &Pairs) -> Result<Self, Refusal> {
        parse::once(parameters, &["_format", "_pretty"])?;
        let media = match format(parameters) {
            Some(format) => by_format(format),
            None => by_accept(Weights::of(headers, &header::ACCEPT)),
        };
        let pretty = parameters.iter().any(|(name, value)| name == "_pretty" && value == "true");
        media.map(|media| Self { media, pretty }).ok_or(Refusal::NotAcceptable)
    }
}

impl FromRequest for Form {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parameters = parameters::parse(request.query_string());
        ready(parameters.and_then(|parameters| Self::of(request.headers(), &parameters)))
    }
}

/// Whether a Binary is answered as the content that it holds: where `Accept` names its type, and
/// JSON not as much (<https://hl7.org/fhir/R4/binary.html#rest>).
pub(super) fn prefers_content(headers: &HeaderMap, parameters: &Pairs, content_type: &str) -> bool {
    let accepted = Weights::of(headers, &header::ACCEPT);
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let json = NAMES.iter().filter_map(|(name, _)| accepted.exact(name)).fold(0.0, f32::max);
    format(parameters).is_none() && accepted.named(essence).is_some_and(|raw| raw > json)
}

/// The value of `_format`, if that is there.
fn format(parameters: &Pairs) -> Option<&str> {
    parameters.iter().find(|(name, _)| name == "_format").map(|(_, format)| format.as_str())
}

/// The media type by `_format`.
fn by_format(format: &str) -> Option<&'static str> {
    // A `+` that was not escaped in the URL arrives as a space.
    let format = format.replace("fhir json", "fhir+json");
    let (name, _) = weigh(&format).unwrap_or_default();
    let name = if name.eq_ignore_ascii_case("json") { "application/fhir+json" } else { name };
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, media)| *media)
}

/// The media type by `Accept`: FHIR's own unless a generic name of JSON weighs more.
fn by_accept(accepted: Weights<'_>) -> Option<&'static str> {
    if accepted.is_silent() {
        return Some(FHIR_JSON);
    }
    let mut best = None;
    let mut heaviest = 0.0;
    for (name, media) in NAMES {
        let weight = match media {
            FHIR_JSON => accepted.media(name),
            _ => accepted.exact(name).unwrap_or(0.0),
        };
        if weight > heaviest {
            (best, heaviest) = (Some(media), weight);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parameters;

    fn asked(accept: &str, query: &str) -> (HeaderMap, Pairs) {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        (headers, parameters::parse(query).unwrap())
    }

    fn media(accept: &str, query: &str) -> Option<&'static str> {
        let (headers, parameters) = asked(accept, query);
        Form::of(&headers, &parameters).ok().map(|form| form.media)
    }

    #[test]
    fn json_is_given_to_whoever_takes_it() {
        let [fhir, generic, text] = NAMES.map(|(_, media)| Some(media));
        for (accept, expected) in [
            ("", fhir),
            ("*/*", fhir),
            ("application/*", fhir),
            ("application/fhir+json; fhirVersion=4.0", fhir),
            ("application/json;q=0.5, application/fhir+json", fhir),
            ("application/json, application/fhir+json", fhir),
            ("text/html, application/xhtml+xml, */*;q=0.8", fhir),
            ("Application/FHIR+JSON;charset=utf-8", fhir),
            ("application/fhir+xml, application/fhir+json;q=0.1", fhir),
            ("application/json;q=0.5", generic),
            ("application/json, */*;q=0.1", generic),
            ("text/json", text),
            ("application/fhir+json;fhirVersion=5.0, application/json;q=0.2", generic),
            ("application/fhir+xml", None),
            ("text/html", None),
            ("text/*", None),
            ("application/fhir+json;fhirVersion=5.0", None),
            ("application/json;q=0", None),
            ("application/fhir+json;q=0, */*", None),
            ("application/*;q=0, */*", None),
            ("application/json;q=nonsense", None),
            (",;,", None),
        ] {
            assert_eq!(media(accept, ""), expected, "{accept}");
        }
    }

    #[test]
    fn the_format_parameter_counts_before_the_header() {
        for format in ["json", "application/fhir+json", "application%2Ffhir%2Bjson", "JSON"] {
            assert_eq!(media("text/html", &format!("_format={format}")), Some(FHIR_JSON));
        }
        let generic = media("text/html", "_format=application/json");
        assert_eq!(generic, Some("application/json; charset=utf-8"));
        for format in ["xml", "", "application/fhir+json;fhirVersion=5.0", "text/html", "ttl"] {
            assert_eq!(media("application/json", &format!("_format={format}")), None, "{format}");
        }
    }

    #[test]
    fn a_binary_is_its_content_where_that_is_named() {
        for (accept, query, expected) in [
            ("text/plain", "", true),
            ("text/*", "", true),
            ("text/plain, */*", "", true),
            ("text/plain;q=0.9, application/fhir+json;q=0.5", "", true),
            ("application/fhir+json, text/plain", "", false),
            ("text/plain", "_format=json", false),
            ("*/*", "", false),
            ("", "", false),
            ("application/pdf", "", false),
            ("text/plain;q=0", "", false),
        ] {
            let (headers, parameters) = asked(accept, query);
            let found = prefers_content(&headers, &parameters, "text/plain; charset=utf-8");
            assert_eq!(found, expected, "{accept}");
        }
    }
}
