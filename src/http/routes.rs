//! The routes as a table, read by the router, the CapabilityStatement and the tests.

use actix_web::http::{Method, header};
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Responder, Route, guard, web};

use super::path::{IdPath, Matched, Named};
use super::site::{portal, staff};
use super::{
    Refusal, audit, authorize, batch, binary, bulk, consent, deadline, discovery, docref,
    emergency, everything, explain, group, history, html, links, metadata, oauth, openapi, push,
    read, received, requests, search, site, summary, task, transfers,
};
use crate::exchange::links::VIEWER;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Who presents a bearer token.
    Bearer,
    /// A source that signs the request.
    Signed,
    /// Anybody; the page itself sees who is signed in.
    Page,
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
    /// What people write: a consent of theirs.
    Consent,
    /// What people ask: a request of theirs.
    Request,
    /// An operation, which is no interaction.
    Operation,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// `GET`, `POST`, `PUT` or `DELETE`; where there is `GET`, there is `HEAD`.
    pub method: &'static str,
    /// The path, with its variable segments in braces.
    pub pattern: &'static str,
    /// Who may call.
    pub access: Access,
    /// What it is about.
    pub level: Level,
    /// FHIR's code of the interaction, or the name of the operation, or one of ours.
    pub interaction: &'static str,
    handler: fn() -> Route,
    /// How it is answered as an entry of a batch, if it is.
    pub(super) entry: Option<batch::Handler>,
}

impl Endpoint {
    /// Whether an entry of a batch may ask it.
    pub fn is_entry(&self) -> bool {
        self.entry.is_some()
    }
}

/// A row of a question, which an entry of a batch may ask too.
macro_rules! question {
    ($pattern:literal, $level:ident, $interaction:literal, $handler:path) => {
        Endpoint {
            method: "GET",
            pattern: $pattern,
            access: Access::Bearer,
            level: Level::$level,
            interaction: $interaction,
            handler: || web::to($handler),
            entry: Some(|state, segments, call| {
                let path = Named::of(segments);
                Box::pin(async move { $handler(state, path?, call).await })
            }),
        }
    };
}

/// A row that no entry of a batch may ask.
macro_rules! row {
    ($access:ident, $level:ident, $method:literal, $pattern:expr, $interaction:literal, $handler:path) => {
        Endpoint {
            method: $method,
            pattern: $pattern,
            access: Access::$access,
            level: Level::$level,
            interaction: $interaction,
            handler: || web::to($handler),
            entry: None,
        }
    };
}

/// A row of a page for people.
macro_rules! page {
    ($method:literal, $pattern:expr, $interaction:literal, $handler:path) => {
        row!(Page, Platform, $method, $pattern, $interaction, $handler)
    };
}

/// A row behind a token whose parameters are in the body, or that takes its time.
macro_rules! alone {
    ($method:literal, $pattern:literal, $level:ident, $interaction:literal, $handler:path) => {
        row!(Bearer, $level, $method, $pattern, $interaction, $handler)
    };
}

/// Where the authorization server is.
const AUTH: &str = "/auth/";
/// Where the portal and the practice's desk are.
const PAGES: [&str; 2] = ["/portal/", "/staff/"];
/// Where the platform fetches what others sent.
const RECEIVED: &str = "/platform/received/";
/// Where the platform fetches, hands over and asks what is not its records.
const SIGNED: [&str; 3] = [RECEIVED, "/platform/transfers/", "/platform/requests/"];
/// Where links are opened.
const LINKS: &str = "/links/";

