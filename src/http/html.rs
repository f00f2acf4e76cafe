//! Pages for people. Each says in a content security policy what it brings; a browser loads nothing else.

use std::io::Cursor;

use base64::{Engine, prelude::BASE64_STANDARD};
use rocket::{
    Request, Response,
    http::{ContentType, Header, Status},
    response::{self, Responder},
};
use sha2::{Digest, Sha256};

/// What no page of ours does: set another base, send a form by itself, stand in a frame.
const NEVER: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A whole page.
pub struct HtmlPage {
    html: String,
    policy: String,
}

impl HtmlPage {
    /// `policy` says what is allowed besides nothing.
    #[must_use]
    pub fn new(html: String, policy: &str) -> Self {
        Self { html, policy: format!("{NEVER}; {policy}") }
    }

    /// Text and this style sheet, and nothing else: no script, no image, no address of another server.
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

/// For text and for attributes in double quotes.
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
