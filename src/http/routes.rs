//! The routes as a table, read by the router, the CapabilityStatement and the tests.

use actix_web::{HttpRequest, Route, guard, web};

use super::{Refusal, history, metadata, push, read, search};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Who presents a bearer token.
    Bearer,
    /// A source that signs the request.
    Signed,
}

/// What a route is about (<https://hl7.org/fhir/R4/http.html#summary>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing of FHIR.
    Platform,
    /// The server.
    System,
    /// All resources of a type.
    Type,
    /// One resource.
    Instance,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// `GET` or `POST`; where there is `GET`, there is `HEAD`.
    pub method: &'static str,
    /// The path, with its variable segments in braces.
    pub pattern: &'static str,
    /// Who may call.
    pub access: Access,
    /// What it is about.
    pub level: Level,
    /// FHIR's code of the interaction, or a name of ours.
    pub interaction: &'static str,
    handler: fn() -> Route,
}

/// The table. Of two patterns that match, the first counts.
pub const ROUTES: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        pattern: "/fhir/metadata",
        access: Access::Public,
        level: Level::System,
        interaction: "capabilities",
        handler: || web::to(metadata::metadata),
    },
    Endpoint {
        method: "POST",
        pattern: "/fhir/{type}/_search",
        access: Access::Bearer,
        level: Level::Type,
        interaction: "search-type",
        handler: || web::to(search::search_by_form),
    },
    Endpoint {
        method: "GET",
        pattern: "/fhir/{type}/{id}/_history/{version}",
        access: Access::Bearer,
        level: Level::Instance,
        interaction: "vread",
        handler: || web::to(read::vread),
    },
    Endpoint {
        method: "GET",
        pattern: "/fhir/{type}/{id}/_history",
        access: Access::Bearer,
        level: Level::Instance,
        interaction: "history-instance",
        handler: || web::to(history::history),
    },
    Endpoint {
        method: "GET",
        pattern: "/fhir/{type}/{id}",
        access: Access::Bearer,
        level: Level::Instance,
        interaction: "read",
        handler: || web::to(read::read),
    },
    Endpoint {
        method: "GET",
        pattern: "/fhir/{type}",
        access: Access::Bearer,
        level: Level::Type,
        interaction: "search-type",
        handler: || web::to(search::search),
    },
    Endpoint {
        method: "POST",
        pattern: "/platform/records",
        access: Access::Signed,
        level: Level::Platform,
        interaction: "push",
        handler: || web::to(push::push),
    },
];

/// The codes of the interactions of one level, each once.
pub fn interactions(level: Level) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for endpoint in ROUTES.iter().filter(|endpoint| endpoint.level == level) {
        if !codes.contains(&endpoint.interaction) {
            codes.push(endpoint.interaction);
        }
    }
    codes
}

/// Who may call this path. Whatever is in no row, or has variable segments, is behind a token.
pub(super) fn access(path: &str) -> Access {
    let row = ROUTES.iter().find(|endpoint| endpoint.pattern == path);
    row.map_or(Access::Bearer, |endpoint| endpoint.access)
}

/// Registers the table with the router.
pub(super) fn register(service: &mut web::ServiceConfig) {
    for endpoint in ROUTES {
        let route = match endpoint.method {
            "GET" => (endpoint.handler)().guard(guard::Any(guard::Get()).or(guard::Head())),
            _ => (endpoint.handler)().guard(guard::Post()),
        };
        let resource = web::resource(endpoint.pattern).route(route);
        service.service(resource.default_service(web::to(wrong_method)));
    }
    service.default_service(web::to(no_route));
}

async fn wrong_method(request: HttpRequest) -> Refusal {
    let pattern = request.match_pattern().unwrap_or_default();
    let methods: Vec<&str> = ROUTES
        .iter()
        .filter(|endpoint| endpoint.pattern == pattern)
        .flat_map(|endpoint| match endpoint.method {
            "GET" => ["GET", "HEAD"].iter(),
            _ => ["POST"].iter(),
        })
        .copied()
        .collect();
    Refusal::Method { allow: methods.join(", ") }
}

async fn no_route() -> Refusal {
    Refusal::NoRoute
}
