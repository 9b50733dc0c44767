//! An authorization request that waits for a person, who approves or denies it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::authorize::answer;
use super::client::Client;
use super::decision::{Decision, Event};
use super::fault::{Code, Fault};
use super::grant::Given;
use super::launch::{self, Launch, after};
use super::recency::Recency;
use super::{Authority, code};
use crate::auth;
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::policy::{FhirUser, Plain, Scopes};
use crate::store::{GrantRow, Handle};

/// The kind of the handle.
const KIND: &str = "request";
/// How long a person may take.
const LIFETIME: Duration = Duration::from_mins(15);

/// A request that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its name, which goes from page to page.
    pub id: String,
    /// What the browser has to show with it, so that nobody else's can go on.
    pub browser: String,
}

/// A request, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) state: String,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) recency: Recency,
    pub(super) login_hint: Option<String>,
    pub(super) scopes: String,
    pub(super) launch: Option<launch::Kept>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    asked: Asked,
    /// SHA-256 of what the browser has to show, in hex.
    browser: String,
}

/// A request that waits for a person.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Who asks.
    pub client: Client,
    /// Where the person is sent back to.
    pub redirect_uri: String,
    /// What is asked for and could be granted.
    pub scopes: Scopes,
    /// The context in which the app was launched.
    pub launch: Option<Launch>,
    /// What the app wants of the login (OpenID Connect Core, 3.1.2.1).
    pub prompt: Option<String>,
    /// How recently somebody has to have signed in.
    pub recency: Recency,
    /// Whom the app expects.
    pub login_hint: Option<String>,
    asked: Asked,
}

/// What a person approves.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Who approves: an opaque id that stays the same.
    pub subject: String,
    /// The resource that they are.
    pub fhir_user: FhirUser,
    /// The patient whom the app may see.
    pub patient: Option<FhirId>,
    /// The encounter in context.
    pub encounter: Option<FhirId>,
    /// What the app may do: no more than was asked for.
    pub scopes: Scopes,
    /// Until when, if the person said so.
    pub expires: Option<Timestamp>,
    /// When they proved who they are, if the provider said so.
    pub proven: Option<Timestamp>,
}

/// What somebody would have to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unasked {
    /// To sign in.
    Login,
    /// To choose.
    Choice,
    /// To decide.
    Consent,
}

impl Unasked {
    fn fault(self) -> Fault {
        match self {
            Self::Login => Fault::new(
                Code::LoginRequired,
                "nobody is signed in: ask again without prompt=none",
            ),
            Self::Choice => Fault::new(
                Code::InteractionRequired,
                "the person has something to choose: ask again without prompt=none",
            ),
            Self::Consent => Fault::new(
                Code::ConsentRequired,
                "the person has to say yes: ask again without prompt=none",
            ),
        }
    }
}

impl Authority {
    /// Keeps a request.
    pub(super) fn begin(&self, asked: &Asked) -> Result<Begun> {
        let (id, browser, now) = (auth::secret()?, auth::secret()?, self.now());
        let body = Body { asked: asked.clone(), browser: hex::encode(auth::digest(&browser)) };
        let handle = Handle {
            kind: KIND.to_owned(),
            digest: auth::digest(&id),
            tenant: None,
            subject: String::new(),
            body: serde_json::to_vec(&body).map_err(Error::internal)?,
            expires: after(now, LIFETIME),
        };
        self.store().put_handle(&handle, now)?;
        Ok(Begun { id, browser })
    }

    /// The request of that name.
    ///
    /// # Errors
    ///
    /// `NotFound`: there is none, it is over or decided, or it is another browser's.
    pub fn pending(&self, id: &str, browser: &str) -> Result<Pending> {
        let found = self.store().handle(KIND, &auth::digest(id), self.now())?;
        let body = found.ok_or(Error::NotFound)?.body;
        let body: Body = serde_json::from_slice(&body).map_err(Error::internal)?;
        if !auth::same(&body.browser, &hex::encode(auth::digest(browser))) {
            return Err(Error::NotFound);
        }
        let client = self.clients().get(&body.asked.client)?.ok_or(Error::NotFound)?;
        let asked = body.asked;
        Ok(Pending {
            client,
            redirect_uri: asked.redirect_uri.clone(),
            scopes: Scopes::parse(&asked.scopes),
            launch: asked.launch.as_ref().map(launch::Kept::launch).transpose()?,
            prompt: asked.prompt.clone(),
            recency: asked.recency,
            login_hint: asked.login_hint.clone(),
            asked,
        })
    }

