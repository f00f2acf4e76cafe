//! What an attacker would try: nonsense on every route, and ways to gain rights.

use std::time::Duration;

use proptest::{
    prelude::*,
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{
    matrix::ROUTES,
    support::{Caller, PASSWORD, Reply, TestApp, eventually},
};

/// How many nonsense requests each route gets.
const ROUNDS: usize = 30;
const NAMES: &[&str] = &[
    "q",
    "genre",
    "cast",
    "year",
    "year_min",
    "added_by",
    "sort",
    "fields",
    "limit",
    "after",
    "count",
    "prefix",
    "email",
    "password",
    "name",
    "casts",
    "genres",
    "runtime",
    "plot",
    "poster_url",
    "current_password",
    "role",
    "reset_token",
    "id",
    "$where",
    "__proto__",
    "",
    "a.b",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        Just("x".repeat(5_000)),
        Just("\u{0}".to_owned()),
        Just("{\"$gt\":\"\"}".to_owned()),
        Just("\u{202e}\u{fdfa}\u{1f3f3}\u{fe0f}".to_owned()),
        Just("-1".to_owned()),
        Just("999999999999999999999".to_owned()),
        Just("ffffffffffffffffffffffff".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..8).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => value().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes()),
        1 => Just(Vec::new()),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = (prop::sample::select(NAMES), text())
        .prop_map(move |(name, value)| format!("{}={}", encoded(name), encoded(&value)));
    let broken = prop::sample::select(vec!["%", "%zz", "=", "&&&", "a=%ff", "limit", "sort=%00"]);
    prop::collection::vec(prop_oneof![5 => pair, 1 => broken.prop_map(str::to_owned)], 0..5)
        .prop_map(|pairs| pairs.join("&"))
}

fn content_type() -> impl Strategy<Value = Option<&'static str>> {
    let json = "application/json";
    prop::sample::select(vec![
        Some(json),
        Some(json),
        Some(json),
        Some("application/merge-patch+json"),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data"),
        Some("x"),
        None,
    ])
}

/// Whatever was sent, every error is one of our problems.
fn assert_answered(what: &str, reply: &Reply) {
    assert!(reply.status < 500, "{what}: {} {}", reply.status, reply.text());
    let is_problem = reply.header("Content-Type").as_deref() == Some("application/problem+json");
    // hyper itself refuses an address that is too long, before Rocket sees it, with an empty body.
    let is_hyper = reply.status == 414 && reply.body.is_empty();
    assert!(reply.status < 400 || is_problem || is_hyper, "{what}: {} {}", reply.status, reply.text());
}

#[tokio::test]
async fn nonsense_is_never_a_500_on_any_route() {
    let app = TestApp::set(|settings| settings.throttle.enabled = false).await;
    let config = Config { rng_seed: RngSeed::Fixed(4), ..Config::default() };
    let mut runner = TestRunner::new(config);
    let mut generate = || {
        let tree = (text(), query(), body(), content_type(), text()).new_tree(&mut runner).unwrap();
        tree.current()
    };
    // A stream of events has no end; its own tests cover its parameters.
    let routes = ROUTES.iter().filter(|(_, path, ..)| *path != "/api/movies/events");
    for (number, (method, path, ..)) in routes.enumerate() {
        let user = app.admin(&format!("user-{number}")).await;
        let movie = user.add(&format!("Movie {number}")).await;
        let real = movie.rsplit('/').next().unwrap().to_owned();
        for round in 0..ROUNDS {
            let (id, query, body, content_type, header) = generate();
            let id: String = match round % 3 {
                0 => real.clone(),
                _ => url::form_urlencoded::byte_serialize(id.as_bytes()).take(300).collect(),
            };
            let address = format!("{}?{query}", path.replace("<id>", &id));
            let mut request = user.request(method, &address).body(body).timeout(Duration::from_secs(20));
            if let Some(content_type) = content_type {
                request = request.header("Content-Type", content_type);
            }
            let header: String = header.chars().filter(|c| (' '..='~').contains(c)).collect();
            for name in ["If-Match", "If-None-Match", "X-Request-Id", "Origin"] {
                request = request.header(name, &header);
            }
            assert_answered(&format!("{method} {address}"), &Reply::of(request).await);
        }
    }
    app.anyone().get("/health/ready").await.assert_status(200);
}

/// The longest address that Rocket accepts, in bytes.
const LONGEST_ADDRESS: usize = 65_534;

