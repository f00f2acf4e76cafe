//! Compares an answer with the OpenAPI document: its status, its headers, its body. Every reply of a documented route
//! in the tests is compared. A difference is a mistake in the code or in the document.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use jsonschema::Validator;
use movie_bag::http::openapi::answers::{PROBLEM, SCHEMA_WITH_FIELDS};
use serde_json::{Value, json};

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

struct Contract {
    document: Value,
    /// The compiled schemas by their text, because most are needed many times.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// The parts of an answer that the document describes.
pub struct Answer<'a> {
    pub status: u16,
    pub header: &'a dyn Fn(&str) -> Option<String>,
    pub body: &'a [u8],
}

/// How this answer differs from the document; `None` for a route that is not in it.
pub fn objection(method: &str, address: &str, answer: &Answer) -> Option<String> {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let operation = CONTRACT.operation(if method == "HEAD" { "get" } else { method }, path)?;
    let has_fields = query.split('&').any(|parameter| parameter.starts_with("fields="));
    let schema = if has_fields { SCHEMA_WITH_FIELDS } else { "schema" };
    CONTRACT.check(&operation, method == "HEAD", schema, answer).err()
}

/// How an event's data, name and id differ from the document.
pub fn objection_to_event(event: &Value) -> Option<String> {
    let schema = CONTRACT.document.pointer("/components/schemas/MovieEvent").unwrap();
    CONTRACT.validate(schema, event).err()
}

impl Contract {
    fn read() -> Self {
        let mut document = serde_json::to_value(movie_bag::server::openapi::document()).unwrap();
        document["components"]["schemas"].as_object_mut().unwrap().values_mut().for_each(close);
        Self { document, validators: Mutex::default() }
    }

    /// The place of the operation in the document, as a JSON pointer.
    fn operation(&self, method: &str, path: &str) -> Option<String> {
        let paths = self.document["paths"].as_object().unwrap();
        // A path without parameters takes precedence over a path with parameters.
        let template =
            if paths.contains_key(path) { path } else { paths.keys().find(|key| fits(key, path))? };
        let method = method.to_ascii_lowercase();
        self.document["paths"][template].get(&method)?;
        Some(format!("/paths/{}/{method}", template.replace('/', "~1")))
    }

    /// `schema` is the name of the schema, for an answer that has more than one.
    fn check(&self, operation: &str, is_head: bool, schema: &str, answer: &Answer) -> Result<(), String> {
        let place = format!("{operation}/responses/{}", answer.status);
        let documented = self.document.pointer(&place).ok_or("this status is not documented")?;
        let documented = self.resolved(documented);
        for (name, header) in documented["headers"].as_object().into_iter().flatten() {
            let header = self.resolved(header);
            match (answer.header)(name) {
                Some(value) => self.validate(&header["schema"], &typed(&header["schema"], value))?,
                None if header["required"] == true => return Err(format!("the header {name} is missing")),
                None => {}
            }
        }
        let content = documented["content"].as_object().and_then(|content| content.iter().next());
        match content {
            _ if is_head => Ok(()),
            None if answer.body.is_empty() => Ok(()),
            None => Err("a body is not documented".to_owned()),
            Some((media_type, content)) => {
                let sent = (answer.header)("Content-Type");
                if sent.as_ref() != Some(media_type) {
                    return Err(format!("{media_type} is documented, not {sent:?}"));
                }
                let body: Value = serde_json::from_slice(answer.body).map_err(|error| error.to_string())?;
                // All problems share one schema. The examples say which problems the route has.
                let code = body["code"].as_str().unwrap_or_default();
                if media_type == PROBLEM && content["examples"].get(code).is_none() {
                    return Err(format!("the code '{code}' is not documented"));
                }
                let schema = if content.get(schema).is_some() { schema } else { "schema" };
                self.validate(&content[schema], &body)
            }
        }
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.map_or(value, |pointer| self.document.pointer(pointer).unwrap())
    }

    fn validate(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let compile = || {
            let mut schema = schema.clone();
            // The targets of its references.
            schema["components"] = json!({ "schemas": self.document["components"]["schemas"] });
            Arc::new(jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap())
        };
        let validator =
            Arc::clone(self.validators.lock().unwrap().entry(schema.to_string()).or_insert_with(compile));
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{} ({})", error, error.instance_path()))
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(path)
            .all(|(expected, found)| *expected == found || (expected.starts_with('{') && !found.is_empty()))
}

/// Headers are text, but the document may say that the text is a number.
fn typed(schema: &Value, text: String) -> Value {
    if schema["type"] == "integer" {
        text.parse::<u64>().map_or(text.into(), Value::from)
    } else {
        text.into()
    }
}

/// Clients must accept new fields, but here an undocumented field is a mistake.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
