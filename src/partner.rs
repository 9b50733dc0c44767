//! The FHIR servers of others, to which records are carried.
//!
//! Every address is looked at by the guard, at the connection that is made. Whatever is sent is known
//! by identifiers of ours, so that sending it again leaves one copy. What a server answers is never
//! told to anybody but by its status.

mod answer;
mod found;
mod pass;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use url::Url;

use self::answer::{Answer, read, unsent};
use self::pass::Passes;
use crate::auth::Guard;
use crate::clock::Clock;
use crate::config::{ReceiverSettings, Takes, Unmatched};
use crate::error::Error;

pub use self::found::Found;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// The media type of FHIR's JSON.
const FHIR_JSON: &str = "application/fhir+json";

/// Why something was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Its address is none that may be asked.
    Forbidden,
    /// Nothing answers there.
    Unreachable,
    /// The connection was cut, or the answer with it: nobody knows whether it was taken.
    Cut,
    /// It took too long.
    TimedOut,
    /// It is busy, and says how long.
    Busy(Option<Duration>),
    /// It does not know us.
    Denied,
    /// It answered with another status.
    Status(u16),
    /// Its answer is not what the specification says.
    Unclear,
    /// What was to be sent may not leave any more.
    Withdrawn,
}

/// Tells, right before something leaves, whether it still may.
pub type Still<'a> = &'a (dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync);

impl Trouble {
    /// Its name in records.
    pub fn code(self) -> &'static str {
        match self {
            Self::Forbidden => "address_not_allowed",
            Self::Unreachable => "unreachable",
            Self::Cut => "cut",
            Self::TimedOut => "timed_out",
            Self::Busy(_) => "busy",
            Self::Denied => "denied",
            Self::Status(412) => "many_known",
            Self::Status(_) => "refused",
            Self::Unclear => "unclear_answer",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Its status, if it is one.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Whether it may go well later.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Forbidden => false,
            Self::Status(status) => status >= 500,
            _ => true,
        }
    }

    /// How long the server asks to be left alone.
    pub fn pause(self) -> Option<Duration> {
        if let Self::Busy(pause) = self { pause } else { None }
    }
}

/// What became of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The status.
    pub status: u16,
    /// Whether the server said that it has understood all of it.
    pub is_understood: bool,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The body.
    pub body: Vec<u8>,
    /// By what the server knows whether it has it.
    pub identifier: Option<String>,
}

/// A FHIR server of somebody else.
pub struct Partner {
    settings: ReceiverSettings,
    base: Option<Url>,
    client: Client,
    passes: Option<Passes>,
    clock: Arc<dyn Clock>,
}

