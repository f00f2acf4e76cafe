//! Sends requests to a provider. They are few and short, and they follow no redirects.

use std::{future::Future, pin::Pin, time::Duration};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect::Policy;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(5);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The longest answer, in bytes. The longest one in practice, a set of keys with certificates, has about 20 KiB.
const LONGEST: usize = 256 * 1024;

/// Sends requests to providers. Clones share their connections.
#[derive(Clone)]
pub struct ProviderClient {
    http: reqwest::Client,
    /// For providers on this machine: without a proxy.
    on_loopback: reqwest::Client,
}

/// Why there is no answer. The text is for the log, and contains nothing that was sent or received.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the request failed: {}", reason(.0))]
    Request(#[from] reqwest::Error),
    #[error("the answer has more than {LONGEST} bytes")]
    TooLong,
    #[error("the answer is not HTTP: {0}")]
    Http(#[from] openidconnect::http::Error),
}

/// An error's own text shows the address, whose query may hold a secret.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke off"
    }
}

impl ProviderClient {
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new() -> Result<Self, ClientError> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(Policy::none())
                .connect_timeout(CONNECT_LIMIT)
                .timeout(LIMIT)
                .user_agent(concat!("movie-bag/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { http: builder().build()?, on_loopback: builder().no_proxy().build()? })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ClientError> {
        let request = reqwest::Request::try_from(request)?;
        let is_here = crate::config::is_loopback(request.url());
        let http = if is_here { &self.on_loopback } else { &self.http };
        let mut answer = http.execute(request).await?;
        let mut response = openidconnect::http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > LONGEST {
                return Err(ClientError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for ProviderClient {
    type Error = ClientError;

    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ClientError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
