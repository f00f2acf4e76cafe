//! The OpenAPI document, from the routes.
//!
//! | question | file |
//! | --- | --- |
//! | what a route answers | beside the route, in the words of [`crate::http::openapi::answers`] |
//! | what a route can be asked | beside its query, in the words of [`crate::http::openapi::parameters`] |
//! | which fields a body has | nowhere but in its model: see [`crate::http::fields::schema`] |
//! | `/api/openapi.json` | [`super::route`] |
//! | `/api/docs` | [`crate::server::swagger_ui`] |
//!
//! Those two know no feature; this file knows them all, and completes what they
//! say: the headers, examples and schemas that routes refer to, and who needs a token.

use serde_json::json;
use utoipa::{
    OpenApi,
    openapi::{
        self, Header, ObjectBuilder, RefOr, Response, Schema, SecurityRequirement, Type,
        example::ExampleBuilder,
        extensions::Extensions,
        header::HeaderBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::route;
use crate::{
    accounts,
    http::{
        openapi::answers,
        problem::{Code, ProblemBody},
    },
    movies,
    server::health,
};

/// The names of the security schemes. A route that takes a personal access token says so itself, with the scope.
const TOKEN: &str = "token";
const PERSONAL_TOKEN: &str = "personal_token";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Movie Bag",
        description = "A catalogue of movies. Anyone reads it; whoever signs up adds movies; only the user who added a movie changes or deletes it.\n\nErrors are problem details (RFC 9457) with a stable `code`; `/problems/<code>` explains each. `HEAD` works wherever `GET` does. Every answer has an `X-Request-Id`."
    ),
    tags(
        (name = "auth", description = "Signing up, tokens, forgotten passwords."),
        (name = "users", description = "The caller's own account."),
        (name = "movies", description = "The catalogue."),
        (name = "admin", description = "For users with the role `admin`."),
        (name = "service", description = "The service itself.")
    ),
    components(schemas(ProblemBody<'_>))
)]
struct Frame;

/// The whole document.
#[must_use]
pub fn document() -> openapi::OpenApi {
    let mut document = Frame::openapi();
    // Each feature's part; a new feature adds its own.
    for part in [
        accounts::Documented::openapi(),
        movies::Documented::openapi(),
        health::Documented::openapi(),
        route::Documented::openapi(),
    ] {
        document.merge(part);
    }
    complete(&mut document);
    document
}

/// The document as `docs/openapi.json` has it.
///
/// # Errors
/// If it has no JSON form.
pub fn pretty() -> serde_json::Result<String> {
    document().to_pretty_json().map(|text| text + "\n")
}

fn complete(document: &mut openapi::OpenApi) {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, mut item)| {
            operations(&mut item).for_each(ask_for_token);
            // Rocket's "/" below a mount point is the mount point itself.
            (path.trim_end_matches('/').to_owned(), item)
        })
        .collect();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The `token` that `POST /api/auth/login` answers."));
    components.security_schemes.insert(TOKEN.to_owned(), SecurityScheme::Http(bearer.build()).into());
    let personal = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("mbp_…")
        .description(Some("A personal access token with the scope that the route names."));
    components
        .security_schemes
        .insert(PERSONAL_TOKEN.to_owned(), SecurityScheme::Http(personal.build()).into());
    components.headers.extend(headers().map(|(name, header)| (name.to_owned(), RefOr::T(header))));
    components.examples.extend(Code::ALL.iter().map(|code| {
        let example = ExampleBuilder::new().summary(code.kind().title).value(Some(example(*code)));
        (code.kind().code.to_owned(), example.into())
    }));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// A route that may answer `missing-token` needs one.
fn ask_for_token(operation: &mut Operation) {
    let needs_one = operation.responses.responses.get("401").is_some_and(names_missing_token);
    if needs_one && operation.security.is_none() {
        operation.security = Some(vec![SecurityRequirement::new(TOKEN, Vec::<String>::new())]);
    }
}

fn names_missing_token(answer: &RefOr<Response>) -> bool {
    let RefOr::T(answer) = answer else { return false };
    let code = Code::MissingToken.kind().code;
    answer.content.values().any(|content| match content {
        RefOr::T(content) => content.examples.contains_key(code),
        RefOr::Ref(_) => false,
    })
}

fn headers() -> impl Iterator<Item = (&'static str, Header)> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let id = text().pattern(Some("^[A-Za-z0-9._-]{1,64}$"));
    let header = |schema: ObjectBuilder, always: bool, description: &str| {
        HeaderBuilder::new()
            .schema(Some(Schema::from(schema.build())))
            .description(Some(description))
            // A field of OpenAPI's that the crate does not have.
            .extensions(always.then(|| Extensions::from_iter([("required", true)])))
            .build()
    };
    [
        (
            answers::ETAG,
            header(
                text().pattern(Some("^\"[0-9]+\"$")),
                true,
                "The movie's version; for `If-Match` and `If-None-Match`.",
            ),
        ),
        (
            answers::WEAK_ETAG,
            header(
                text().pattern(Some("^W/\"[A-Za-z0-9_-]+\"$")),
                true,
                "A digest of the answer, for `If-None-Match`. It is weak: the same in every encoding.",
            ),
        ),
        (
            answers::CACHE_CONTROL,
            header(
                text(),
                true,
                "`public, max-age=0, must-revalidate`: keep the answer, and ask with `If-None-Match` before you use \
                 it. `s-maxage` is there if the operator lets shared caches keep it for so many seconds.",
            ),
        ),
        (answers::LINK, header(text(), false, "Where the next page is (`rel=\"next\"`), if there is one.")),
        (
            answers::REPLAYED,
            header(
                text().enum_values(Some(["true"])),
                false,
                "The answer is that of an earlier request with the same `Idempotency-Key`; nothing was added now.",
            ),
        ),
        (answers::LOCATION, header(text(), true, "Where the new one is, or where to go on.")),
        (
            answers::RATE_LIMIT,
            header(
                text(),
                false,
                "`\"default\";r=<left>;t=<seconds>`: how many requests are left, and in how many seconds all are there again. \
                 Only if the operator has set a limit.",
            ),
        ),
        (
            answers::RATE_LIMIT_POLICY,
            header(
                text(),
                false,
                "`\"default\";q=<requests>;w=<seconds>`: how many requests your address may make at once, and how long it \
                 takes until all are there again. Only if the operator has set a limit.",
            ),
        ),
        (
            answers::REQUEST_ID,
            header(id, true, "Under which the log has more; taken from the request if usable."),
        ),
        (answers::RETRY_AFTER, header(seconds, true, "After how many seconds to try again.")),
        (
            answers::WWW_AUTHENTICATE,
            header(text(), true, "What is asked for, and what is wrong with what came (RFC 6750)."),
        ),
    ]
    .into_iter()
}

fn example(code: Code) -> serde_json::Value {
    let kind = code.kind();
    let mut example = json!({
        "type": format!("/problems/{}", kind.code),
        "title": kind.title,
        "status": kind.status.code,
        "code": kind.code,
        "detail": kind.detail,
        "instance": "/api/…",
        "request_id": "01M80MSCC3C5DFRTS23MHGE1G4",
    });
    if code == Code::ValidationFailed {
        example["errors"] = json!([{ "field": "casts[2]", "code": "blank", "message": "must not be blank" }]);
    }
    example
}