/// A row of the authorization server, which anybody may call.
macro_rules! open {
    ($method:literal, $pattern:literal, $interaction:literal, $handler:path) => {
        row!(Public, Platform, $method, $pattern, $interaction, $handler)
    };
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
        entry: Some(|state, _, call| {
            Box::pin(async move { Ok(metadata::metadata(state, call.form).await) })
        }),
    },
    open!("GET", "/fhir/.well-known/smart-configuration", "discovery", discovery::smart),
    Endpoint {
        method: "GET",
        pattern: "/fhir/openapi.json",
        access: Access::Public,
        level: Level::Platform,
        interaction: "openapi",
        handler: || web::to(openapi::openapi),
        entry: None,
    },
    alone!("POST", "/fhir", System, "batch", batch::batch),
    alone!("GET", "/fhir/$export", Operation, "export", bulk::of_system),
    alone!("POST", "/fhir/$export", Operation, "export", bulk::of_system_by_parameters),
    alone!("GET", "/fhir/Patient/$export", Operation, "export", bulk::of_patients),
    alone!("POST", "/fhir/Patient/$export", Operation, "export", bulk::of_patients_by_parameters),
    alone!("GET", "/fhir/Group/{id}/$export", Operation, "export", bulk::of_group),
    alone!("POST", "/fhir/Group/{id}/$export", Operation, "export", bulk::of_group_by_parameters),
    alone!("GET", "/fhir/bulk/{id}", Platform, "export-status", bulk::status),
    alone!("DELETE", "/fhir/bulk/{id}", Platform, "export-cancelled", bulk::cancel),
    alone!("GET", "/fhir/bulk/{id}/{number}", Platform, "exported", bulk::file),
    alone!("POST", "/fhir/Bundle", Platform, "receive", received::receive),
    question!("/fhir/Group/{id}", Instance, "read", group::group),
    alone!("POST", "/fhir/AuditEvent/_search", Type, "search-type", audit::search_by_form),
    question!("/fhir/AuditEvent/{id}", Instance, "read", audit::read),
    question!("/fhir/AuditEvent", Type, "search-type", audit::search),
    alone!("POST", "/fhir/{type}/_search", Type, "search-type", search::search_by_form),
    question!("/fhir/{type}/{id}/_history/{version}", Instance, "vread", read::vread),
    question!("/fhir/{type}/{id}/_history", Instance, "history-instance", history::history),
    question!("/fhir/Patient/{id}/$everything", Operation, "everything", everything::everything),
    alone!(
        "POST",
        "/fhir/Patient/{id}/$everything",
        Operation,
        "everything",
        everything::everything_by_parameters
    ),
    question!("/fhir/Patient/{id}/$explain", Operation, "explain", explain::explain),
    alone!(
        "POST",
        "/fhir/Patient/{id}/$explain",
        Operation,
        "explain",
        explain::explain_by_parameters
    ),
    alone!(
        "POST",
        "/fhir/Patient/{id}/$break-glass",
        Operation,
        "break-glass",
        emergency::break_glass
    ),
    question!("/fhir/Patient/{id}/$summary", Operation, "summary", summary::summary),
    question!("/fhir/DocumentReference/$docref", Operation, "docref", docref::docref),
    alone!(
        "POST",
        "/fhir/DocumentReference/$docref",
        Operation,
        "docref",
        docref::docref_by_parameters
    ),
    alone!(
        "POST",
        "/fhir/Patient/{id}/{type}/_search",
        Type,
        "search-type",
        search::compartment_by_form
    ),
    question!("/fhir/Patient/{id}/{type}", Type, "search-type", search::compartment),
    Endpoint {
        method: "GET",
        pattern: "/fhir/Binary/{id}",
        access: Access::Bearer,
        level: Level::Instance,
        interaction: "read",
        handler: || web::to(binary::binary),
        entry: Some(|state, segments, call| {
            let path = IdPath::of(segments).map(IdPath::binary);
            Box::pin(async move { read::read(state, path?, call).await })
        }),
    },
    question!("/fhir/Consent/{id}", Instance, "read", consent::read),
    alone!("PUT", "/fhir/Consent/{id}", Consent, "update", consent::update),
    question!("/fhir/Consent", Type, "search-type", consent::search),
    alone!("POST", "/fhir/Consent", Consent, "create", consent::create),
    question!("/fhir/Task", Type, "search-type", task::search),
    alone!("POST", "/fhir/Task", Request, "create", task::create),
    question!("/fhir/{type}/{id}", Instance, "read", read::read),
    question!("/fhir/{type}", Type, "search-type", search::search),
    page!("GET", html::STYLE, "style", html::style),
    page!("GET", site::LOGIN, "sign-in", site::login),
    page!("POST", site::LOGIN, "sign-in", site::choose),
    page!("GET", site::CALLBACK, "sign-in", site::arrive),
    page!("GET", site::CONSENT, "consent", site::consent),
    page!("POST", site::CONSENT, "consent", site::decided),
    page!("POST", site::PICK, "pick", site::pick),
    page!("GET", site::APPS, "apps", site::apps),
    page!("POST", site::APPS, "apps", site::stop),
    Endpoint {
        method: "POST",
        pattern: site::LAUNCH,
        access: Access::Signed,
        level: Level::Platform,
        interaction: "launch",
        handler: || web::to(site::launch),
        entry: None,
    },
    page!("GET", portal::PORTAL, "portal", portal::record),
    page!("GET", portal::PLAN, "portal", portal::plan),
    page!("GET", portal::ASK, "portal", portal::ask),
    page!("POST", portal::ASK, "request-made", portal::asked),
    page!("GET", portal::REQUESTS, "portal", portal::requests),
    page!("POST", portal::REQUESTS, "request-changed", portal::change),
    page!("GET", "/portal/requests/{id}", "portal", portal::request),
    page!("GET", portal::SEEN, "portal", portal::seen),
    page!("POST", portal::COPY, "copy-taken", portal::copy),
    page!("GET", portal::CONSENTS, "portal", portal::consents),
    page!("GET", portal::CONSENT_FORM, "portal", portal::consent_form),
    page!("POST", portal::CONSENT_PLAN, "portal", portal::consent_plan),
    page!("POST", portal::CONSENT_SIGN, "consent-signed", portal::consent_sign),
    page!("GET", portal::CONSENT_END, "portal", portal::consent_ending),
    page!("POST", portal::CONSENT_END, "consent-signed", portal::consent_end),
    page!("GET", "/portal/messages/{id}", "portal", portal::message),
    page!("GET", "/portal/notes/{id}", "portal", portal::note),
    page!("GET", staff::DESK, "desk", staff::desk),
    page!("POST", staff::STEPS, "request-changed", staff::step),
    page!("GET", "/staff/requests/{id}", "desk", staff::case),
    page!("GET", "/staff/requests/{id}/entries/{entry}", "desk", staff::entry),
    page!("GET", staff::LETTERS, "desk", staff::letter),
    page!("POST", staff::LETTERS, "request-made", staff::typed),
    page!("POST", staff::DECISIONS, "request-changed", staff::decide),
    page!("POST", staff::COPIES, "request-changed", staff::finish),
    page!("POST", staff::ERASURES, "request-changed", staff::erase),
    page!("GET", staff::EMERGENCIES, "desk", staff::emergencies),
    page!("POST", staff::EMERGENCIES, "desk", staff::judge),
    page!("GET", staff::QUARANTINE, "desk", staff::quarantine),
    page!("GET", staff::TRANSFERS, "desk", staff::transfers),
    page!("POST", staff::TRANSFERS, "transfer-made", staff::prepare),
    page!("GET", "/staff/transfers/{id}", "desk", staff::transfer),
    page!("POST", staff::HANDOVERS, "transfer-changed", staff::hand_over),
    page!("GET", site::LOGOUT, "sign-out", site::signed_out),
    page!("POST", site::LOGOUT, "sign-out", site::logout),
    page!("GET", VIEWER, "link-viewer", site::viewer),
    page!("GET", site::SCRIPT, "link-viewer", site::script),
    open!("GET", "/links/files/{ticket}", "link-file", links::file),
    open!("GET", "/links/{secret}", "link-opened", links::direct),
    open!("POST", "/links/{secret}", "link-opened", links::manifest),
    Endpoint {
        method: "POST",
        pattern: "/platform/records",
        access: Access::Signed,
        level: Level::Platform,
        interaction: "push",
        handler: || web::to(push::push),
        entry: None,
    },
    Endpoint {
        method: "GET",
        pattern: "/platform/received/bundle/{name}",
        access: Access::Signed,
        level: Level::Platform,
        interaction: "received-read",
        handler: || web::to(received::fetch),
        entry: None,
    },
    Endpoint {
        method: "GET",
        pattern: "/platform/received/{after}",
        access: Access::Signed,
        level: Level::Platform,
        interaction: "received-read",
        handler: || web::to(received::list),
        entry: None,
    },
    row!(Signed, Platform, "POST", "/platform/transfers", "transfer-made", transfers::create),
    row!(Signed, Platform, "GET", "/platform/transfers", "transfer-read", transfers::list),
    row!(Signed, Platform, "GET", "/platform/transfers/{id}", "transfer-read", transfers::show),
    row!(
        Signed,
        Platform,
        "POST",
        "/platform/transfers/{id}/{step}",
        "transfer-changed",
        transfers::step
    ),
    row!(Signed, Platform, "GET", "/platform/requests", "desk", requests::list),
    row!(Signed, Platform, "POST", "/platform/requests", "request-made", requests::open),
    row!(Signed, Platform, "GET", "/platform/requests/{id}", "desk", requests::read),
    row!(
        Signed,
        Platform,
        "POST",
        "/platform/requests/{id}/steps",
        "request-changed",
        requests::step
    ),
    open!("GET", "/auth/authorize", "authorize", authorize::authorize),
    open!("POST", "/auth/authorize", "authorize", authorize::authorize_by_form),
    open!("POST", "/auth/token", "token", oauth::token),
    open!("POST", "/auth/introspect", "introspect", oauth::introspect),
    open!("POST", "/auth/revoke", "revoke", oauth::revoke),
    open!("GET", "/auth/jwks", "jwks", discovery::jwks),
    open!("GET", "/.well-known/openid-configuration", "discovery", discovery::openid),
    open!("GET", "/.well-known/oauth-authorization-server", "discovery", discovery::openid),
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

