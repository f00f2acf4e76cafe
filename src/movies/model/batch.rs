//! Several movies in one body.

use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{ArrayBuilder, Ref, Schema},
};

use super::input::MovieInput;
use crate::http::fields::{FieldError, Fields, FromFields, Rule, Wrong};

/// How many movies a batch may have.
const MOST: usize = 100;

/// The movies of a batch. For an invalid movie, this has every field that breaks a rule.
#[derive(Debug)]
pub struct MovieBatch(pub Vec<Result<MovieInput, Vec<FieldError>>>);

/// The rule for `items`: each item is parsed separately, so that an invalid one does not keep the others out.
struct Items;

impl Rule for Items {
    type Value = Vec<Result<MovieInput, Vec<FieldError>>>;

    fn parse(&self, value: Value) -> Result<Self::Value, Vec<Wrong>> {
        let Value::Array(items) = value else {
            return Err(vec![Wrong::new("wrong-type", "must be a list of movies")]);
        };
        if items.is_empty() {
            return Err(vec![Wrong::new("too-few", "must not be empty")]);
        }
        if items.len() > MOST {
            return Err(vec![Wrong::new("too-many", format!("must have at most {MOST} entries"))]);
        }
        Ok(items.into_iter().map(Fields::read).collect())
    }

    fn schema(&self) -> Schema {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(MovieInput::name()));
        Schema::Array(items.min_items(Some(1)).max_items(Some(MOST)).build())
    }
}

impl FromFields for MovieBatch {
    const LIMIT_KIB: u64 = 1_024;

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.required("items", &Items).map(Self)
    }
}