    /// Grants what a person approves; answers where to send them, with a code for the app.
    ///
    /// # Errors
    ///
    /// `NotFound` as [`Self::pending`], and where it has been decided meanwhile; `Invalid` for an
    /// approval of more than was asked for, or of what the launch does not say.
    pub fn approve(&self, id: &str, browser: &str, approval: &Approval) -> Result<String> {
        let pending = self.pending(id, browser)?;
        pending.check(approval)?;
        self.take(id)?;
        let now = self.now();
        let grant = self.granted(&pending, approval, now)?;
        let code = code::Code {
            grant: grant.id.clone(),
            client: grant.client.clone(),
            redirect_uri: pending.redirect_uri.clone(),
            challenge: pending.asked.challenge.clone(),
            nonce: pending.asked.nonce.clone(),
        };
        self.store().put_grant(&grant)?;
        let code = self.issue_code(&code, &grant)?;
        self.saw(&Decision {
            tenant: Some(grant.tenant.as_str()),
            client: Some(&grant.client),
            subject: Some(&grant.subject),
            patient: Some(&grant.patient),
            grant: Some(&grant.id),
            ..Decision::of(Event::Approved)
        })?;
        let state = Some(pending.asked.state.as_str());
        Ok(answer(&pending.redirect_uri, self.site()?, state, &[("code", &code)]))
    }

    /// Grants nothing; answers where to send the person.
    ///
    /// # Errors
    ///
    /// `NotFound` as [`Self::pending`].
    pub fn deny(&self, id: &str, browser: &str) -> Result<String> {
        let fault = Fault::new(Code::AccessDenied, "the person said no");
        self.refuse(id, browser, Event::Denied, fault)
    }

    /// Grants nothing to an app that wants nobody to be asked, since somebody would have to be
    /// (`prompt=none`; OpenID Connect Core, 3.1.2.6); answers where to send the person.
    ///
    /// # Errors
    ///
    /// `NotFound` as [`Self::pending`].
    pub fn leave_unasked(&self, id: &str, browser: &str, missing: Unasked) -> Result<String> {
        self.refuse(id, browser, Event::Unasked, missing.fault())
    }

    fn refuse(&self, id: &str, browser: &str, event: Event, fault: Fault) -> Result<String> {
        let pending = self.pending(id, browser)?;
        self.take(id)?;
        self.saw(&Decision {
            tenant: Some(pending.client.tenant.as_str()),
            client: Some(&pending.client.id),
            error: (event == Event::Unasked).then_some(fault.code),
            ..Decision::of(event)
        })?;
        let told = [("error", fault.code.as_str()), ("error_description", fault.hint)];
        Ok(answer(&pending.redirect_uri, self.site()?, Some(&pending.asked.state), &told))
    }

    /// Decides a request: of many that do at once, one does.
    fn take(&self, id: &str) -> Result<()> {
        let taken = self.store().take_handle(KIND, &auth::digest(id), self.now())?;
        taken.filter(|taken| taken.is_first).map(drop).ok_or(Error::NotFound)
    }

    fn granted(&self, pending: &Pending, approval: &Approval, now: Timestamp) -> Result<GrantRow> {
        let terms = &self.terms;
        let longest = if approval.scopes.has(Plain::OfflineAccess) {
            terms.grant
        } else if approval.scopes.has(Plain::OnlineAccess) {
            terms.online
        } else {
            code::LIFETIME + terms.access
        };
        let longest = after(now, longest);
        let given = Given {
            scopes: approval.scopes.to_string(),
            fhir_user: approval.fhir_user.to_string(),
            encounter: approval.encounter.as_ref().map(ToString::to_string),
            proven: approval.proven.map(Timestamp::as_second),
            told: pending.launch.as_ref().map(|launch| launch.told.clone()).unwrap_or_default(),
        };
        Ok(GrantRow {
            id: auth::name()?,
            tenant: pending.client.tenant.clone(),
            client: pending.client.id.clone(),
            subject: approval.subject.clone(),
            patient: approval.patient.as_ref().map(ToString::to_string).unwrap_or_default(),
            body: serde_json::to_vec(&given).map_err(Error::internal)?,
            made: now,
            used: None,
            expires: approval.expires.map_or(longest, |expires| expires.min(longest)),
            revoked: None,
        })
    }
}

impl Pending {
    /// Refuses an approval of what was not asked for.
    fn check(&self, approval: &Approval) -> Result<()> {
        let wrong = |part: &str, hint: &str| Err(Error::invalid(part, hint));
        if approval.scopes.is_empty() || !self.scopes.cover(&approval.scopes) {
            return wrong("scopes", "approve a part of what was asked for");
        }
        if approval.scopes.need_patient() && approval.patient.is_none() {
            return wrong("patient", "these scopes are about a patient: choose one");
        }
        let Some(launch) = &self.launch else { return Ok(()) };
        if launch.user.as_ref().is_some_and(|user| *user != approval.fhir_user) {
            return wrong("user", "the app was launched by somebody else: launch it again");
        }
        if launch.patient.is_some() && launch.patient != approval.patient {
            return wrong("patient", "the app was launched for another patient");
        }
        if launch.encounter.is_some() && launch.encounter != approval.encounter {
            return wrong("encounter", "the app was launched for another encounter");
        }
        Ok(())
    }
}
