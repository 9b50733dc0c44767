//! The authorization server's use cases (SMART App Launch 2.2): an app asks, a person decides, a
//! token is issued, refreshed, looked at and taken back.
//!
//! The functions that are not `async` block on the store for a moment.

mod authorize;
mod bearer;
mod client;
mod clients;
mod code;
mod decision;
mod discovery;
mod fault;
mod grant;
mod identity;
mod introspect;
mod issuers;
mod launch;
mod pending;
mod proof;
mod recency;
mod refusal;
mod token;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use crate::auth::{Guard, KeySets, Tokens};
use crate::cache::{Changes, Fresh};
use crate::clock::Clock;
use crate::config::{AuthSettings, ClientSettings};
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::limits::{Guesses, Strangers};
use crate::store::Store;

use self::issuers::Issuers;

pub use self::authorize::Turned;
pub use self::client::{Client, Proof};
pub use self::clients::Clients;
pub use self::decision::{Decision, Event, Witness};
pub use self::fault::{Code, Fault, Refused};
pub use self::grant::Granted;
pub use self::introspect::Asker;
pub use self::launch::{Launch, Told};
pub use self::pending::{Approval, Begun, Pending, Unasked};
pub use self::proof::Credentials;
pub use self::recency::{Recency, SignedIn};
pub use self::token::{TokenAnswer, TokenRequest};

/// The path of the authorization endpoint.
pub const AUTHORIZE: &str = "/auth/authorize";
/// The path of the token endpoint.
pub const TOKEN: &str = "/auth/token";
/// The path of introspection.
pub const INTROSPECT: &str = "/auth/introspect";
/// The path of revocation.
pub const REVOKE: &str = "/auth/revoke";
/// The path of the public keys.
pub const JWKS: &str = "/auth/jwks";

/// How many tokens' states are remembered.
const REMEMBERED: u64 = 100_000;

/// Where the server is, as its clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The FHIR base, without a trailing slash.
    pub base: String,
    /// The issuer: the origin of the base.
    pub issuer: String,
}

impl Site {
    /// The site of a FHIR base.
    pub fn new(base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let issuer = base.strip_suffix("/fhir").unwrap_or(&base).to_owned();
        Self { base, issuer }
    }

    /// The URL of a path of ours, such as `/auth/token`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}

/// How long what is granted holds.
#[derive(Debug, Clone, Copy)]
struct Terms {
    access: Duration,
    refresh: Duration,
    grant: Duration,
    online: Duration,
}

impl Terms {
    fn new(settings: &AuthSettings) -> Result<Self> {
        let wrong = |what: &str| Err(Error::Setup(format!("auth: {what}")));
        if !(1..=60).contains(&settings.access_minutes) {
            return wrong("`access_minutes` is 1 to 60");
        }
        if settings.refresh_days == 0 || settings.grant_days == 0 || settings.online_hours == 0 {
            return wrong("`refresh_days`, `grant_days` and `online_hours` are 1 or more");
        }
        let hours = |hours: u32| Duration::from_hours(u64::from(hours));
        Ok(Self {
            access: Duration::from_mins(u64::from(settings.access_minutes)),
            refresh: hours(settings.refresh_days.saturating_mul(24)),
            grant: hours(settings.grant_days.saturating_mul(24)),
            online: hours(settings.online_hours),
        })
    }
}

/// What the authorization server needs from the rest of the product.
pub struct Parts {
    /// Its memory.
    pub store: Arc<dyn Store>,
    /// Signs and verifies.
    pub tokens: Arc<Tokens>,
    /// Tells the other replicas what was taken back.
    pub changes: Changes,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Keeps the record of decisions.
    pub witness: Arc<dyn Witness>,
    /// Counts who could not prove to be a client.
    pub guesses: Guesses,
    /// Counts what is kept for people who are not known yet.
    pub strangers: Strangers,
}

/// The authorization server.
pub struct Authority {
    parts: Parts,
    clients: Clients,
    terms: Terms,
    site: OnceLock<Site>,
    live: Fresh<[u8; 32], bool>,
    key_sets: KeySets,
    issuers: Issuers,
}

impl Authority {
    /// The server, with its settings and the clients of the settings.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right.
    pub fn new(parts: Parts, settings: &AuthSettings, clients: &[ClientSettings]) -> Result<Self> {
        Ok(Self {
            clients: Clients::new(clients, Arc::clone(&parts.store))?,
            terms: Terms::new(settings)?,
            site: OnceLock::new(),
            live: Fresh::new(parts.changes.clone(), REMEMBERED),
            issuers: Issuers::new(&settings.issuers)?,
            key_sets: KeySets::new(Guard::new(&settings.private_networks)?)?,
            parts,
        })
    }

    /// Says where the server is; the first time counts.
    pub fn open_at(&self, base: &str) {
        self.site.get_or_init(|| Site::new(base));
    }

    /// Where the server is.
    pub fn site(&self) -> Result<&Site> {
        self.site.get().ok_or_else(|| Error::broken("the authorization server has no address yet"))
    }

    /// Counts a request, or a sign-in, that is to be kept for somebody who is not known yet; the
    /// seconds to wait, if it may not be.
    pub async fn wait(&self, address: Option<IpAddr>) -> Option<u64> {
        self.parts.strangers.wait(address).await
    }

    /// The register of clients.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The public keys by which what is signed here can be checked.
    pub fn key_set(&self) -> jsonwebtoken::jwk::JwkSet {
        self.parts.tokens.key_set()
    }

    fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    /// The clock that it goes by.
    pub fn clock(&self) -> &dyn Clock {
        &*self.parts.clock
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn saw(&self, decision: &Decision<'_>) -> Result<()> {
        self.parts.witness.saw(decision)
    }

    /// Says that what is remembered of the tokens of a grant, or of all of a tenant, is outdated.
    fn forget(&self, tenant: &TenantId, grant: Option<&str>) {
        self.parts.changes.tell(&self.scope(tenant, grant));
    }

    /// The scope of changes about the tokens of a grant. A grant's name has the form of an id.
    fn scope(&self, tenant: &TenantId, grant: Option<&str>) -> crate::cache::Scope {
        let grant = grant.and_then(|grant| grant.parse::<FhirId>().ok());
        self.parts.changes.scope(tenant, grant.as_ref())
    }
}
