//! Traces: a span for each request, sent by OTLP over HTTP (the cargo feature `otlp`).
//!
//! OpenTelemetry's own variables say where and how to send them (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`,
//! `OTEL_TRACES_SAMPLER`, …). Without an endpoint there are no traces. These variables are not settings of Movie Bag.
//! They are read once, at the start. A span continues the trace of its caller (W3C `traceparent`).

use std::time::SystemTime;

use opentelemetry::{
    Key, KeyValue, StringValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{Span, SpanKind, Status, Tracer, TracerProvider},
};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};
use rocket::{
    Data, Request, Response,
    fairing::{Fairing, Info, Kind},
    http::{HeaderMap, Method},
};

use crate::http::request_id::RequestId;

/// Either of them switches the traces on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const SERVICE_NAME: Key = Key::from_static_str("service.name");

/// Makes the spans. Spans that are not sent yet are sent when this is dropped, with the server.
pub struct Traces {
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
    _provider: SdkTracerProvider,
}

/// When the request began, and the method that the client sent: Rocket turns HEAD into GET.
struct Begun(SystemTime, Method);

struct Headers<'a>(&'a HeaderMap<'a>);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get_one(key)
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Traces {
    /// Begins to trace, if an endpoint is set.
    ///
    /// # Errors
    /// Names the OpenTelemetry variable that cannot be used.
    pub fn start() -> Result<Option<Self>, String> {
        if !ENDPOINTS.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            return Ok(None);
        }
        let exporter = SpanExporter::builder().with_http().build();
        let exporter = exporter.map_err(|error| format!("{}: {error}", ENDPOINTS[0]))?;
        let resource = Resource::builder().build();
        let is_named =
            resource.get(&SERVICE_NAME).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
        let resource =
            if is_named { resource } else { Resource::builder().with_service_name("movie-bag").build() };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let propagator = TraceContextPropagator::new();
        Ok(Some(Self { tracer: provider.tracer("movie-bag"), propagator, _provider: provider }))
    }
}

#[rocket::async_trait]
impl Fairing for Traces {
    fn info(&self) -> Info {
        Info { name: "traces", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        request.local_cache(|| Begun(SystemTime::now(), request.method()));
    }

    /// The span of an event stream ends here too, when its headers are sent.
    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Begun(begun, method) = request.local_cache(|| Begun(SystemTime::now(), request.method()));
        let (method, route) = (method.as_str(), request.route().map(|route| route.uri.path()));
        let status = response.status().code;
        // https://opentelemetry.io/docs/specs/semconv/http/http-spans/
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", i64::from(status)),
            KeyValue::new("url.path", request.uri().path().as_str().to_owned()),
            KeyValue::new("url.scheme", "http"),
        ];
        let request_id = vec![StringValue::from(RequestId::of(request).as_str().to_owned())];
        attributes.push(KeyValue::new(
            "http.response.header.x-request-id",
            opentelemetry::Value::Array(request_id.into()),
        ));
        if let Some(route) = route {
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        if status >= 500 {
            attributes.push(KeyValue::new("error.type", status.to_string()));
        }
        let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let mut span = self
            .tracer
            .span_builder(name)
            .with_kind(SpanKind::Server)
            .with_start_time(*begun)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &self.propagator.extract(&Headers(request.headers())));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}
