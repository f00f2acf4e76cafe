//! The web client: the files of `web/`, in the binary, at `/` and `/assets/<file>`. `web/README.md` explains what they
//! do. They use the public API like any other client.

use rocket::{
    Request, Response, State,
    fairing::AdHoc,
    get,
    http::{ContentType, Header, Status},
    response::{self, Responder},
    routes,
};

use crate::http::{
    conditional::{IfNoneMatch, WeakTag},
    problem::Problem,
};

/// What the page may load and run: its own files, and the pictures that movies name. No script may turn text into
/// markup either: browsers that know trusted types refuse that.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' https: http: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The names are fixed, so a browser must ask each time whether its copy is current.
const CACHING: &str = "no-cache";

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_bytes!(concat!("../../web/", $name)))),*] };
}

const PAGE: &str = "index.html";
const FILES: &[(&str, &[u8])] = files![
    "index.html",
    "style.css",
    "icon.svg",
    "account.js",
    "address.js",
    "api.js",
    "app.js",
    "catalogue.js",
    "devices.js",
    "dom.js",
    "drawings.js",
    "editor.js",
    "filters.js",
    "finder.js",
    "forms.js",
    "history.js",
    "live.js",
    "movie.js",
    "poster.js",
    "sharing.js",
    "providers.js",
    "trash.js",
];

struct Asset {
    name: &'static str,
    body: &'static [u8],
    tag: WeakTag,
}

/// The files and their entity tags, which are digests of their contents.
struct Assets(Vec<Asset>);

impl Assets {
    fn new() -> Self {
        // A weak tag: a file may be sent compressed.
        let asset =
            |&(name, body): &(&'static str, &'static [u8])| Asset { name, body, tag: WeakTag::of(body) };
        Self(FILES.iter().map(asset).collect())
    }

    fn answer(&self, name: &str, condition: &IfNoneMatch) -> Result<Answer, Problem> {
        let asset = self.0.iter().find(|asset| asset.name == name).ok_or(Problem::NotFound)?;
        Ok(Answer {
            name: asset.name,
            tag: asset.tag.clone(),
            body: (!condition.has_answer(&asset.tag)).then_some(asset.body),
        })
    }
}

/// A file, or 304 if the client's copy is current.
struct Answer {
    name: &'static str,
    tag: WeakTag,
    body: Option<&'static [u8]>,
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let extension = self.name.rsplit('.').next().unwrap_or_default();
        let mut response = Response::build();
        response
            .header(Header::new("ETag", self.tag.to_string()))
            .header(Header::new("Cache-Control", CACHING))
            // `nosniff` and `Referrer-Policy` come with every answer: see `envelope.rs`.
            .header(Header::new("Content-Security-Policy", POLICY));
        match self.body {
            Some(body) => response
                .header(ContentType::from_extension(extension).unwrap_or(ContentType::Binary))
                .sized_body(body.len(), std::io::Cursor::new(body)),
            None => response.status(Status::NotModified),
        };
        response.ok()
    }
}

/// The page. A link may bring query parameters, which are ignored.
#[get("/")]
fn page(condition: IfNoneMatch, assets: &State<Assets>) -> Result<Answer, Problem> {
    assets.answer(PAGE, &condition)
}

/// The files that the page loads.
#[get("/assets/<file>")]
fn asset(file: &str, condition: IfNoneMatch, assets: &State<Assets>) -> Result<Answer, Problem> {
    assets.answer(file, &condition)
}

/// Mounts the routes.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("web", |rocket| async move {
        rocket.manage(Assets::new()).mount("/", crate::http::deadline::limited(routes![page, asset]))
    })
}
