//! Who may read the metrics: clients on this machine, or everybody if `metrics.public` is set.
//!
//! A proxy may run on this machine too, and it must not publish the metrics. So a request counts as local only if
//! everything says so: the peer's address, the address that Rocket takes for the client's (`ip_header`), the host that
//! the client names, and the absence of headers that proxies add. The check of the host also keeps out a web page
//! whose name was made to lead to 127.0.0.1 (DNS rebinding).

use std::net::IpAddr;

use rocket::{
    Data, Request, Route,
    http::Status,
    route::{Handler, Outcome},
};

use crate::telemetry::metrics::Metrics;

/// A proxy adds at least one of these headers, or one that begins with `X-Forwarded-`.
const OF_PROXIES: [&str; 3] = ["Forwarded", "X-Real-IP", "Via"];

#[derive(Clone)]
struct Hidden(Box<dyn Handler>);

#[rocket::async_trait]
impl Handler for Hidden {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let public = request.rocket().state::<Metrics>().is_some_and(Metrics::is_public);
        if public || is_local(request) {
            self.0.handle(request, data).await
        } else {
            // As if there were no such route: the same catcher answers both.
            Outcome::Forward((data, Status::NotFound))
        }
    }
}

/// Hides the routes from everyone who may not read the metrics.
#[must_use]
pub fn hidden(mut routes: Vec<Route>) -> Vec<Route> {
    for route in &mut routes {
        route.handler = Box::new(Hidden(route.handler.clone()));
    }
    routes
}

fn is_local(request: &Request<'_>) -> bool {
    let is_proxied = request.headers().iter().any(|header| {
        let name = header.name().as_str();
        let is_forwarded = name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("X-Forwarded-"));
        is_forwarded || OF_PROXIES.iter().any(|known| name.eq_ignore_ascii_case(known))
    });
    let peer = request.remote().map(|address| address.ip());
    let host = request.host().map(|host| host.domain().as_str());
    !is_proxied
        && peer.is_some_and(is_loopback)
        && request.client_ip().is_some_and(is_loopback)
        && host.is_some_and(names_loopback)
}

/// 127.0.0.0/8, also as IPv6 addresses, and `::1`.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn names_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use rocket::{
        Build, Rocket,
        figment::Figment,
        http::{Header, uri::Host},
        local::blocking::Client,
        routes,
    };

    use super::*;

    #[rocket::get("/metrics")]
    fn shown() -> &'static str {
        "shown"
    }

    /// A server for which the tests choose the clients' addresses, so that no machine needs a second address.
    fn server(ip_header: Option<&str>) -> Client {
        let figment = Figment::from(rocket::Config::default()).merge(("ip_header", ip_header));
        let rocket: Rocket<Build> = rocket::custom(figment.merge(("log_level", "off")));
        Client::untracked(rocket.mount("/", hidden(routes![shown]))).unwrap()
    }

    fn status(
        server: &Client,
        peer: &str,
        host: &'static str,
        header: Option<(&'static str, &'static str)>,
    ) -> u16 {
        let mut request = server.get("/metrics").remote(peer.parse().unwrap());
        // A local request does not take the host from a header.
        request.inner_mut().set_host(Host::parse(host).unwrap());
        if let Some((name, value)) = header {
            request.add_header(Header::new(name, value));
        }
        request.dispatch().status().code
    }

    #[test]
    fn another_machine_cannot_read_the_metrics() {
        let (server, behind) = (server(None), server(Some("X-Client")));
        for peer in ["127.0.0.1:5000", "127.0.0.2:5000", "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
            assert_eq!(status(&server, peer, "localhost:8000", None), 200, "{peer}");
            assert_eq!(status(&server, peer, "movies.example.com", None), 404, "{peer}");
        }
        // Whatever they say about themselves.
        for peer in ["192.0.2.1:5000", "10.0.0.1:5000", "[2001:db8::1]:5000", "[::ffff:192.0.2.1]:5000"] {
            for host in ["127.0.0.1", "localhost:8000", "192.0.2.1"] {
                assert_eq!(status(&server, peer, host, None), 404, "{peer} {host}");
                for server in [&server, &behind] {
                    let told = Some(("X-Client", "127.0.0.1"));
                    assert_eq!(status(server, peer, host, told), 404, "{peer} {host}");
                }
            }
        }
    }

    #[test]
    fn a_proxy_on_this_machine_does_not_publish_the_metrics() {
        let headers = ["Forwarded", "via", "X-Real-IP", "x-forwarded-for", "X-Forwarded-Anything"];
        for (server, name) in
            headers.into_iter().flat_map(|name| [(server(None), name), (server(Some("X-Client")), name)])
        {
            assert_eq!(
                status(&server, "127.0.0.1:5000", "127.0.0.1", Some((name, "127.0.0.1"))),
                404,
                "{name}"
            );
        }
        let behind = server(Some("X-Client"));
        assert_eq!(status(&behind, "127.0.0.1:5000", "127.0.0.1", Some(("X-Client", "192.0.2.1"))), 404);
        assert_eq!(status(&behind, "127.0.0.1:5000", "127.0.0.1", Some(("X-Client", "127.0.0.1"))), 200);
    }

    #[test]
    fn loopback_is_loopback_in_either_family_and_nothing_else_is() {
        for local in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(local.parse().unwrap()), "{local}");
        }
        for other in ["192.0.2.1", "10.0.0.1", "0.0.0.0", "::", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1"]
        {
            assert!(!is_loopback(other.parse().unwrap()), "{other}");
        }
        for local in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"] {
            assert!(names_loopback(local), "{local}");
        }
        for other in ["movies.example.com", "localhost.example.com", "127.0.0.1.example.com", "192.0.2.1", ""]
        {
            assert!(!names_loopback(other), "{other}");
        }
    }
}
