//! Traces: a span of each request and of its questions to the store, sent to a collector as OTLP
//! over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! A span has the route's pattern, the method, the status and the request id
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>); never a path, a query or an id
//! of anything else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    FutureExt, SpanKind, Status, TraceContextExt, Tracer, TracerProvider, WithContext,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use crate::config::TraceSettings;
use crate::error::{Error, Result};

/// The name of what makes the spans.
const SCOPE: &str = "throughline";

/// Where spans go.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    timeout: Duration,
}

/// The span of a request; it ends with [`Traced::end`].
pub struct Traced(Context);

/// What is known of a request once it is answered.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The pattern of the route, if there was one.
    pub route: Option<&'a str>,
    /// The method, of those that are known.
    pub method: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The id of the request.
    pub request_id: &'a str,
}

impl Traces {
    /// Traces to the collector of the settings; none if there is no collector.
    ///
    /// # Errors
    ///
    /// `Setup`: the settings cannot be used.
    pub fn open(settings: &TraceSettings) -> Result<Option<Arc<Self>>> {
        let Some(endpoint) = &settings.endpoint else { return Ok(None) };
        let timeout = Duration::from_secs(settings.timeout_s);
        let headers = settings
            .bearer()?
            .map(|token| HashMap::from([("authorization".to_owned(), format!("Bearer {token}"))]));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(timeout)
            .with_headers(headers.unwrap_or_default())
            .build()
            .map_err(|cause| Error::Setup(format!("traces cannot be sent: {cause}")))?;
        let named = Resource::builder_empty().with_service_name(settings.service_name.clone());
        let sampled = Sampler::TraceIdRatioBased(settings.sampled);
        let provider = SdkTracerProvider::builder()
            .with_resource(named.build())
            .with_sampler(Sampler::ParentBased(Box::new(sampled)))
            .with_batch_exporter(exporter)
            .build();
        let tracer = provider.tracer(SCOPE);
        Ok(Some(Arc::new(Self { provider, tracer, timeout })))
    }

    /// Begins the span of a request, below the one that its caller names (W3C Trace Context,
    /// `traceparent`), if that is to be believed.
    pub fn begin(&self, parent: Option<&str>) -> Traced {
        let parent = match parent {
            Some(text) => {
                TraceContextPropagator::new().extract_with_context(&Context::new(), &One(text))
            }
            None => Context::new(),
        };
        let span = self.tracer.span_builder("request").with_kind(SpanKind::Server);
        let span = span.start_with_context(&self.tracer, &parent);
        Traced(parent.with_span(span))
    }

    /// Does something within a span of its own, below the one of the request at hand.
    pub fn within<F: Future>(&self, name: &'static str, work: F) -> WithContext<F> {
        let around = Context::current();
        let span = self.tracer.span_builder(name).with_kind(SpanKind::Internal);
        let span = span.start_with_context(&self.tracer, &around);
        work.with_context(around.with_span(span))
    }

    /// Sends what is left. It blocks for as long as the collector may take.
    pub fn close(&self) {
        if let Err(cause) = self.provider.shutdown_with_timeout(self.timeout) {
            tracing::warn!(cause = %cause, "the last traces could not be sent");
        }
    }
}

impl Traced {
    /// Does something within the span.
    pub fn around<F: Future>(&self, work: F) -> WithContext<F> {
        work.with_context(self.0.clone())
    }

    /// Ends the span with what is known by then.
    pub fn end(&self, answered: &Answered<'_>) {
        let span = self.0.span();
        let method = answered.method;
        span.set_attribute(KeyValue::new("http.request.method", method));
        let status = i64::from(answered.status);
        span.set_attribute(KeyValue::new("http.response.status_code", status));
        let id = answered.request_id.to_owned();
        span.set_attribute(KeyValue::new("throughline.request_id", id));
        match answered.route {
            Some(route) => {
                span.set_attribute(KeyValue::new("http.route", route.to_owned()));
                span.update_name(format!("{method} {route}"));
            }
            None => span.update_name(method),
        }
        if answered.status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// The one header field that is read.
struct One<'a>(&'a str);

impl Extractor for One<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
