//! The OpenAPI document, Swagger UI and the pages of the problems.

use std::collections::{BTreeMap, BTreeSet};

use movie_bag::{http::problem::Code, server::openapi};
use serde_json::{Value, json};

use crate::{
    matrix::{Access, ROUTES, mounted},
    support::{
        TestApp,
        contract::{Answer, objection},
    },
};

fn document() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

/// The operations of the document, by method and path as mounted.
fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let paths = document["paths"].as_object().unwrap();
    let each = |path: &str, method: &str| (method.to_uppercase(), path.replace('{', "<").replace('}', ">"));
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| (each(path, method), operation))
        })
        .collect()
}

/// Whether the path is a page for people. The document is only about what programs call.
fn is_page(path: &str) -> bool {
    path == "/"
        || ["/assets", "/problems", "/api/docs", "/metrics"].iter().any(|start| path.starts_with(start))
}

#[test]
fn the_pinned_document_matches_the_code() {
    let pinned = include_str!("../../docs/openapi.json");
    assert!(
        openapi::pretty().unwrap() == pinned,
        "docs/openapi.json is stale: cargo run -- openapi > docs/openapi.json"
    );
}

#[tokio::test]
async fn the_document_lists_the_mounted_routes_and_no_others() {
    let document = document();
    let documented: BTreeSet<_> = operations(&document).into_keys().collect();
    let mounted: BTreeSet<_> = mounted().await.into_iter().filter(|(_, path)| !is_page(path)).collect();
    assert_eq!(documented, mounted);
}

#[test]
fn the_document_requires_a_token_exactly_where_the_server_does() {
    let document = document();
    for ((method, path), operation) in operations(&document) {
        let row = ROUTES.iter().find(|(m, p, ..)| *m == method && *p == path).unwrap();
        let mut schemes = vec![json!({ "token": [] })];
        schemes.extend(row.4.map(|scope| json!({ "personal_token": [scope] })));
        let expected = if row.2 == Access::Anyone { Vec::new() } else { schemes };
        assert_eq!(operation["security"], Value::from(expected), "{method} {path}");
        assert!(operation["responses"].get(row.3.to_string()).is_some(), "{method} {path}");
    }
}

#[test]
fn every_operation_has_its_own_id_and_says_what_it_does() {
    let document = document();
    let mut ids = BTreeSet::new();
    for ((method, path), operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
        for text in ["summary", "description"] {
            assert!(operation[text].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {text}");
        }
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{method} {path}");
        let parameters: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let names =
            ["id", "user_id", "n", "provider"].into_iter().filter(|name| path.contains(&format!("<{name}>")));
        assert_eq!(parameters, names.collect::<Vec<_>>(), "{method} {path}");
    }
}

#[test]
fn problems_are_shared_components_of_one_schema_with_every_code() {
    let document = document();
    let mut used = BTreeSet::new();
    for ((method, path), operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            if status.starts_with(['2', '3']) {
                continue;
            }
            let reference = answer["$ref"].as_str().unwrap_or_else(|| panic!("{method} {path} {status}"));
            let shared = document.pointer(reference.trim_start_matches('#')).unwrap();
            let content = &shared["content"]["application/problem+json"];
            assert_eq!(content["schema"], json!({ "$ref": "#/components/schemas/Problem" }), "{reference}");
            for example in content["examples"].as_object().unwrap().values() {
                let example = document.pointer(example["$ref"].as_str().unwrap().trim_start_matches('#'));
                assert_eq!(example.unwrap()["value"]["status"].to_string(), *status, "{reference}");
            }
            used.insert(reference.rsplit('/').next().unwrap());
        }
    }
    let shared = document["components"]["responses"].as_object().unwrap();
    assert_eq!(used, shared.keys().map(String::as_str).collect());
    let schemas = &document["components"]["schemas"];
    let code = json!({ "$ref": "#/components/schemas/ProblemCode" });
    assert_eq!(schemas["Problem"]["properties"]["code"], code);
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.kind().code).collect();
    assert_eq!(schemas["ProblemCode"]["enum"], json!(codes));
}

