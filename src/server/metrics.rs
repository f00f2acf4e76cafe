//! `GET /metrics`.

use prometheus::{TextEncoder, core::Collector};
use rocket::{
    Request, State,
    fairing::AdHoc,
    get,
    http::{ContentType, Header},
    response::{self, Responder},
    routes,
};

use super::loopback::hidden;
use crate::{
    http::{problem::Problem, query::NoQuery},
    telemetry::metrics::{Metrics, RequestMetrics, info, register},
};

/// The path of the metrics.
pub const PATH: &str = "/metrics";

/// The answer to a scrape.
struct Exposition(String);

impl<'r> Responder<'r, 'static> for Exposition {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = self.0.respond_to(request)?;
        let format =
            ContentType::new("text", "plain").with_params([("version", "0.0.4"), ("charset", "utf-8")]);
        response.set_header(format);
        response.set_header(Header::new("Cache-Control", "no-store"));
        Ok(response)
    }
}

/// The metrics, in Prometheus' text format.
#[get("/")]
fn scrape(_query: NoQuery, metrics: &State<Metrics>) -> Result<Exposition, Problem> {
    let text = TextEncoder::new().encode_to_string(&metrics.gather());
    text.map(Exposition).map_err(|error| Problem::Internal(error.to_string().into()))
}

/// Makes the registry and mounts the route. Must be attached before the stages that register metrics.
#[must_use]
pub fn stage(public: bool, requests: &RequestMetrics) -> AdHoc {
    let collectors = requests.collectors();
    AdHoc::on_ignite("metrics", move |rocket| async move {
        let rocket = rocket.manage(Metrics::new(public));
        register(&rocket, collectors);
        register(&rocket, process());
        rocket.mount(PATH, hidden(crate::http::deadline::limited(routes![scrape])))
    })
}

/// The metrics of this binary and this process.
fn process() -> Vec<Box<dyn Collector>> {
    let help = "1, with the version of the server.";
    let build = info("movie_bag_build_info", help, "version", env!("CARGO_PKG_VERSION"));
    vec![
        Box::new(build),
        #[cfg(target_os = "linux")]
        Box::new(prometheus::process_collector::ProcessCollector::for_self()),
    ]
}
