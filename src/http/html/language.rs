//! The language of a page: what the person chose, or else what the browser prefers.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::http::weights::Weights;

/// A language that the pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) enum Language {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub(in crate::http) const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// The BCP 47 tag.
    pub(in crate::http) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// What its speakers call it.
    pub(in crate::http) fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
        }
    }

    /// The language of a tag, whatever its region.
    pub(in crate::http) fn tagged(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// The language that the browser prefers of those there are.
    pub(in crate::http) fn preferred(request: &HttpRequest) -> Self {
        let weights = Weights::of(request.headers(), &header::ACCEPT_LANGUAGE);
        weights.dearest().into_iter().find_map(Self::tagged).unwrap_or_default()
    }
}