/// A linter looks for these too, but not in extensions.
#[test]
fn every_component_is_referred_to() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    let mut there = BTreeSet::new();
    for (kind, components) in document["components"].as_object().unwrap() {
        // These are named, not referred to.
        if kind != "securitySchemes" {
            let names = components.as_object().unwrap().keys();
            there.extend(names.map(|name| format!("#/components/{kind}/{name}")));
        }
    }
    assert_eq!(found, there.iter().map(String::as_str).collect());
}

/// What strictly typed clients need: where a field is always sent, it is required.
#[test]
fn a_movie_is_whole_unless_fields_is_sent() {
    let document = document();
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    let always = json!([
        "id",
        "name",
        "casts",
        "genres",
        "directors",
        "countries",
        "languages",
        "added_by",
        "created_at",
        "updated_at",
        "version"
    ]);
    assert_eq!(schema("Movie")["required"], always);
    assert_eq!(schema("MovieSelection")["required"], json!(["id"]));
    assert_eq!(schema("Movie")["properties"], schema("MovieSelection")["properties"]);
    let mut count = 0;
    for ((method, path), operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        if !parameters.into_iter().any(|parameter| parameter["name"] == "fields") {
            continue;
        }
        let content = &operation["responses"]["200"]["content"]["application/json"];
        let names = if path.ends_with("<id>") {
            ["Movie", "MovieSelection"]
        } else {
            ["MoviePage", "MovieSelectionPage"]
        };
        let [whole, part] = names.map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
        assert_eq!(
            (&content["schema"], &content["x-schema-with-fields"]),
            (&whole, &part),
            "{method} {path}"
        );
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn a_number_that_may_outgrow_32_bits_says_so() {
    let document = document();
    for pointer in [
        "Movie/properties/version",
        "Change/properties/version",
        "Version/properties/version",
        "MoviePage/properties/total",
        "User/properties/movie_count",
        "Counts/properties/users",
        "Counts/properties/movies",
        "Token/properties/expires_in",
        "Facets/properties/genres/items/properties/count",
    ] {
        let schema = document.pointer(&format!("/components/schemas/{pointer}")).unwrap();
        assert_eq!(schema["format"], "int64", "{pointer}");
    }
}

/// Checks, by JSON pointer, that the rules of the model appear in the schemas of the requests.
#[test]
fn the_rules_of_the_fields_are_in_the_document() {
    let document = document();
    let rule = |pointer: &str| {
        document
            .pointer(&format!("/components/schemas/{pointer}"))
            .unwrap_or_else(|| panic!("{pointer}"))
            .clone()
    };
    for (pointer, expected) in [
        ("MovieInput/required", serde_json::json!(["name", "casts", "genres"])),
        ("MovieInput/additionalProperties", false.into()),
        ("MovieInput/properties/name/minLength", 1.into()),
        ("MovieInput/properties/name/maxLength", 300.into()),
        ("MovieInput/properties/casts/maxItems", 500.into()),
        ("MovieInput/properties/casts/items/maxLength", 200.into()),
        ("MovieInput/properties/genres/minItems", 1.into()),
        ("MovieInput/properties/genres/maxItems", 50.into()),
        ("MovieInput/properties/genres/items/maxLength", 100.into()),
        ("MovieInput/properties/year/minimum", 1870.into()),
        ("MovieInput/properties/year/maximum", 2100.into()),
        ("MovieInput/properties/runtime/maximum", 60_000.into()),
        ("MovieInput/properties/directors/maxItems", 50.into()),
        ("MovieInput/properties/plot/maxLength", 10_000.into()),
        ("MovieInput/properties/poster_url/maxLength", 2_048.into()),
        ("Signup/properties/email/maxLength", 254.into()),
        ("Signup/properties/password/minLength", 8.into()),
        ("Signup/properties/password/maxLength", 72.into()),
    ] {
        assert_eq!(rule(pointer), expected, "{pointer}");
    }
    assert!(document.pointer("/components/schemas/MoviePatch/required").is_none());
}

#[test]
fn a_filter_has_the_same_length_as_its_field_in_the_document() {
    let document = document();
    for path in ["/api/movies", "/api/users/me/movies", "/api/movies/facets"] {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        for (name, field) in [
            ("genre", "genres"),
            ("cast", "casts"),
            ("director", "directors"),
            ("country", "countries"),
            ("language", "languages"),
        ] {
            let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
            let field = &document["components"]["schemas"]["MovieInput"]["properties"][field];
            assert_eq!(
                parameter["schema"]["items"]["maxLength"], field["items"]["maxLength"],
                "{path} {name}"
            );
        }
    }
}

/// The regular expressions of Python, Rust and JavaScript must be able to parse them; JavaScript's also without its
/// flag `u`.
#[test]
fn the_pattern_of_a_parameter_names_no_character_beyond_the_first_plane() {
    let document = document();
    for operation in operations(&document).values() {
        let text = operation["parameters"].to_string();
        assert!(text.chars().all(|c| c <= '\u{ffff}'), "{text}");
    }
    // A pattern for a body writes such a character literally: the document is also read as YAML, which has no
    // surrogates.
    assert!(!openapi::pretty().unwrap().contains(r"\ud"), "a surrogate");
}

#[tokio::test]
async fn the_document_is_served() {
    let app = TestApp::start().await;
    let reply = app.anyone().get("/api/openapi.json").await.assert_status(200);
    assert_eq!(reply.json(), document());
    app.anyone().get("/api/openapi.json?x=1").await.assert_problem(400, "invalid-query");
}

#[test]
fn an_undocumented_answer_is_reported() {
    let check = |method, path: &str, status, content_type: &str, body: &str| {
        let header = |name: &str| match name {
            "X-Request-Id" => Some("x".to_owned()),
            "Content-Type" => Some(content_type.to_owned()),
            "Cache-Control" => Some("public".to_owned()),
            "ETag" if path.split('?').next() == Some("/api/movies") => Some("W/\"x\"".to_owned()),
            _ => None,
        };
        objection(method, path, &Answer { status, header: &header, body: body.as_bytes() })
    };
    let (json, problem) = ("application/json", "application/problem+json");
    let page = r#"{"items":[],"next":null}"#;
    assert_eq!(check("GET", "/api/movies", 200, json, page), None);
    assert_eq!(check("PUT", "/api/movies", 405, problem, ""), None, "is not documented at all");
    let chosen = r#"{"items":[{"id":"6561f0c2a3b4d5e6f7081920","name":"Heat"}],"next":null}"#;
    assert_eq!(check("GET", "/api/movies?limit=1&fields=name", 200, json, chosen), None);
    let user_problem = r#"{"type":"/problems/user-not-found","title":"","status":404,"code":"user-not-found",
        "detail":"","instance":"","request_id":""}"#;
    for (method, path, status, content_type, body) in [
        ("GET", "/api/movies", 418, json, page),
        ("GET", "/api/movies", 200, "text/plain", page),
        ("GET", "/api/movies", 200, json, r#"{"items":[]}"#),
        ("GET", "/api/movies", 200, json, r#"{"items":[],"next":null,"more":1}"#),
        ("GET", "/api/movies", 200, json, r#"{"items":[{"name":"Heat"}],"next":null}"#),
        // A part of a movie that was asked for as a whole.
        ("GET", "/api/movies", 200, json, chosen),
        ("GET", "/api/movies?limit=1", 200, json, chosen),
        ("GET", "/api/movies?fields=name", 200, json, r#"{"items":[{"name":"Heat"}],"next":null}"#),
        (
            "GET",
            "/api/movies?fields=name",
            200,
            json,
            r#"{"items":[{"id":"6561f0c2a3b4d5e6f7081920","x":1}],"next":null}"#,
        ),
        // An answer without an ETag.
        ("GET", "/api/movies/6561f0c2a3b4d5e6f7081920", 304, "", ""),
        ("GET", "/api/movies/6561f0c2a3b4d5e6f7081920", 404, problem, user_problem),
        ("POST", "/api/auth/logout", 204, json, "{}"),
    ] {
        assert!(check(method, path, status, content_type, body).is_some(), "{method} {path} {status} {body}");
    }
}

#[tokio::test]
async fn swagger_ui_is_served_from_the_binary_alone() {
    let app = TestApp::start().await;
    let page = app.anyone().get("/api/docs").await.assert_status(200);
    assert_eq!(page.header("Content-Type").as_deref(), Some("text/html; charset=utf-8"));
    let policy = page.header("Content-Security-Policy").unwrap();
    for part in ["default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = page.text();
    assert!(!text.contains("://"), "{text}");
    let addresses: Vec<&str> = text.split(['"']).filter(|part| part.starts_with("/api/docs/")).collect();
    assert_eq!(addresses.len(), 6, "{addresses:?}");
    for address in addresses {
        let file = app.anyone().get(address).await.assert_status(200);
        let expected = match address.rsplit('.').next().unwrap() {
            "js" => "text/javascript",
            "css" => "text/css",
            _ => "image/png",
        };
        assert_eq!(file.header("Content-Type").as_deref(), Some(expected), "{address}");
    }
    let setup = app.anyone().get("/api/docs/swagger-initializer.js").await.text();
    assert!(
        setup.contains(r#""url": "/api/openapi.json""#) && setup.contains(r#""validatorUrl": "none""#),
        "{setup}"
    );
    // Errors there are our problems too.
    for path in ["/api/docs/index.html", "/api/docs/nope", "/api/docs/a/b", "/api/docs/..%2fx"] {
        app.anyone().get(path).await.assert_problem(404, "not-found");
    }
    app.anyone().send("POST", "/api/docs").await.assert_problem(405, "method-not-allowed");
}

/// The codes of the contract.
const CODES: [&str; 48] = [
    "bad-request",
    "invalid-json",
    "invalid-query",
    "missing-token",
    "invalid-token",
    "expired-token",
    "revoked-token",
    "invalid-refresh-token",
    "bad-credentials",
    "admins-only",
    "insufficient-scope",
    "not-owner",
    "signup-closed",
    "email-not-verified",
    "wrong-password",
    "not-found",
    "movie-not-found",
    "user-not-found",
    "version-not-found",
    "session-not-found",
    "token-not-found",
    "provider-not-found",
    "method-not-allowed",
    "email-taken",
    "duplicate-movie",
    "last-admin",
    "changes-gone",
    "too-many-tokens",
    "too-many-editors",
    "request-in-progress",
    "no-other-sign-in",
    "request-timeout",
    "precondition-failed",
    "payload-too-large",
    "unsupported-media-type",
    "validation-failed",
    "invalid-reset-token",
    "invalid-verify-token",
    "invalid-invitation",
    "idempotency-key-reused",
    "invalid-exchange-code",
    "too-many-requests",
    "internal-error",
    "no-events",
    "database-unavailable",
    "deadline-exceeded",
    "overloaded",
    "search-building",
];

#[tokio::test]
async fn every_problem_has_a_page() {
    let app = TestApp::start().await;
    let table: BTreeSet<&str> = Code::ALL.iter().map(|code| code.kind().code).collect();
    assert_eq!(table, BTreeSet::from(CODES));
    let list = app.anyone().get("/problems").await.assert_status(200).text();
    for code in Code::ALL {
        let kind = code.kind();
        let path = format!("/problems/{}", kind.code);
        assert!(list.contains(&format!("href=\"{path}\"")), "{path}");
        let page = app.anyone().get(&path).await.assert_status(200);
        assert_eq!(page.header("Content-Type").as_deref(), Some("text/html; charset=utf-8"));
        let policy = page.header("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("script-src"), "{policy}");
        let text = page.text();
        assert!(text.contains(kind.title) && text.contains(&kind.status.code.to_string()), "{text}");
        assert!(!text.contains("<script") && !text.contains("style=") && !text.contains("://"), "{text}");
    }
    let problem = app.anyone().get("/problems/nope").await.assert_problem(404, "not-found").json();
    // The address in an answer leads to a page.
    app.anyone().get(problem["type"].as_str().unwrap()).await.assert_status(200);
    app.anyone().send("POST", "/problems/not-owner").await.assert_problem(405, "method-not-allowed");
}
