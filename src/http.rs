//! Delivery: the `RESTful` API of FHIR over HTTP (<https://hl7.org/fhir/R4/http.html>): read only, but
//! for the consents that people sign.
//!
//! A request passes the gate (limits, token, format), finds its route in the table, and a handler
//! asks for a permit, reads, and renders. What is refused is an `OperationOutcome`, always.

mod admin;
mod answer;
mod asking;
mod audit;
pub mod authorize;
mod batch;
mod binary;
mod body;
mod bulk;
mod call;
mod compress;
mod conditions;
mod consent;
mod content;
mod cors;
mod cursor;
mod deadline;
mod disclosure;
mod discovery;
mod docref;
mod door;
mod emergency;
mod everything;
mod explain;
mod gate;
mod group;
mod health;
mod history;
mod html;
mod limit;
mod links;
mod metadata;
mod meter;
mod negotiate;
mod oauth;
mod openapi;
mod pages;
mod parameters;
mod path;
mod prefer;
mod push;
mod read;
mod received;
pub mod refusal;
mod requests;
mod resource;
pub mod routes;
mod search;
mod searchset;
mod shape;
mod sheet;
mod site;
mod summary;
mod task;
mod terms;
pub mod tls;
mod transfers;
mod weights;
mod witness;
mod written;

use std::sync::Arc;

use actix_web::web::{self, Bytes};
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;

use self::cursor::Cursors;
use self::html::{Cookies, Languages};
use crate::audit::Audit;
use crate::auth::Keys;
use crate::blobs::Blobs;
use crate::cache::ReadThrough;
use crate::clock::Clock;
use crate::config::{BulkSettings, Cors};
use crate::domain::IdKey;
use crate::error::Result;
use crate::exchange::ingest::Rules;
use crate::exchange::jobs::Workshop;
use crate::exchange::links::Opening;
use crate::exchange::push::Pushes;
use crate::exchange::receiving::Receiving;
use crate::exchange::requests::{Copies, Erasures, Requests};
use crate::exchange::retention::Retention;
use crate::exchange::sign_in::SignIn;
use crate::exchange::signing::Signing;
use crate::exchange::transfers::Transfers;
use crate::fhir::capability;
use crate::fhir::r4::Elements;
use crate::limits::Limits;
use crate::package::{Language, Summarizer};
use crate::smart::{AUTHORIZE, Authority, Site, TOKEN};
use crate::store::Store;
use crate::telemetry::Traces;

pub use self::admin::configure_admin;
pub use self::authorize::CONSENT;
pub use self::door::Door;
pub use self::gate::gate;
pub use self::health::{Finding, Health};
pub use self::meter::{Open, RequestMeter};
pub use self::refusal::Refusal;

/// The path of the FHIR base.
pub const FHIR: &str = "/fhir";

/// What the handlers share.
pub struct State {
    store: Arc<dyn Store>,
    cache: ReadThrough,
    limits: Option<Arc<Limits>>,
    authority: Arc<Authority>,
    rules: Arc<ArcSwap<Rules>>,
    pushes: Arc<Pushes>,
    workshop: Arc<Workshop>,
    blobs: Blobs,
    links: Opening,
    receiving: Receiving,
    bulk: BulkSettings,
    audit: Arc<Audit>,
    clock: Arc<dyn Clock>,
    cursors: Cursors,
    base: String,
    metadata: Bytes,
    openapi: Bytes,
    elements: Elements,
    ids: IdKey,
    cors: Cors,
    sign_in: Option<Arc<SignIn>>,
    requests: Arc<Requests>,
    copies: Copies,
    erasures: Erasures,
    signing: Arc<Signing>,
    transfers: Transfers,
    practice: Option<String>,
    languages: Languages,
    summaries: Arc<Summarizer>,
    cookies: Cookies,
    /// The key of what tells our forms from those of others.
    forms: hmac::Key,
    door: Door,
    meter: RequestMeter,
    /// The same where any page may call.
    open: Cors,
    traces: Option<Arc<Traces>>,
}

