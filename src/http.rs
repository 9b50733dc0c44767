//! Delivery: the `RESTful` API of FHIR over HTTP (<https://hl7.org/fhir/R4/http.html>), read only.
//!
//! A request passes the gate (limits, token, format), finds its route in the table, and a handler
//! asks for a permit, reads, and renders. What is refused is an `OperationOutcome`, always.

mod answer;
mod asking;
mod batch;
mod binary;
mod body;
mod call;
mod compress;
mod conditions;
mod content;
mod cors;
mod cursor;
mod everything;
mod gate;
mod history;
mod limit;
mod metadata;
mod negotiate;
mod openapi;
mod pages;
mod parameters;
mod path;
mod prefer;
mod push;
mod read;
pub mod refusal;
mod resource;
pub mod routes;
mod search;
mod searchset;
mod shape;
mod sheet;
mod weights;

use std::sync::Arc;

use actix_web::web::{self, Bytes};
use arc_swap::ArcSwap;

use self::cursor::Cursors;
use crate::auth::{Keys, Tokens};
use crate::cache::ReadThrough;
use crate::clock::Clock;
use crate::config::Cors;
use crate::error::Result;
use crate::exchange::ingest::Rules;
use crate::exchange::push::Pushes;
use crate::fhir::capability;
use crate::fhir::r4::Elements;
use crate::limits::Limits;
use crate::store::Store;

pub use self::gate::gate;
pub use self::refusal::Refusal;

/// The path of the FHIR base.
pub const FHIR: &str = "/fhir";

/// What the handlers share.
pub struct State {
    store: Arc<dyn Store>,
    cache: ReadThrough,
    limits: Option<Arc<Limits>>,
    tokens: Arc<Tokens>,
    rules: Arc<ArcSwap<Rules>>,
    pushes: Arc<Pushes>,
    cursors: Cursors,
    base: String,
    metadata: Bytes,
    openapi: Bytes,
    elements: Elements,
    cors: Cors,
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
    pub tokens: Arc<Tokens>,
    /// The maps that made the resources; part of the cache's keys.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Which web pages may call.
    pub cors: Cors,
    /// Which platforms may push, and where their records go.
    pub pushes: Arc<Pushes>,
}

impl State {
    /// The state of a server whose FHIR base is `base`, an absolute URL without a trailing slash.
    pub fn new(ports: Ports, keys: &Keys, clock: &dyn Clock, base: String) -> Result<Self> {
        let since = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let instance = routes::interactions(routes::Level::Instance);
        let searched = routes::interactions(routes::Level::Type);
        // Asking what the server can do is no interaction that a statement names.
        let mut system = routes::interactions(routes::Level::System);
        system.retain(|code| *code != "capabilities");
        let server = capability::Server {
            base: &base,
            since: &since,
            system: &system,
            instance: &instance,
            searched: &searched,
            operations: &routes::operations(),
            cors: !ports.cors.origins.is_empty(),
        };
        let metadata = Bytes::from(capability::encode(&server)?);
        let openapi = Bytes::from(openapi::document(&base).to_string());
        Ok(Self {
            store: ports.store,
            cache: ports.cache,
            limits: ports.limits,
            tokens: ports.tokens,
            rules: ports.rules,
            pushes: ports.pushes,
            cursors: Cursors::new(keys.cursor_key())?,
            base,
            metadata,
            openapi,
            elements: Elements::new(),
            cors: ports.cors,
        })
    }
}

/// Registers the routes of the table and what answers everything else.
pub fn configure(state: web::Data<State>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        service.app_data(state);
        routes::register(service);
    }
}
