//! Pages for people. Each page lists what it needs in a content security policy, and a browser loads nothing else.

use std::io::Cursor;

use base64::{Engine, prelude::BASE64_STANDARD};
use rocket::{
    Request, Response,
    http::{ContentType, Header, Status},
    response::{self, Responder},
};
use sha2::{Digest, Sha256};

/// Forbids what none of our pages needs: another base address, submitting a form, and appearing in a frame.
const NEVER: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A whole page.
pub struct HtmlPage {
    html: String,
    policy: String,
}

impl HtmlPage {
    /// `policy` says what the page may load. Everything else is forbidden.
    #[must_use]
    pub fn new(html: String, policy: &str) -> Self {
        Self { html, policy: format!("{NEVER}; {policy}") }
    }

    /// A page of text with this style sheet and nothing else: no script, no image, nothing from another server.
    #[must_use]
    pub fn of_text(title: &str, style: &str, body: &str) -> Self {
        let title = escaped(title);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
        );
        let digest = BASE64_STANDARD.encode(Sha256::digest(style));
        Self::new(html, &format!("style-src 'sha256-{digest}'"))
    }
}

/// Escapes text, also for attributes in double quotes.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl<'r> Responder<'r, 'static> for HtmlPage {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build()
            .status(Status::Ok)
            .header(ContentType::HTML)
            .header(Header::new("Content-Security-Policy", self.policy))
            .sized_body(self.html.len(), Cursor::new(self.html))
            .ok()
    }
}