/// What people write themselves: the type and the code of each.
pub fn written() -> Vec<(&'static str, &'static str)> {
    let types = [(Level::Consent, "Consent"), (Level::Request, "Task")];
    let codes = |(level, name)| interactions(level).into_iter().map(move |code| (name, code));
    types.into_iter().flat_map(codes).collect()
}

/// The operations, each once: the type, or nothing for one of the server, and the name.
pub fn operations() -> Vec<(&'static str, &'static str)> {
    let mut operations = Vec::new();
    for endpoint in ROUTES.iter().filter(|endpoint| endpoint.level == Level::Operation) {
        let owner = endpoint.pattern.split('/').nth(2).unwrap_or_default();
        let owner = if owner.starts_with('$') { "" } else { owner };
        let operation = (owner, endpoint.interaction);
        if !operations.contains(&operation) {
            operations.push(operation);
        }
    }
    operations
}

/// The code of the interaction that a method at a pattern is.
pub(super) fn interaction(method: &Method, pattern: &str) -> Option<&'static str> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let is_it = |endpoint: &&Endpoint| endpoint.method == method && endpoint.pattern == pattern;
    ROUTES.iter().find(is_it).map(|endpoint| endpoint.interaction)
}

/// Who may call this path. Whatever is in no row, or has variable segments, is behind a token; but
/// for the authorization server, which gives them out, the portal, and links, whose address is a
/// secret; they look at their callers by themselves.
pub(super) fn access(path: &str) -> Access {
    let row = ROUTES.iter().find(|endpoint| endpoint.pattern == path);
    let other = match path {
        _ if SIGNED.iter().any(|start| path.starts_with(start)) => Access::Signed,
        _ if path.starts_with(AUTH) || path.starts_with(LINKS) => Access::Public,
        _ if PAGES.iter().any(|pages| path.starts_with(pages)) => Access::Page,
        _ => Access::Bearer,
    };
    row.map_or(other, |endpoint| endpoint.access)
}