impl Partner {
    /// The server of these settings.
    ///
    /// # Errors
    ///
    /// `Setup`: the key or a network cannot be used.
    pub fn open(settings: &ReceiverSettings, clock: &Arc<dyn Clock>) -> crate::Result<Self> {
        let guard = Guard::new(&settings.private_networks)?;
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(Duration::from_secs(settings.timeout_s))
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(guard.clone())
            .user_agent(concat!("throughline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::internal)?;
        let passes = Passes::open(settings, &guard)?;
        // What a base is joined to ends with a slash.
        let base = guard.check(&format!("{}/", settings.base_url.trim_end_matches('/')));
        let clock = Arc::clone(clock);
        Ok(Self { settings: settings.clone(), base, client, passes, clock })
    }

    /// The settings.
    pub fn settings(&self) -> &ReceiverSettings {
        &self.settings
    }

    /// Looks for a person: a `Patient` as it is here, and the identifier that is ours. Nothing is
    /// created by it.
    ///
    /// # Errors
    ///
    /// What a server answers to somebody it does not let in, or nothing.
    pub async fn find(
        &self,
        person: &[u8],
        identifier: &str,
        still: Still<'_>,
    ) -> Result<Found, Trouble> {
        let known = self.known(identifier, still).await?;
        if known != Found::Nobody {
            return Ok(known);
        }
        let person: Value = serde_json::from_slice(person).map_err(|_broken| Trouble::Unclear)?;
        let asked = json!({
            "resourceType": "Parameters",
            "parameter": [
                { "name": "resource", "resource": found::asked(&person) },
                { "name": "onlyCertainMatches", "valueBoolean": false },
                { "name": "count", "valueInteger": found::MOST },
            ],
        });
        let asked = asked.to_string().into_bytes();
        let answer = self.post("Patient/$match", asked, None, still).await;
        match answer {
            Ok(answer) => answer.body.as_ref().and_then(found::matched).ok_or(Trouble::Unclear),
            // A server without the operation says so in one of these ways.
            Err(Trouble::Status(400 | 404 | 405 | 422 | 501)) => {
                Ok(match self.settings.unmatched {
                    Unmatched::Create => Found::Nobody,
                    Unmatched::Wait => Found::Unsure,
                })
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Whom the server has by our identifier.
    async fn known(&self, identifier: &str, still: Still<'_>) -> Result<Found, Trouble> {
        let mut url = self.url("Patient")?;
        url.query_pairs_mut().append_pair("identifier", identifier);
        let answer = self.send(self.client.get(url), still).await?;
        answer.body.as_ref().and_then(found::searched).ok_or(Trouble::Unclear)
    }

    /// Sends what somebody may have.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being taken, as far as that is known.
    pub async fn deliver(&self, parcel: &Parcel, still: Still<'_>) -> Result<Taken, Trouble> {
        let path = match self.settings.takes {
            Takes::Transaction => "",
            Takes::Document => "Bundle",
            Takes::Message => "$process-message",
            Takes::Reference => "DocumentReference",
            Takes::Link => return Err(Trouble::Forbidden),
        };
        let known = parcel.identifier.as_ref().map(|known| format!("identifier={known}"));
        let answer = self.post(path, parcel.body.clone(), known.as_deref(), still).await?;
        let is_understood = answer.body.as_ref().is_some_and(|body| {
            self.settings.takes == Takes::Transaction && found::all_taken(body)
                || self.settings.takes == Takes::Message && found::is_response(body)
        });
        let is_refused = self.settings.takes == Takes::Transaction && !is_understood;
        if is_refused {
            // A transaction is answered entry by entry: anything else is not known to be one.
            return Err(Trouble::Unclear);
        }
        Ok(Taken { status: answer.status, is_understood })
    }

    fn url(&self, path: &str) -> Result<Url, Trouble> {
        let base = self.base.as_ref().ok_or(Trouble::Forbidden)?;
        if path.is_empty() {
            let mut base = base.clone();
            let whole = base.path().trim_end_matches('/').to_owned();
            base.set_path(&whole);
            return Ok(base);
        }
        base.join(path).map_err(|_not_joined| Trouble::Forbidden)
    }

    async fn post(
        &self,
        path: &str,
        body: Vec<u8>,
        known: Option<&str>,
        still: Still<'_>,
    ) -> Result<Answer, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        if let Some(known) = known {
            let known = HeaderValue::from_str(known).map_err(|_not_text| Trouble::Unclear)?;
            headers.insert("if-none-exist", known);
        }
        self.send(self.client.post(self.url(path)?).headers(headers).body(body), still).await
    }

    /// Asks with a token, and once more with another where that one is not believed any more.
    async fn send(&self, request: RequestBuilder, still: Still<'_>) -> Result<Answer, Trouble> {
        let request = request.header(reqwest::header::ACCEPT, FHIR_JSON);
        let again = request.try_clone();
        let first = self.proven(request, false, still).await?;
        let response = match again {
            Some(again) if first.status().as_u16() == 401 && self.passes.is_some() => {
                self.proven(again, true, still).await?
            }
            _ => first,
        };
        read(response).await
    }

    /// Sends a request with a token, if it may leave when the token is there.
    async fn proven(
        &self,
        request: RequestBuilder,
        anew: bool,
        still: Still<'_>,
    ) -> Result<Response, Trouble> {
        let request = match &self.passes {
            Some(passes) => {
                let now = self.clock.now();
                request.bearer_auth(passes.get(&self.client, now, anew).await?)
            }
            None => request,
        };
        if !still().await {
            return Err(Trouble::Withdrawn);
        }
        request.send().await.map_err(|cause| unsent(&cause))
    }
}

impl std::fmt::Debug for Partner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partner").field("name", &self.settings.name).finish_non_exhaustive()
    }
}
