//! What is counted of requests: rate, errors and duration by the pattern of the route
//! (<https://prometheus.io/docs/practices/naming/>). Paths, ids and callers are in no label.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The upper bounds of the durations that are told apart, in seconds.
const BOUNDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// The route of a request that matches none.
const NO_ROUTE: &str = "none";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    method: &'static str,
}

/// The meter of requests; clones count together.
#[derive(Debug, Clone)]
pub struct RequestMeter {
    answered: Family<Answered, Counter>,
    failed: Family<Asked, Counter>,
    durations: Family<Asked, Histogram, fn() -> Histogram>,
    open: Gauge<i64, AtomicI64>,
    connections: Gauge<i64, AtomicI64>,
    glasses: Counter,
}

/// Something that is open until it is dropped.
#[derive(Debug)]
pub struct Open(Gauge<i64, AtomicI64>);

impl Open {
    fn of(gauge: &Gauge<i64, AtomicI64>) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for RequestMeter {
    fn default() -> Self {
        Self {
            answered: Family::default(),
            failed: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            open: Gauge::default(),
            connections: Gauge::default(),
            glasses: Counter::default(),
        }
    }
}

impl RequestMeter {
    /// Names what is counted to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests answered, by route pattern, method and status";
        registry.register("http_requests", help, self.answered.clone());
        let help = "Requests that failed by a fault of the server (5xx)";
        registry.register("http_request_errors", help, self.failed.clone());
        let help = "Time from the head of a request to the head of its answer";
        registry.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("http_requests_open", "Requests being answered", self.open.clone());
        registry.register("http_connections_open", "Connections", self.connections.clone());
        let help = "Uses of emergency access, each of which is to be reviewed";
        registry.register("break_glass", help, self.glasses.clone());
    }

    /// Counts a use of emergency access.
    pub(super) fn glass_broken(&self) {
        self.glasses.inc();
    }

    /// Counts a connection until the result is dropped.
    pub fn connected(&self) -> Open {
        Open::of(&self.connections)
    }

    /// Counts a request as open until the result is dropped.
    pub(super) fn began(&self) -> Open {
        Open::of(&self.open)
    }

    /// Counts an answer.
    pub(super) fn answered(
        &self,
        route: Option<&str>,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let route = route.unwrap_or(NO_ROUTE).to_owned();
        let asked = Asked { route, method: named(method) };
        self.durations.get_or_create(&asked).observe(took.as_secs_f64());
        if status.is_server_error() {
            self.failed.get_or_create(&asked).inc();
        }
        let Asked { route, method } = asked;
        self.answered.get_or_create(&Answered { route, method, status: status.as_u16() }).inc();
    }
}

/// A method's name; callers can make up others, so that these are one.
pub(super) fn named(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
