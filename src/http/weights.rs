//! Weighed lists of header fields, such as `Accept` and `Accept-Encoding` (RFC 9110, 12.4.2).

use actix_web::http::header::{HeaderMap, HeaderName};

/// What a request says about alternatives, in all fields of one name.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    headers: &'a HeaderMap,
    field: &'a HeaderName,
}

impl<'a> Weights<'a> {
    /// The weights in the fields named `field`.
    pub(super) fn of(headers: &'a HeaderMap, field: &'a HeaderName) -> Self {
        Self { headers, field }
    }

    /// Whether there is no such field.
    pub(super) fn is_silent(self) -> bool {
        !self.headers.contains_key(self.field)
    }

    /// The weight of an alternative by its own name.
    pub(super) fn exact(self, name: &str) -> Option<f32> {
        self.items().find(|(item, _)| item.eq_ignore_ascii_case(name)).map(|(_, weight)| weight)
    }

    /// The weight of a media type by its own name or a range of its type, such as `text/*`.
    pub(super) fn named(self, media: &str) -> Option<f32> {
        let top = media.split_once('/').map_or(media, |(top, _)| top);
        let is_range = |item: &str| {
            item.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(top))
        };
        self.exact(media)
            .or_else(|| self.items().find(|(item, _)| is_range(item)).map(|(_, weight)| weight))
    }

    /// The weight of a media type by the most specific range that holds it; none is 0.
    pub(super) fn media(self, media: &str) -> f32 {
        self.named(media).or_else(|| self.exact("*/*")).unwrap_or(0.0)
    }

    /// The names that are not refused, the dearest first.
    pub(super) fn dearest(self) -> Vec<&'a str> {
        let mut items: Vec<_> = self.items().filter(|(_, weight)| *weight > 0.0).collect();
        items.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        items.into_iter().map(|(name, _)| name).collect()
    }

    /// The names with their weights; a name for another FHIR version than 4.0 is none.
    fn items(self) -> impl Iterator<Item = (&'a str, f32)> {
        let fields = self.headers.get_all(self.field).filter_map(|field| field.to_str().ok());
        fields.flat_map(|field| field.split(',')).filter_map(weigh)
    }
}

/// The name and the weight of an item.
pub(super) fn weigh(item: &str) -> Option<(&str, f32)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut weight = 1.0;
    for parameter in parts {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        if key.eq_ignore_ascii_case("q") {
            weight = value.parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0);
        }
        if key.eq_ignore_ascii_case("fhirVersion") && !value.starts_with("4.0") {
            return None;
        }
    }
    Some((name, weight))
}
