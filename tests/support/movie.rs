//! The movie of the tests that do not care which.

use serde_json::{Value, json};

/// A whole body with this name.
pub fn movie(name: &str) -> Value {
    json!({ "name": name, "casts": [], "genres": ["Drama"] })
}
