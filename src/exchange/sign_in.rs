//! Signing in and out: the way to the provider and back, and the sessions that come of it.
//!
//! A session is a row that the browser's cookie leads to, so that it ends everywhere at once. What
//! the store holds is the digest of the cookie.

mod choice;
mod place;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::people::{People, Person};
use crate::auth::{Attempt, Identity, Provider, Return, digest};
use crate::clock::Clock;
use crate::config::{DemoAccount, LoginSettings};
use crate::error::{Error, Result};
use crate::store::{Handle, Store};

pub use self::choice::Choice;
pub use self::place::Place;

/// The kind of the rows that are sessions.
const SESSION: &str = "session";
/// The kind of the rows that are on their way to the provider.
const ATTEMPT: &str = "sign-in";
/// How long somebody may stay at the provider.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub person: Person,
    /// When they proved who they are, if the provider said so.
    #[serde(default)]
    pub proven: Option<Timestamp>,
    /// When they came in here.
    #[serde(default)]
    pub entered: Timestamp,
    /// The provider's ID token, for signing out there too.
    id_token: Option<String>,
}

/// Somebody on the way to the provider.
#[derive(Serialize, Deserialize)]
struct Journey {
    attempt: Attempt,
    /// The digest of the browser's cookie.
    browser: String,
    place: Place,
}

/// Who came back from the provider.
#[derive(Debug)]
pub struct Arrival {
    /// Who they are, as the provider says.
    pub identity: Identity,
    /// Where they wanted to go.
    pub place: Place,
}

/// Signs people in and out.
pub struct SignIn {
    store: Arc<dyn Store>,
    people: People,
    provider: Option<Provider>,
    accounts: Vec<DemoAccount>,
    lifetime: SignedDuration,
    clock: Arc<dyn Clock>,
}

impl SignIn {
    /// By the provider, if there is one, or by the accounts of a demonstration.
    pub fn new(
        store: Arc<dyn Store>,
        people: People,
        provider: Option<Provider>,
        settings: &LoginSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let lifetime = SignedDuration::from_mins(settings.session_minutes.into());
        Self { store, people, provider, accounts: settings.demo.clone(), lifetime, clock }
    }

    /// Whom logins belong to.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// The provider, if there is one.
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The accounts of the demonstration, with the people they are.
    pub fn accounts(&self) -> Result<Vec<(DemoAccount, Person)>> {
        let mut accounts = Vec::new();
        for account in &self.accounts {
            let person = self.people.of_account(account)?;
            accounts.extend(person.map(|person| (account.clone(), person)));
        }
        Ok(accounts)
    }

    /// Remembers somebody who goes to the provider.
    pub fn remember(&self, browser: &str, place: &Place, attempt: &Attempt) -> Result<()> {
        let journey = Journey {
            attempt: attempt.clone(),
            browser: hex::encode(digest(browser)),
            place: place.clone(),
        };
        let body = serde_json::to_vec(&journey).map_err(Error::internal)?;
        self.keep(ATTEMPT, &attempt.state, String::new(), body, PATIENCE)
    }

    /// Whether somebody who comes back went from this browser; they may come back once.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` if nobody went.
    pub fn recall(&self, browser: &str, state: &str) -> Result<(Attempt, Place)> {
        let taken = self.store.take_handle(ATTEMPT, &digest(state), self.clock.now())?;
        let taken = taken.filter(|taken| taken.is_first).ok_or(Error::Unauthenticated)?;
        let journey: Journey =
            serde_json::from_slice(&taken.handle.body).map_err(Error::internal)?;
        if journey.browser != hex::encode(digest(browser)) {
            return Err(Error::Unauthenticated);
        }
        Ok((journey.attempt, journey.place))
    }

    /// Who came back, as the provider says.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, or `Unavailable` while the provider does not answer.
    pub async fn receive(&self, back: Return<'_>, attempt: &Attempt) -> Result<Identity> {
        let provider = self.provider.as_ref().ok_or(Error::Unauthenticated)?;
        provider.receive(back, attempt).await
    }

    /// Opens a session under a new cookie.
    pub fn enter(&self, browser: &str, person: Person, identity: Option<&Identity>) -> Result<()> {
        let subject = person.subject.clone();
        let entered = self.clock.now();
        let session = Session {
            person,
            proven: identity.map_or(Some(entered), |known| known.proven),
            entered,
            id_token: identity.map(|known| known.id_token.clone()),
        };
        let body = serde_json::to_vec(&session).map_err(Error::internal)?;
        self.keep(SESSION, browser, subject, body, self.lifetime)
    }

    /// The session that a cookie leads to.
    pub fn session(&self, browser: &str) -> Result<Option<Session>> {
        let found = self.store.handle(SESSION, &digest(browser), self.clock.now())?;
        found.map(|row| serde_json::from_slice(&row.body).map_err(Error::internal)).transpose()
    }

    /// Ends a session.
    pub fn leave(&self, browser: &str) -> Result<Option<Session>> {
        let session = self.session(browser)?;
        self.store.drop_handle(SESSION, &digest(browser))?;
        Ok(session)
    }

    /// Where somebody who signed out here signs out of the provider too.
    pub async fn logout(&self, session: &Session, back: &str) -> Option<String> {
        let token = session.id_token.as_deref()?;
        self.provider.as_ref()?.logout(token, back).await
    }

    fn keep(
        &self,
        kind: &str,
        secret: &str,
        subject: String,
        body: Vec<u8>,
        lifetime: SignedDuration,
    ) -> Result<()> {
        let now = self.clock.now();
        let handle = Handle {
            kind: kind.to_owned(),
            digest: digest(secret),
            tenant: Some(self.people.tenant().clone()),
            subject,
            body,
            expires: now.saturating_add(lifetime).map_err(Error::internal)?,
        };
        self.store.put_handle(&handle, now)
    }
}
