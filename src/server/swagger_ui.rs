//! `/api/docs`: Swagger UI, from the binary alone. The page is our own: the one that comes with Swagger UI has relative
//! addresses, which are wrong where the page's address does not end with a slash.

use std::{borrow::Cow, error::Error, io::Cursor, sync::Arc};

use rocket::{
    Request, Response, State,
    fairing::AdHoc,
    get,
    http::{Header, Status},
    response::{self, Responder},
    routes,
};
use utoipa_swagger_ui::Config;

use crate::http::{
    conditional::{IfNoneMatch, WeakTag},
    html::HtmlPage,
    problem::Problem,
    query::NoQuery,
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

/// The files and their entity tags, made once.
struct Files(Vec<File>);

struct File {
    name: &'static str,
    bytes: Cow<'static, [u8]>,
    kind: String,
    is_gzip: bool,
    tag: WeakTag,
}

#[get("/")]
fn page(_query: NoQuery) -> HtmlPage {
    HtmlPage::new(HTML.to_owned(), POLICY)
}

#[get("/<name>")]
fn file<'r>(
    name: &str,
    _query: NoQuery,
    condition: IfNoneMatch,
    files: &'r State<Files>,
) -> Result<Answer<'r>, Problem> {
    let file = files.0.iter().find(|file| file.name == name).ok_or(Problem::NotFound)?;
    Ok(Answer { file, is_known: condition.has_answer(&file.tag) })
}

/// A file of Swagger UI, or 304 if the client's copy is current.
struct Answer<'r> {
    file: &'r File,
    is_known: bool,
}

impl<'r> Responder<'r, 'r> for Answer<'r> {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        let mut response = Response::build();
        response.header(Header::new("ETag", self.file.tag.to_string()));
        if self.is_known {
            return response.status(Status::NotModified).ok();
        }
        response.status(Status::Ok).header(Header::new("Content-Type", self.file.kind.as_str()));
        if self.file.is_gzip {
            response.header(Header::new("Content-Encoding", "gzip"));
        }
        response.sized_body(self.file.bytes.len(), Cursor::new(&*self.file.bytes)).ok()
    }
}

/// # Errors
/// If the crate does not have one of the files.
fn files(config: Config<'static>) -> Result<Files, Box<dyn Error>> {
    let config = Arc::new(config);
    let file = |name: &'static str| -> Result<File, Box<dyn Error>> {
        let file =
            utoipa_swagger_ui::serve(name, Arc::clone(&config))?.ok_or("Swagger UI has no such file")?;
        let tag = WeakTag::of(&file.bytes);
        Ok(File { name, bytes: file.bytes, kind: file.content_type, is_gzip: file.gzpipped, tag })
    };
    FILES.into_iter().map(file).collect::<Result<_, _>>().map(Files)
}

/// Mounts the routes.
#[must_use]
pub fn stage() -> AdHoc {
    // No validator, because it would tell somebody else's server about the document. And the page does not store a
    // token, because every script of an origin can read what the browser stores for that origin.
    let config = Config::from("/api/openapi.json").validator_url("none").try_it_out_enabled(true);
    AdHoc::try_on_ignite("Swagger UI", |rocket| async {
        match files(config.persist_authorization(false)) {
            Ok(files) => {
                let routes = crate::http::deadline::limited(routes![page, file]);
                Ok(rocket.manage(files).mount("/api/docs", routes))
            }
            Err(error) => {
                tracing::error!(error, "Swagger UI is incomplete");
                Err(rocket)
            }
        }
    })
}
