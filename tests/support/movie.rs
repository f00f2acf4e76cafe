//! A movie for tests that do not care which movie it is.

use serde_json::{Value, json};

/// A complete body with this name.
pub fn movie(name: &str) -> Value {
    json!({ "name": name, "casts": [], "genres": ["Drama"] })
}
