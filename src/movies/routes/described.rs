//! The schemas of movies in the OpenAPI document. The answers of a route are described beside the route, and its
//! parameters in `parameters.rs`.

use std::borrow::Cow;

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, Object, ObjectBuilder, Ref, RefOr, Schema, Type},
};

use super::suggest::{MAX_SUGGESTIONS, Suggestion};
use crate::{
    http::{
        fields::schema::{Need, body_of, describe, fields_of},
        ids::{MovieId, UserId},
        openapi::parameters::int64,
        page,
        timestamp::Timestamp,
    },
    movies::{
        model::{FIELDS, MovieInput, MoviePatch, WEB_ADDRESS},
        view::MovieView,
    },
};

/// The fields that a client sends, with the rules of their values, but without what may take a value's place (`null`).
fn client_fields(object: ObjectBuilder) -> ObjectBuilder {
    fields_of::<MovieInput>()
        .into_iter()
        .fold(object, |object, field| object.property(field.name, RefOr::T(field.schema)))
}

/// Every field of an answer. The caller says which of them are always present.
fn answered() -> Object {
    let version =
        int64(1).description(Some("Grows by one with each change; the ETag is the same number in quotes."));
    let object = client_fields(ObjectBuilder::new().property("id", MovieId::schema()))
        .property("added_by", UserId::schema())
        .property("created_at", Timestamp::schema())
        .property("updated_at", Timestamp::schema())
        .property("version", version);
    let mut object = explained(object.build());
    // The server accepts more addresses than the document promises, so an answer may contain them.
    if let Some(RefOr::T(Schema::Object(url))) = object.properties.get_mut("poster_url") {
        url.pattern = Some(WEB_ADDRESS.to_owned());
    }
    object
}

/// Adds a description and an example to each field.
fn explained(object: Object) -> Object {
    [
        ("name", "Unique together with the year.", json!("Heat")),
        ("casts", "The actors.", json!(["Al Pacino", "Robert De Niro"])),
        ("genres", "At least one.", json!(["Crime", "Thriller"])),
        ("year", "The year of the release.", json!(1995)),
        ("runtime", "The length in minutes.", json!(170)),
        ("directors", "The directors.", json!(["Michael Mann"])),
        ("countries", "The countries in which it was made.", json!(["United States"])),
        ("languages", "The languages that are spoken in it.", json!(["English"])),
        ("plot", "What happens in the movie.", json!("A thief and a detective admire each other.")),
        (
            "poster_url",
            "An http or https URL without user name and password; the server never fetches it.",
            json!("https://example.com/heat.jpg"),
        ),
    ]
    .into_iter()
    .fold(object, |object, (name, words, example)| describe(object, name, words, example))
}

impl PartialSchema for MovieInput {
    fn schema() -> RefOr<Schema> {
        explained(body_of::<Self>()).into()
    }
}

impl ToSchema for MovieInput {}

impl PartialSchema for MoviePatch {
    fn schema() -> RefOr<Schema> {
        let mut object = explained(body_of::<Self>());
        object.description = Some(
            "A merge patch (RFC 7396): fields that you do not send stay as they are; `null` unsets an optional field or \
             empties an optional list."
                .to_owned(),
        );
        object.into()
    }
}

impl ToSchema for MoviePatch {}

/// A movie with everything that is always present.
pub(super) fn whole() -> Object {
    // Optional lists are always present.
    let left_out: Vec<String> = fields_of::<MovieInput>()
        .into_iter()
        .filter(|field| field.need != Need::Required && matches!(field.schema, Schema::Object(_)))
        .map(|field| field.name)
        .collect();
    let mut object = answered();
    let always = FIELDS.iter().filter(|name| !left_out.iter().any(|left_out| left_out == *name));
    object.required = always.map(|name| (*name).to_owned()).collect();
    object
}

impl PartialSchema for MovieView<'_> {
    fn schema() -> RefOr<Schema> {
        let mut object = whole();
        object.description = Some(
            "A movie. Lists are always present, empty if unset; the other optional fields are left out if unset. With the \
             parameter `fields`, see `MovieSelection`."
                .to_owned(),
        );
        object.into()
    }
}

impl ToSchema for MovieView<'_> {
    fn name() -> Cow<'static, str> {
        "Movie".into()
    }
}

/// The part of a movie that the parameter `fields` chooses.
pub struct MovieSelection;

impl PartialSchema for MovieSelection {
    fn schema() -> RefOr<Schema> {
        let mut chosen = answered();
        chosen.required = vec!["id".to_owned()];
        chosen.description = Some(
            "A movie in an answer to a request with `fields`: its `id` and the fields that the request names. Only the \
             `id` is always present."
                .to_owned(),
        );
        chosen.into()
    }
}

impl ToSchema for MovieSelection {}

/// A page of movies.
pub struct MoviePage;

impl PartialSchema for MoviePage {
    fn schema() -> RefOr<Schema> {
        page_of::<MovieView<'_>>(
            "A page of movies. If the request has `fields`, the answer is a `MovieSelectionPage` instead.",
        )
    }
}

impl ToSchema for MoviePage {}

/// A page of movies of which `fields` has chosen a part.
pub struct MovieSelectionPage;

impl PartialSchema for MovieSelectionPage {
    fn schema() -> RefOr<Schema> {
        page_of::<MovieSelection>("A page of movies in an answer to a request with `fields`.")
    }
}

impl ToSchema for MovieSelectionPage {}

fn page_of<Item: ToSchema>(description: &str) -> RefOr<Schema> {
    let relaxed = ObjectBuilder::new().schema_type(Type::Boolean).description(Some(
        "Present, and `true`, if no movie has every word of `q`: these movies have all words but one, or all but two.",
    ));
    page::schema(Ref::from_schema_name(Item::name()))
        .property(
            "total",
            int64(0).description(Some("How many movies match. Only present with `count=true`.")),
        )
        .property("relaxed", relaxed)
        .description(Some(description))
        .into()
}

/// A list of [`Suggestion`].
pub struct Suggestions;

impl PartialSchema for Suggestions {
    fn schema() -> RefOr<Schema> {
        let most = Some(MAX_SUGGESTIONS as usize);
        ArrayBuilder::new().items(Ref::from_schema_name(Suggestion::name())).max_items(most).into()
    }
}

impl ToSchema for Suggestions {}
