//! The server that operators reach: whether this one lives, whether it can answer, and what it has
//! counted. Nothing here is about a patient.

use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::health::Health;

/// The media type of what was counted (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of what is said in words.
const TEXT: &str = "text/plain; charset=utf-8";

/// Registers the routes of the admin server.
pub fn configure_admin(
    health: Health,
    registry: Arc<Registry>,
) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        service
            .app_data(web::Data::new(health))
            .app_data(web::Data::from(registry))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics));
    }
}

/// The process answers: if it did not, it should be started anew.
async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type(TEXT).body("alive\n")
}

/// Whether requests should be sent here.
async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let findings = health.findings().await;
    let is_ready = findings.iter().all(|finding| finding.is_well);
    let mut text = String::from(if is_ready { "ready\n" } else { "not ready\n" });
    for finding in &findings {
        let mark = if finding.is_well { "ok" } else { "NOT" };
        // Writing to a string does not fail.
        let _written = writeln!(text, "{mark} {}: {}", finding.about, finding.text);
    }
    let mut response =
        if is_ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.content_type(TEXT).body(text)
}

/// Everything that is counted.
async fn metrics(registry: web::Data<Registry>) -> HttpResponse {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => HttpResponse::Ok().content_type(METRICS).body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
