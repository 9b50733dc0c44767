//! Traces: what a collector is sent, what never, and whose trace it is.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rustix::process::Signal;

use crate::support::collector::{Collector, text};
use crate::support::platform::hex;
use crate::support::served::Served;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn settings(collector: &Collector, proxies: &str, more: &str) -> String {
    format!(
        "[server]\ndrain_wait_s = 0\ntrusted_proxies = [{proxies}]\n\
         [traces]\nendpoint = '{}'\n{more}",
        collector.url
    )
}

/// Ends the server, which sends what is left, and gives the spans.
async fn spans(mut served: Served, collector: &Collector) -> Vec<(String, Span)> {
    served.signal(Signal::TERM);
    let (status, _, err) = served.ended().await;
    assert!(status.success(), "{err}");
    collector.spans()
}

#[tokio::test]
async fn a_request_is_a_span_by_its_route_and_says_nothing_of_a_patient() {
    let collector = Collector::start();
    let served =
        Served::start(&settings(&collector, "", "sampled = 1.0\nservice_name = 'records'\n"));
    let token = served.token();
    let request = served.get("Patient?name=s3cret-name&_id=s3cret-id").bearer_auth(&token);
    let answer = request.header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let answer = answer.header("X-S3cret", "s3cret-header").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    served.get("Patient/s3cret-id").bearer_auth(&token).send().await.unwrap();
    served.get("Patient/s3cret-id").send().await.unwrap();
    served.get("s3cret/a/b/c/d/e").bearer_auth(&token).send().await.unwrap();
    let spans = spans(served, &collector).await;

    let named = |name: &str| -> Vec<&Span> {
        spans.iter().filter(|(_, span)| span.name == name).map(|(_, span)| span).collect()
    };
    let search = named("GET /fhir/{type}")[0];
    assert_eq!(search.kind, SpanKind::Server as i32);
    assert_eq!(text(&search.attributes, "http.request.method"), "GET");
    assert_eq!(text(&search.attributes, "http.route"), "/fhir/{type}");
    assert_eq!(text(&search.attributes, "http.response.status_code"), "200");
    assert_eq!(text(&search.attributes, "throughline.request_id"), id);
    assert!(search.end_time_unix_nano > search.start_time_unix_nano);
    // A stranger does not say whose trace it is.
    assert!(search.parent_span_id.is_empty());
    assert_ne!(hex(&search.trace_id), TRACE);
    let inner = named("store").into_iter().find(|span| span.parent_span_id == search.span_id);
    assert_eq!(inner.unwrap().trace_id, search.trace_id);

    let reads = named("GET /fhir/{type}/{id}");
    let statuses: Vec<_> =
        reads.iter().map(|span| text(&span.attributes, "http.response.status_code")).collect();
    assert_eq!(statuses, ["404", "401"]);
    assert_eq!(named("GET").len(), 1, "a path without a route");
    assert!(spans.iter().all(|(service, _)| service == "records"));
    for (head, body) in collector.exports() {
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let text = String::from_utf8_lossy(&body).to_lowercase();
        assert!(!text.contains("s3cret") && !text.contains(&token.to_lowercase()));
    }
}

#[tokio::test]
async fn a_proxy_says_whose_trace_it_is_and_whether_it_is_kept() {
    let collector = Collector::start();
    let served = Served::start(&settings(&collector, "'127.0.0.1'", "sampled = 0.0\n"));
    for parent in [
        format!("00-{TRACE}-{PARENT}-01"),
        format!("00-{}-{PARENT}-00", TRACE.replace('4', "5")),
        "nonsense".to_owned(),
    ] {
        let answer = served.get("metadata").header("traceparent", parent).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let spans = spans(served, &collector).await;
    let [(_, span)] = spans.as_slice() else { unreachable!("one is to be kept: {spans:?}") };
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!(span.name, "GET /fhir/metadata");
}

#[tokio::test]
async fn the_collector_is_shown_the_token_that_it_asks_for() {
    let collector = Collector::start();
    let more = "sampled = 1.0\nbearer_file = 'bearer'\n";
    let folder = crate::support::served::settled(&settings(&collector, "", more));
    crate::support::platform::secret(folder.path(), "bearer", "c0llector-token");
    let command = crate::support::served::command(folder.path(), &["serve"]);
    let served = Served::run(folder, command);
    served.get("metadata").send().await.unwrap();
    assert_eq!(spans(served, &collector).await.len(), 1);
    let (head, _) = collector.exports().remove(0);
    assert!(head.contains("authorization: bearer c0llector-token"), "{head}");
}

#[tokio::test]
async fn a_collector_that_is_gone_holds_nothing_up() {
    let mut collector = Collector::start();
    collector.url = "http://127.0.0.1:9/v1/traces".to_owned();
    let mut served = Served::start(&settings(&collector, "", "sampled = 1.0\ntimeout_s = 1\n"));
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(served.get("metadata").send().await.unwrap().status(), 200);
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    let told = Instant::now();
    served.signal(Signal::TERM);
    let (status, ..) = served.ended().await;
    assert!(status.success());
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
}
