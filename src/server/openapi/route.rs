//! `/api/openapi.json`.

use std::borrow::Cow;

use rocket::{State, fairing::AdHoc, get, routes};
use serde_json::Value;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::http::{
    conditional::IfNoneMatch,
    openapi::answers::{Answers, UNCHANGED, WEAK_ETAG, answers},
    problem::Problem,
    query::NoQuery,
    reply::Reply,
};

/// The routes of this feature.
#[derive(OpenApi)]
#[openapi(paths(json), components(schemas(Document)))]
pub(super) struct Documented;

/// The document, made once.
pub struct Document(Value);

impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Object).description(Some("An OpenAPI document.")).into()
    }
}

impl ToSchema for Document {
    fn name() -> Cow<'static, str> {
        "OpenApi".into()
    }
}

answers! {
    Described => Answers::without_database()
        .json::<Document>(200, "OpenAPI 3.1.", &[WEAK_ETAG])
        .empty(304, UNCHANGED, &[WEAK_ETAG]);
}

/// Returns this document.
///
/// Anyone may call this. If `If-None-Match` has the ETag of the answer, the answer is 304.
#[utoipa::path(
    context_path = "/api",
    tag = "service",
    operation_id = "openapi",
    params(IfNoneMatch),
    responses(Described)
)]
#[get("/openapi.json")]
fn json(_query: NoQuery, condition: IfNoneMatch, document: &State<Document>) -> Result<Reply, Problem> {
    Ok(Reply::ok(&document.0)?.unless_known(&condition))
}

/// Mounts the routes.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::try_on_ignite("openapi", |rocket| async {
        match serde_json::to_value(super::document()) {
            Ok(document) => Ok(rocket
                .manage(Document(document))
                .mount("/api", crate::http::deadline::limited(routes![json]))),
            Err(_) => Err(rocket),
        }
    })
}
