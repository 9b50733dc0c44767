//! A visit: one browser with the cookie that ties its requests together, before and after somebody
//! signs in with it.
//!
//! The cookie's value is random and says nothing. Signing in gives the browser a new one, so that
//! nobody can plant a value and share the session that comes of it. A form carries a token made of
//! the cookie and of the place that it is sent to, which a page of another site cannot know.

use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::{FromRequest, HttpRequest, web};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Language, Texts};
use crate::http::parameters::{self, Pairs};
use crate::http::site::{Refused, Why};
use crate::http::{State, body};

/// The form field of the token.
pub(super) const CSRF: &str = "csrf";
/// The parameter that chooses a language.
const LANG: &str = "lang";
/// The cookie of the visit.
const VISIT: &str = "throughline-visit";
/// The cookie of the language.
const LANGUAGE: &str = "throughline-language";
/// How long a choice of language is remembered, in seconds.
const REMEMBERED_S: i64 = 365 * 24 * 3_600;
/// Random bytes in a visit's id.
const RANDOM: usize = 32;

/// A browser that looks at a page.
#[derive(Clone)]
pub(in crate::http) struct Visit {
    state: web::Data<State>,
    id: String,
    is_new: bool,
    language: Language,
    is_chosen: bool,
    path: String,
    query: Pairs,
}

impl Visit {
    fn of(request: &HttpRequest) -> Result<Self, actix_web::Error> {
        let missing = || actix_web::error::ErrorInternalServerError("no state");
        let state = request.app_data::<web::Data<State>>().cloned().ok_or_else(missing)?;
        let cookies = state.cookies;
        let known = cookies.get(request, VISIT).filter(|id| is_id(id));
        let is_new = known.is_none();
        let id = match known {
            Some(id) => id,
            None => random().ok_or_else(missing)?,
        };
        let mut query = parameters::parse(request.query_string()).unwrap_or_default();
        let mut is_choice = |(name, value): &(String, String)| {
            (name == LANG).then(|| Language::tagged(value)).flatten()
        };
        let chosen = query.iter().find_map(&mut is_choice);
        query.retain(|(name, _)| name != LANG);
        let kept = || cookies.get(request, LANGUAGE).and_then(|tag| Language::tagged(&tag));
        let language = chosen.or_else(kept).unwrap_or_else(|| Language::preferred(request));
        let (path, is_chosen) = (request.path().to_owned(), chosen.is_some());
        Ok(Self { state, id, is_new, language, is_chosen, path, query })
    }

    /// What the handlers share.
    pub(in crate::http) fn state(&self) -> &web::Data<State> {
        &self.state
    }

    /// The value of the cookie: what the session is found by.
    pub(in crate::http) fn id(&self) -> &str {
        &self.id
    }

    /// The same browser under a new id, as it has to be where somebody signs in or out.
    pub(in crate::http) fn renewed(&self) -> Result<Self, Refused> {
        let id = random().ok_or_else(|| self.refused(Why::Unavailable))?;
        Ok(Self { id, is_new: true, ..self.clone() })
    }

    /// The language of the page.
    pub(in crate::http) fn language(&self) -> Language {
        self.language
    }

    /// The texts in that language.
    pub(in crate::http) fn texts(&self) -> &Texts {
        self.state.languages.of(self.language)
    }

    /// What the practice is called, if that is configured.
    pub(in crate::http) fn practice(&self) -> Option<&str> {
        self.state.practice.as_deref()
    }

    /// The issuer of those who sign in elsewhere.
    pub(super) fn provider(&self) -> Option<&str> {
        Some(self.state.sign_in.as_ref()?.provider()?.issuer())
    }

    /// A parameter of the address.
    pub(in crate::http) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// This page in another language.
    pub(super) fn address_in(&self, language: Language) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query).append_pair(LANG, language.tag());
        format!("{}?{}", self.path, query.finish())
    }

    /// The cookies to be set with the answer.
    pub(in crate::http) fn cookies(&self) -> Vec<Cookie<'static>> {
        let cookies = self.state.cookies;
        let visit = self.is_new.then(|| cookies.make(VISIT, &self.id, None));
        let language =
            self.is_chosen.then(|| cookies.make(LANGUAGE, self.language.tag(), Some(REMEMBERED_S)));
        visit.into_iter().chain(language).collect()
    }

    /// The token of a form that is sent to `action`.
    pub(in crate::http) fn csrf(&self, action: &str) -> String {
        let tag = hmac::sign(&self.state.forms, format!("{}\u{1f}{action}", self.id).as_bytes());
        URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    /// Whether a form with this token is one of ours, for here.
    fn made(&self, token: &str) -> bool {
        let expected = self.csrf(&self.path);
        !self.is_new && verify_slices_are_equal(expected.as_bytes(), token.as_bytes()).is_ok()
    }

    /// A refusal, as a page.
    pub(in crate::http) fn refused(&self, why: Why) -> Refused {
        Refused::new(self.clone(), why)
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visit")
    }
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

/// A form that one of our pages sent in this visit.
#[derive(Debug)]
pub(in crate::http) struct Form(Pairs);

impl Form {
    /// The value of a field; one that is there twice has none.
    pub(in crate::http) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// What was written into a field, without blanks around it; nothing where that is nothing.
    pub(in crate::http) fn filled(&self, name: &str) -> Option<String> {
        let value = self.value(name).map(str::trim).filter(|value| !value.is_empty());
        value.map(str::to_owned)
    }

    /// All values of a field.
    pub(in crate::http) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All fields, in order.
    pub(in crate::http) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    async fn read(request: HttpRequest, payload: web::Payload) -> Result<Self, actix_web::Error> {
        let visit = Visit::of(&request)?;
        let sent = body::form(&request, payload).await.map(Self);
        let form = sent.map_err(|_refusal| visit.refused(Why::Forged))?;
        let is_ours = is_same_site(&request) && form.value(CSRF).is_some_and(|t| visit.made(t));
        if is_ours { Ok(form) } else { Err(visit.refused(Why::Forged).into()) }
    }
}

impl FromRequest for Form {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, actix_web::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move { Self::read(request, payload.await?).await })
    }
}

/// Whether the browser says that our own page sent the form, or says nothing (Fetch Metadata).
fn is_same_site(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

/// A new id of a visit.
fn random() -> Option<String> {
    let mut bytes = [0; RANDOM];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_id(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == RANDOM)
}
