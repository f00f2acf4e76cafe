//! The web client: the files of `web/`, in the binary, at `/` and `/assets/<file>`. What they do
//! is told in `web/README.md`; they use the public API like any other client.

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

/// What the page may load and run: its own files, and the pictures that movies name. No markup is
/// made of text either: a browser that knows trusted types refuses that to every script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' https: http: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The names are fixed, so a browser asks each time whether its copy is still good.
const CACHING: &str = "no-cache";

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_bytes!(concat!("../../web/", $name)))),*] };
}

const PAGE: &str = "index.html";
const FILES: &[(&str, &[u8])] = files![
    "index.html",
    "style.css",
    "views.css",
    "icon.svg",
    "account.js",
    "address.js",
    "api.js",
    "app.js",
    "catalogue.js",
    "devices.js",
    "dialog.js",
    "dom.js",
    "drawings.js",
    "editor.js",
    "filters.js",
    "finder.js",
    "forms.js",
    "history.js",
    "leaving.js",
    "live.js",
    "more.js",
    "movie.js",
    "poster.js",
    "providers.js",
    "sharing.js",
    "skeleton.js",
    "trash.js",
    "users.js",
];

struct Asset {
    name: &'static str,
    body: &'static [u8],
    tag: WeakTag,
}

/// The files with their entity tags, which are made of their contents.
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

/// A file, or that the client's copy is good.
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
            // `nosniff` and `Referrer-Policy` come with every answer: see `fairings.rs`.
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

/// The page. Query parameters are for nobody here, and a link may bring some: they are passed over.
#[get("/")]
fn page(condition: IfNoneMatch, assets: &State<Assets>) -> Result<Answer, Problem> {
    assets.answer(PAGE, &condition)
}

/// What the page is made of.
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
