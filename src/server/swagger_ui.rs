//! `/api/docs`: Swagger UI, from the binary alone. The page is our own: the one that comes with Swagger UI has relative
//! addresses, which are wrong where the page's address does not end with a slash.

use std::{io::Cursor, sync::Arc};

use rocket::{
    Request, Response, State,
    fairing::AdHoc,
    get,
    http::{Header, Status},
    response::{self, Responder},
    routes,
};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::http::{
    conditional::{IfNoneMatch, WeakTag},
    html::HtmlPage,
    problem::Problem,
};

/// The files that the page loads. The server serves none of the crate's other files.
const FILES: [&str; 6] = [
    "favicon-32x32.png",
    "index.css",
    "swagger-initializer.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];

const HTML: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Movie Bag: the API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="stylesheet" href="/api/docs/index.css">
<link rel="icon" type="image/png" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/swagger-ui-standalone-preset.js"></script>
<script src="/api/docs/swagger-initializer.js"></script>
</body>
</html>
"#;

/// The page loads everything from this server, except icons, which Swagger UI draws from data, and one style sheet,
/// which Swagger UI writes itself. The digest is that of Swagger UI 5.32.
const POLICY: &str = "script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; \
    img-src 'self' data:; connect-src 'self'";

/// How Swagger UI is set up.
struct Setup(Arc<Config<'static>>);

#[get("/")]
fn page() -> HtmlPage {
    HtmlPage::new(HTML.to_owned(), POLICY)
}

#[get("/<name>")]
fn file(name: &str, condition: IfNoneMatch, setup: &State<Setup>) -> Result<File, Problem> {
    let name = FILES.into_iter().find(|known| *known == name).ok_or(Problem::NotFound)?;
    let found = utoipa_swagger_ui::serve(name, Arc::clone(&setup.0))
        .map_err(|error| Problem::Internal(format!("Swagger UI: {error}").into()))?;
    let found = found.ok_or(Problem::NotFound)?;
    let tag = WeakTag::of(&found.bytes);
    Ok(File { is_known: condition.has_answer(&tag), found, tag })
}

/// A file of Swagger UI, or 304 if the client's copy is current.
struct File {
    found: SwaggerFile<'static>,
    tag: WeakTag,
    is_known: bool,
}

impl<'r> Responder<'r, 'static> for File {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let SwaggerFile { bytes, content_type, gzpipped, .. } = self.found;
        let mut response = Response::build();
        response.header(Header::new("ETag", self.tag.to_string()));
        if self.is_known {
            return response.status(Status::NotModified).ok();
        }
        response.status(Status::Ok).header(Header::new("Content-Type", content_type));
        if gzpipped {
            response.header(Header::new("Content-Encoding", "gzip"));
        }
        response.sized_body(bytes.len(), Cursor::new(bytes)).ok()
    }
}

/// Mounts the routes.
#[must_use]
pub fn stage() -> AdHoc {
    // No validator, because it would tell somebody else's server about the document. And the page does not store a
    // token, because every script of an origin can read what the browser stores for that origin.
    let config = Config::from("/api/openapi.json").validator_url("none").try_it_out_enabled(true);
    let setup = Setup(Arc::new(config.persist_authorization(false)));
    AdHoc::on_ignite("Swagger UI", |rocket| async {
        rocket.manage(setup).mount("/api/docs", crate::http::deadline::limited(routes![page, file]))
    })
}