/// A parameter with any content of any length is either accepted, or refused with one of our problems.
#[tokio::test]
async fn no_parameter_is_a_500_up_to_the_longest_address() {
    let app = TestApp::start().await;
    let admin = app.admin("ann").await;
    admin.add("Heat").await;
    // The test client counts the server's name too.
    let longest = LONGEST_ADDRESS - app.base.len();
    let document = serde_json::to_value(movie_bag::server::openapi::document()).unwrap();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let path = path.replace("{id}", "6561f0c2a3b4d5e6f7081920");
            // In this order, a regular expression compares names, and each of these characters takes more space in
            // it.
            let sort = if path.ends_with("/movies") && name != "sort" { "sort=name&" } else { "" };
            for piece in ["x", "%5CE", "%EF%B7%BA", "%CC%81", "7", "-"] {
                let start = format!("{path}?{sort}{name}=");
                let room = longest - start.len();
                let address = format!("{start}{}", piece.repeat(room / piece.len()));
                assert!(longest - address.len() < piece.len());
                let reply = admin.get(&address).await;
                // The beginning of a name or an email may have any length.
                if reply.status != 200 {
                    reply.assert_problem(400, "invalid-query");
                }
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count} parameters");
    let start = "/api/movies?sort=name&genre=";
    for (length, status) in [(LONGEST_ADDRESS, "400 Bad Request"), (LONGEST_ADDRESS + 1, "414 URI Too Long")]
    {
        let line = raw_status(&app, &format!("{start}{}", "x".repeat(length - start.len()))).await;
        assert_eq!(line, format!("HTTP/1.1 {status}"));
    }
}

/// The first line of the answer to a GET that our client would not send.
async fn raw_status(app: &TestApp, address: &str) -> String {
    let host = app.base.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(host).await.unwrap();
    let request = format!("GET {address} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

/// As many values of the maximum length as fit in an address.
#[tokio::test]
async fn an_address_full_of_the_longest_filters_is_answered() {
    let app = TestApp::start().await;
    app.user("ann").await.add("Heat").await;
    let mut address = "/api/movies?sort=name".to_owned();
    for number in 0..50 {
        for (parameter, length) in
            [("genre", 100), ("cast", 200), ("director", 200), ("country", 200), ("language", 200)]
        {
            // Each `\E` would end a quotation in a regular expression, so it must be escaped differently.
            let value = format!("{number:03}{}", "%5CE".repeat((length - 3) / 2));
            let pair = format!("&{parameter}={value}");
            if app.base.len() + address.len() + pair.len() <= LONGEST_ADDRESS {
                address.push_str(&pair);
            }
        }
    }
    let longest = LONGEST_ADDRESS - app.base.len();
    assert!((longest - 500..=longest).contains(&address.len()));
    let page = app.anyone().get(&address).await.assert_status(200).json();
    assert_eq!(page["items"], json!([]));
}

#[tokio::test]
async fn a_token_or_cursor_with_one_changed_character_is_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for number in 0..3 {
        ann.add(&format!("Movie {number}")).await;
    }
    let page = ann.get("/api/movies?limit=1").await.json();
    let cursor = page["next"].as_str().unwrap().to_owned();
    let token = ann.token.clone().unwrap();
    let changed = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        // Do not use a neighbour in the alphabet: it differs only in the last bit, which the last character may not
        // use.
        bytes[at] = if bytes[at] == b'Q' { b'q' } else { b'Q' };
        String::from_utf8(bytes).unwrap()
    };
    for at in 0..cursor.len() {
        let address = format!("/api/movies?limit=1&after={}", changed(&cursor, at));
        app.anyone().get(&address).await.assert_problem(400, "invalid-query");
    }
    for at in (0..token.len()).filter(|at| token.as_bytes()[*at] != b'.') {
        app.bearer(&changed(&token, at)).get("/api/users/me").await.assert_problem(401, "invalid-token");
    }
}

