//! `/api/openapi.json`.

use std::borrow::Cow;

use rocket::{State, fairing::AdHoc, get, routes};
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::http::{
    conditional::{IfNoneMatch, WeakTag},
    openapi::answers::{Answers, UNCHANGED, WEAK_ETAG, answers},
    query::NoQuery,
    reply::{Json, Reply},
};

/// The routes of this feature.
#[derive(OpenApi)]
#[openapi(paths(json), components(schemas(Document)))]
pub(super) struct Documented;

/// The document and its tag, made once.
pub(super) struct Document {
    body: Json,
    tag: WeakTag,
}

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
fn json(_query: NoQuery, condition: IfNoneMatch, document: &State<Document>) -> Reply {
    Reply::ok_with(document.body.clone()).unless_known(&document.tag, &condition)
}

/// Mounts the routes.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::try_on_ignite("openapi", |rocket| async {
        let mut body = Json::default();
        if body.view(&super::document()).is_err() {
            return Err(rocket);
        }
        let tag = WeakTag::of(body.bytes());
        let rocket = rocket.manage(Document { body, tag });
        Ok(rocket.mount("/api", crate::http::deadline::limited(routes![json])))
    })
}
