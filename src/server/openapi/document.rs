//! The OpenAPI document, from the routes.
//!
//! | question | file |
//! | --- | --- |
//! | what a route answers | beside the route, with [`crate::http::openapi::answers`] |
//! | which parameters a route takes | beside its query, with [`crate::http::openapi::parameters`] |
//! | which fields a body has | only in its model: see [`crate::http::fields::schema`] |
//! | `/api/openapi.json` | [`super::route`] |
//! | `/api/docs` | [`crate::server::swagger_ui`] |
//!
//! The files in [`crate::http::openapi`] know no feature. This file knows every feature, and adds what the routes leave
//! out: the headers, examples and schemas that they refer to, the problems that they share, and who needs a token.

use std::{collections::BTreeMap, mem};

use serde_json::json;
use utoipa::{
    OpenApi,
    openapi::{
        self, Header, ObjectBuilder, Ref, RefOr, Response, Schema, SecurityRequirement, Type,
        example::{Example, ExampleBuilder},
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
        openapi::{answers, parameters::int64},
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
        description = "A catalogue of movies. Anyone can read it. A user who signs up can add movies and owns the movies that they add. A movie is changed by its owner and by the editors whom the owner has invited; only the owner can delete it, invite others or hand it over.\n\nOperations that are not public need a token in the header `Authorization: Bearer <token>`. A personal access token works only where an operation names a scope for it; elsewhere the answer is 403 `insufficient-scope`.\n\nErrors are problem details (RFC 9457) with a stable `code`; `/problems/<code>` explains each code. `HEAD` works wherever `GET` does, except under `/api/auth/oidc`. Every answer has an `X-Request-Id`."
    ),
    servers(
        (url = "/", description = "The server that this document comes from.")
    ),
    tags(
        (name = "auth", description = "Accounts and tokens: signing up, logging in, refreshing, resetting a password, signing in with another provider."),
        (name = "users", description = "The caller's own account: its sessions, tokens, linked providers, movies and trash."),
        (name = "movies", description = "The catalogue: reading, searching and following it, changing it, and sharing a movie with editors."),
        (name = "admin", description = "Users and counts, for callers with the role `admin`."),
        (name = "service", description = "The service itself: its health and this document.")
    ),
    components(schemas(ProblemBody<'_>, Code))
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
    let mut problems = BTreeMap::new();
    let paths = mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, mut item)| {
            for operation in operations(&mut item) {
                ask_for_token(operation);
                share_problems(operation, &mut problems);
                operation.summary = operation.summary.take().map(|text| unwrapped(&text));
                operation.description = operation.description.take().map(|text| unwrapped(&text));
            }
            // Rocket's "/" below a mount point is the mount point itself.
            (path.trim_end_matches('/').to_owned(), item)
        })
        .collect();
    let components = document.components.get_or_insert_default();
    components.examples = examples(&problems);
    components.responses.extend(problems);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "The `token` that `POST /api/auth/login` returns: a JWT, signed with HS256 and verified as RFC8725 asks. It \
             expires after 15 minutes if its session can be refreshed, otherwise after 7 days, unless the operator has \
             set another time.",
        ));
    components.security_schemes.insert(TOKEN.to_owned(), SecurityScheme::Http(bearer.build()).into());
    let personal = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("mbp_…")
        .description(Some("A personal access token with the scope that the operation names."));
    components
        .security_schemes
        .insert(PERSONAL_TOKEN.to_owned(), SecurityScheme::Http(personal.build()).into());
    components.headers.extend(headers().map(|(name, header)| (name.to_owned(), RefOr::T(header))));
}