#[tokio::test]
async fn nobody_becomes_admin_or_owner_by_what_they_send() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let movie = ann.add("Heat").await;
    let (ann_id, bob_id) = (ann.id().await, bob.id().await);
    // Fields that the server sets are ignored in a movie, and unknown in an account.
    let taken =
        json!({ "name": "Theft", "casts": [], "genres": ["Crime"], "added_by": ann_id, "version": 99 });
    let theft = bob.post("/api/movies", &taken).await.assert_status(201).json();
    assert_eq!((&theft["added_by"], &theft["version"]), (&json!(bob_id), &json!(1)));
    let given = json!({ "name": "Gift", "casts": [], "genres": ["Crime"], "added_by": bob_id });
    let gift = ann.put(&movie, &given).await.assert_status(200).json();
    assert_eq!(gift["added_by"], json!(ann_id));
    for body in [
        json!({ "current_password": PASSWORD, "email": "bob2@example.com", "role": "admin" }),
        json!({ "current_password": PASSWORD, "email": "bob2@example.com", "gen": 1 }),
    ] {
        bob.patch("/api/users/me", &body).await.assert_problem(422, "validation-failed");
    }
    let own = format!("/api/admin/users/{bob_id}");
    bob.patch(&own, &json!({ "role": "admin" })).await.assert_problem(403, "admins-only");
    // Other places do not help either: only the real method counts, and only the header carries a token.
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", movie.as_str()),
        ("X-Forwarded-User", ann_id.as_str()),
    ] {
        let request = bob.request("POST", &movie).header(name, value).json(&json!({}));
        Reply::of(request).await.assert_problem(405, "method-not-allowed");
    }
    assert_eq!(app.anyone().get(&movie).await.json(), gift);
    assert_eq!(bob.get("/api/users/me").await.json()["role"], "user");
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_names_no_server() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (caller, path, status) in [
        (&ann, "/api/users/me", 200),
        (&ann, "/api/movies", 200),
        (&ann, "/api/nothing", 404),
        (&app.anyone(), "/api/users/me", 401),
        (&app.anyone(), "/health/ready", 200),
    ] {
        let reply: Reply = Caller::get(caller, path).await.assert_status(status);
        assert_eq!(reply.header("X-Content-Type-Options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(reply.header("Referrer-Policy").as_deref(), Some("no-referrer"), "{path}");
        assert_eq!(reply.header("X-Frame-Options").as_deref(), Some("SAMEORIGIN"), "{path}");
        assert_eq!(reply.header("Permissions-Policy").as_deref(), Some("interest-cohort=()"), "{path}");
        assert_eq!(reply.header("Server"), None, "{path}");
    }
}

/// With some of its features, `serde_json` interprets a text under one of these keys as raw content.
#[tokio::test]
async fn no_key_of_a_body_has_a_special_meaning_to_the_parser() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for key in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        let movie = json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
        let whole = ann.post("/api/movies", &json!({ key: movie.to_string() })).await;
        let said = whole.assert_problem(422, "validation-failed").text();
        assert!(said.contains(key), "{said}");
        let mut field = movie;
        field["year"] = json!({ key: "1995" });
        ann.post("/api/movies", &field).await.assert_problem(422, "validation-failed");
        let login = json!({ key: "{}" });
        app.anyone().post("/api/auth/login", &login).await.assert_problem(422, "validation-failed");
    }
}

#[tokio::test]
async fn personal_answers_are_not_stored_however_the_path_is_written() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (caller, path, status) in [
        (&ann, "/api/users/me", 200),
        (&ann, "//api//users/me/", 200),
        (&ann, "/api/users/%6De", 200),
        (&ann, "/api/admin", 403),
        (&app.anyone(), "/api/users/me", 401),
        (&app.anyone(), "/api/auth/login", 405),
    ] {
        let reply = Caller::get(caller, path).await.assert_status(status);
        assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"), "{path}");
    }
    // A path that only looks personal does not change the caching of public answers.
    let public = app.anyone().get("//api/movies/").await.assert_status(200).header("Cache-Control");
    assert_eq!(public.as_deref(), Some("public, max-age=0, must-revalidate"));
}

#[tokio::test]
async fn a_token_of_one_kind_is_not_accepted_as_another() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    ann.add("Ronin").await;
    let cursor = ann.get("/api/movies?limit=1").await.json()["next"].as_str().unwrap().to_owned();
    let token = ann.token.clone().unwrap();
    let reset_token = "x".repeat(43);
    for wrong in [&cursor, &reset_token] {
        app.bearer(wrong).get("/api/users/me").await.assert_problem(401, "invalid-token");
    }
    app.anyone().get(&format!("/api/movies?after={token}")).await.assert_problem(400, "invalid-query");
    let body = json!({ "reset_token": token, "password": "emu yak gnu" });
    app.anyone().post("/api/auth/reset", &body).await.assert_problem(422, "invalid-reset-token");
}

#[tokio::test]
async fn a_search_by_relevance_ends_after_a_thousand() {
    let app = TestApp::start().await;
    let (owner, now) = (bson::oid::ObjectId::new(), bson::DateTime::now());
    let movies = (0..1_050).map(|number| {
        bson::doc! {
            "name": format!("Heat {number}"), "casts": [], "genres": ["Drama"], "directors": [], "countries": [],
            "languages": [], "added_by": owner, "created_at": now, "updated_at": now, "version": 1_i64,
        }
    });
    app.database.collection("movies").insert_many(movies).await.unwrap();
    eventually("the index has all of them", async || {
        let page = app.anyone().get("/api/movies?q=heat&count=true&limit=1").await.json();
        if page["total"] == 1_050 { Ok(()) } else { Err(page) }
    })
    .await;
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let page = app.anyone().get(&format!("/api/movies?q=heat&limit=100{after}")).await.json();
        count += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(count, 1_000);
}

#[tokio::test]
async fn a_filter_that_is_given_too_often_is_refused() {
    let app = TestApp::start().await;
    let times = |times: usize| format!("/api/movies?{}", vec!["genre=Drama"; times].join("&"));
    app.anyone().get(&times(50)).await.assert_status(200);
    app.anyone().get(&times(51)).await.assert_problem(400, "invalid-query");
}