/// The first row of a question that a path, whose segments are decoded, matches.
pub(super) fn question<'a>(path: &[&'a str]) -> Option<(&'static Endpoint, Matched<'a>)> {
    ROUTES.iter().filter(|endpoint| endpoint.method == "GET").find_map(|endpoint| {
        let names: Vec<&str> = endpoint.pattern.split('/').skip(1).collect();
        let mut matched = Vec::new();
        for (name, segment) in names.iter().zip(path) {
            match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => matched.push((name, *segment)),
                None if name == segment => {}
                None => return None,
            }
        }
        (names.len() == path.len()).then_some((endpoint, matched))
    })
}

/// Registers the table with the router: a resource for each pattern, with a route for each method.
pub(super) fn register(service: &mut web::ServiceConfig) {
    for (position, endpoint) in ROUTES.iter().enumerate() {
        let rows = || ROUTES.iter().filter(|other| other.pattern == endpoint.pattern);
        if ROUTES.iter().take(position).any(|earlier| earlier.pattern == endpoint.pattern) {
            continue;
        }
        let resource = rows().fold(web::resource(endpoint.pattern), |resource, row| {
            resource.route(match row.method {
                "GET" => (row.handler)().guard(guard::Any(guard::Get()).or(guard::Head())),
                "DELETE" => (row.handler)().guard(guard::Delete()),
                "PUT" => (row.handler)().guard(guard::Put()),
                _ => (row.handler)().guard(guard::Post()),
            })
        });
        let resource = resource.default_service(web::to(other_method));
        service.service(resource.wrap(from_fn(deadline::keep)));
    }
    service.default_service(web::to(no_route));
}

/// Says which methods a route has: to `OPTIONS` as an answer, to any other as a refusal.
async fn other_method(request: HttpRequest) -> HttpResponse {
    let pattern = request.match_pattern().unwrap_or_default();
    let rows = ROUTES.iter().filter(|endpoint| endpoint.pattern == pattern);
    let methods = rows.flat_map(|endpoint| match endpoint.method {
        "GET" => ["GET", "HEAD"].iter(),
        "DELETE" => ["DELETE"].iter(),
        "PUT" => ["PUT"].iter(),
        _ => ["POST"].iter(),
    });
    let allow = methods.chain(&["OPTIONS"]).copied().collect::<Vec<_>>().join(", ");
    if request.method() == Method::OPTIONS {
        return HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish();
    }
    Refusal::Method { allow }.respond_to(&request)
}

async fn no_route() -> Refusal {
    Refusal::NoRoute
}