/// An example of each code that these problems have.
fn examples(problems: &BTreeMap<String, RefOr<Response>>) -> BTreeMap<String, RefOr<Example>> {
    let is_answered = |code: &Code| {
        problems.values().any(|problem| {
            let RefOr::T(problem) = problem else { return false };
            codes_of(problem).contains(&code.kind().code)
        })
    };
    let answered = Code::ALL.iter().filter(|code| is_answered(code));
    answered
        .map(|code| {
            let example = ExampleBuilder::new().summary(code.kind().title).value(Some(example(*code)));
            (code.kind().code.to_owned(), example.into())
        })
        .collect()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// A route that may answer `missing-token` needs a token. For every other route the document says that it needs none,
/// so that a generated client sends none.
fn ask_for_token(operation: &mut Operation) {
    let needs_one = operation.responses.responses.values().any(|answer| {
        let RefOr::T(answer) = answer else { return false };
        codes_of(answer).contains(&Code::MissingToken.kind().code)
    });
    operation.security.get_or_insert_with(|| {
        if needs_one { vec![SecurityRequirement::new(TOKEN, Vec::<String>::new())] } else { Vec::new() }
    });
}

/// The codes of a problem. A success has none.
fn codes_of(answer: &Response) -> Vec<&str> {
    match answer.content.get(answers::PROBLEM) {
        Some(RefOr::T(content)) => content.examples.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Many operations have the same problems. Each set of problems is one component, named after its codes, and the
/// operations refer to it. A client generator that makes a type for each answer then makes only a few.
fn share_problems(operation: &mut Operation, shared: &mut BTreeMap<String, RefOr<Response>>) {
    for answer in operation.responses.responses.values_mut() {
        let RefOr::T(problem) = answer else { continue };
        let codes = codes_of(problem);
        if codes.is_empty() {
            continue;
        }
        // Without the headers of the rate limit, the same codes are a different component.
        let limit = if problem.headers.contains_key(answers::RATE_LIMIT) { "" } else { ".unlimited" };
        let name = codes.join(".") + limit;
        let reference = RefOr::Ref(Ref::from_response_name(&name));
        shared.insert(name, mem::replace(answer, reference));
    }
}

/// Removes the line breaks of the source within each paragraph, because Swagger UI would keep them.
fn unwrapped(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

fn headers() -> impl Iterator<Item = (&'static str, Header)> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = int64(1);
    let id = text().pattern(Some("^[A-Za-z0-9._-]{1,64}$"));
    let header = |schema: ObjectBuilder, always: bool, description: &str| {
        HeaderBuilder::new()
            .schema(Some(Schema::from(schema.build())))
            .description(Some(description))
            // OpenAPI has this field, but the crate does not.
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
                 it. `s-maxage` is there if the operator lets shared caches keep it for that many seconds.",
            ),
        ),
        (answers::LINK, header(text(), false, "The address of the next page (`rel=\"next\"`), if there is one.")),
        (
            answers::REPLAYED,
            header(
                text().enum_values(Some(["true"])),
                false,
                "The answer is that of an earlier request with the same `Idempotency-Key`; this request has added nothing.",
            ),
        ),
        (answers::LOCATION, header(text(), true, "The address of what was added, or where the browser continues.")),
        (
            answers::RATE_LIMIT,
            header(
                text(),
                false,
                "`\"default\";r=<left>;t=<seconds>`: how many requests are left, and after how many seconds all of them are available again. \
                 Only if the operator has set a limit.",
            ),
        ),
        (
            answers::RATE_LIMIT_POLICY,
            header(
                text(),
                false,
                "`\"default\";q=<requests>;w=<seconds>`: how many requests your address may make at once, and how long it \
                 takes until all of them are available again. Only if the operator has set a limit.",
            ),
        ),
        (
            answers::REQUEST_ID,
            header(
                id,
                true,
                "The id of the request, under which the server's log has more. The server takes it from the request's \
                 `X-Request-Id` if it can.",
            ),
        ),
        (answers::RETRY_AFTER, header(seconds, true, "How many seconds to wait before you try again.")),
        (
            answers::WWW_AUTHENTICATE,
            header(text(), true, "How to authenticate, and what is wrong with the token that was sent (RFC 6750)."),
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
