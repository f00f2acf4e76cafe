//! The web client: the files of `web/`, in the binary, at `/` and `/assets/<file>`. `web/README.md` explains what they
//! do. They use the public API like any other client.

use rocket::{
    Request, Response, State,
    fairing::AdHoc,
    get,
    http::{ContentType, Header, Method, Status},
    response::{self, Responder},
    routes,
};

use crate::http::{
    conditional::{IfNoneMatch, WeakTag},
    encoding::Encoding,
    problem::Problem,
};

/// What the page may load and run: its own files, and the pictures that movies name. No script may turn text into
/// markup either: browsers that know trusted types refuse that.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' https: http: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The names are fixed, so a browser must ask each time whether its copy is current.
const CACHING: &str = "no-cache";

/// A file of `web/`, and what `build.rs` made of it.
struct File {
    name: &'static str,
    plain: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
}

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(File {
        name: $name,
        plain: include_bytes!(concat!("../../web/", $name)),
        brotli: include_bytes!(concat!(env!("OUT_DIR"), "/web/", $name, ".br")),
        gzip: include_bytes!(concat!(env!("OUT_DIR"), "/web/", $name, ".gz")),
    }),*] };
}

const PAGE: &str = "index.html";
const FILES: &[File] = files![
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

impl File {
    /// A weak tag, because a file may be sent compressed.
    fn tag(&self) -> WeakTag {
        WeakTag::of(self.plain)
    }
}

/// The compressed forms of the files, each with the tag of its file.
pub fn compressed() -> impl Iterator<Item = (WeakTag, Encoding, &'static [u8])> {
    FILES.iter().flat_map(|file| {
        let forms = [(Encoding::Brotli, file.brotli), (Encoding::Gzip, file.gzip)];
        forms.map(|(encoding, body)| (file.tag(), encoding, body))
    })
}

struct Asset {
    name: &'static str,
    body: &'static [u8],
    tag: WeakTag,
}

/// The files and their entity tags, which are digests of their contents.
struct Assets(Vec<Asset>);

impl Assets {
    fn new() -> Self {
        let asset = |file: &File| Asset { name: file.name, body: file.plain, tag: file.tag() };
        Self(FILES.iter().map(asset).collect())
    }

    fn answer(&self, name: &str, condition: &IfNoneMatch) -> Option<Answer> {
        let asset = self.0.iter().find(|asset| asset.name == name)?;
        Some(Answer {
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

/// The page in place of a problem, if a browser opens an unknown address outside the API. The client then says so, and
/// links back.
pub struct Lost {
    problem: Problem,
    page: &'static [u8],
}

impl Lost {
    /// `None` for any other problem, and for a caller that prefers the problem to a page.
    #[must_use]
    pub fn instead_of(problem: &Problem, request: &Request<'_>) -> Option<Self> {
        let path = request.uri().path();
        let is_api = path.segments().next() == Some("api");
        let is_read = matches!(request.method(), Method::Get | Method::Head);
        let wants_page = request.accept().is_some_and(|accept| accept.preferred().is_html());
        let assets = request.rocket().state::<Assets>()?;
        let page = assets.0.iter().find(|asset| asset.name == PAGE)?.body;
        let is_lost = matches!(problem, Problem::NotFound) && is_read && wants_page && !is_api;
        is_lost.then(|| Self { problem: problem.clone(), page })
    }
}

impl<'r> Responder<'r, 'static> for Lost {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = self.problem.respond_to(request)?;
        response.set_header(ContentType::HTML);
        response.set_header(Header::new("Content-Security-Policy", POLICY));
        response.set_sized_body(self.page.len(), std::io::Cursor::new(self.page));
        Ok(response)
    }
}

/// The page. A link may bring query parameters, which are ignored.
#[get("/")]
fn page(condition: IfNoneMatch, assets: &State<Assets>) -> Option<Answer> {
    assets.answer(PAGE, &condition)
}

/// The files that the page loads.
#[get("/assets/<file>")]
fn asset(file: &str, condition: IfNoneMatch, assets: &State<Assets>) -> Option<Answer> {
    assets.answer(file, &condition)
}

/// Mounts the routes.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("web", |rocket| async move {
        rocket.manage(Assets::new()).mount("/", crate::http::deadline::limited(routes![page, asset]))
    })
}