/// What the handlers need from the rest of the product.
pub struct Ports {
    /// Where resources are.
    pub store: Arc<dyn Store>,
    /// Where their bytes are found faster.
    pub cache: ReadThrough,
    /// How much they may ask for, where that is limited.
    pub limits: Option<Arc<Limits>>,
    /// Who may call.
    pub authority: Arc<Authority>,
    /// The maps that made the resources; part of the cache's keys.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Which web pages may call.
    pub cors: Cors,
    /// Which platforms may push, and where their records go.
    pub pushes: Arc<Pushes>,
    /// What is done beside the requests.
    pub workshop: Arc<Workshop>,
    /// Where long files are.
    pub blobs: Blobs,
    /// Links to encrypted copies.
    pub links: Opening,
    /// How bulk exports are made.
    pub bulk: BulkSettings,
    /// Who people are, where anybody can sign in.
    pub sign_in: Option<Arc<SignIn>>,
    /// What people ask about their records.
    pub requests: Arc<Requests>,
    /// The consents that they sign.
    pub signing: Arc<Signing>,
    /// Care that goes over to others.
    pub transfers: Transfers,
    /// What the pages call the practice.
    pub practice: Option<String>,
    /// Where it is written down what was done.
    pub audit: Arc<Audit>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is let in at all.
    pub door: Door,
    /// What counts the requests.
    pub meter: RequestMeter,
    /// Where spans of them go, if anywhere.
    pub traces: Option<Arc<Traces>>,
    /// What takes records away.
    pub retention: Retention,
}

impl Ports {
    /// What gives copies out.
    fn copies(&self) -> Copies {
        Copies {
            requests: Arc::clone(&self.requests),
            workshop: Arc::clone(&self.workshop),
            blobs: self.blobs.clone(),
            clock: Arc::clone(&self.clock),
        }
    }

    /// What carries erasures out.
    fn erasures(&self) -> Erasures {
        Erasures { requests: Arc::clone(&self.requests), retention: self.retention.clone() }
    }
}

impl State {
    /// The state of a server whose FHIR base is `base`, an absolute URL without a trailing slash.
    pub fn new(ports: Ports, keys: &Keys, base: String) -> Result<Self> {
        let since = ports.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let site = Site::new(&base);
        let oauth =
            [("authorize", AUTHORIZE), ("token", TOKEN)].map(|(name, path)| (name, site.url(path)));
        // Asking what the server can do is no interaction that a statement names.
        let mut system = routes::interactions(routes::Level::System);
        system.retain(|code| *code != "capabilities");
        let server = capability::Server {
            base: &base,
            since: &since,
            system: &system,
            instance: &routes::interactions(routes::Level::Instance),
            searched: &routes::interactions(routes::Level::Type),
            written: &routes::written(),
            operations: &routes::operations(),
            cors: !ports.cors.origins.is_empty(),
            oauth: &oauth,
        };
        let metadata = Bytes::from(capability::encode(&server)?);
        let openapi = Bytes::from(openapi::document(&base).to_string());
        let receiving = Receiving::new(Arc::clone(&ports.store), Arc::clone(&ports.clock));
        let (copies, erasures) = (ports.copies(), ports.erasures());
        Ok(Self {
            store: ports.store,
            cache: ports.cache,
            limits: ports.limits,
            authority: ports.authority,
            rules: ports.rules,
            pushes: ports.pushes,
            workshop: ports.workshop,
            blobs: ports.blobs,
            links: ports.links,
            receiving,
            bulk: ports.bulk,
            audit: ports.audit,
            clock: ports.clock,
            cursors: Cursors::new(keys.cursor_key())?,
            sign_in: ports.sign_in,
            copies,
            erasures,
            requests: ports.requests,
            signing: ports.signing,
            transfers: ports.transfers,
            practice: ports.practice,
            languages: Languages::load()?,
            summaries: Arc::new(Summarizer::new(Language::English)?),
            cookies: Cookies::at(&base),
            forms: keys.forms(),
            base,
            metadata,
            openapi,
            elements: Elements::new(),
            ids: keys.id_key(),
            cors: ports.cors,
            open: Cors { origins: vec!["*".to_owned()] },
            door: ports.door,
            meter: ports.meter,
            traces: ports.traces,
        })
    }

    /// Where the server is: the base without its path.
    fn origin(&self) -> &str {
        self.base.strip_suffix(FHIR).unwrap_or(&self.base)
    }
}

/// Where the provider sends people back to, at a server with this base.
pub fn sign_in_url(base: &str) -> String {
    format!("{}{}", base.strip_suffix(FHIR).unwrap_or(base), site::CALLBACK)
}

/// Registers the routes of the table and what answers everything else.
pub fn configure(state: web::Data<State>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        service.app_data(state);
        routes::register(service);
    }
}
