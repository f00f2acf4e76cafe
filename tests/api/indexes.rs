//! The indexes: they match the table, and the plain lists use them.

use std::collections::BTreeMap;

use bson::Document;
use futures::TryStreamExt;
use serde_json::json;

use crate::support::{Caller, TestApp};

#[tokio::test]
async fn the_database_has_exactly_the_indexes_of_the_table() {
    let app = TestApp::start().await;
    let mut found = BTreeMap::new();
    for collection in [
        "users",
        "movies",
        "changes",
        "sessions",
        "personal_tokens",
        "revoked_tokens",
        "exchange_codes",
        "throttle",
        "idempotency_keys",
    ] {
        let indexes = app.database.collection::<Document>(collection).list_indexes().await.unwrap();
        for index in indexes.try_collect::<Vec<_>>().await.unwrap() {
            let options = index.options.unwrap();
            let only =
                options.partial_filter_expression.map(|only| format!(" only {only}")).unwrap_or_default();
            let collation = options
                .collation
                .map(|collation| format!(" in the order of {}", collation.locale))
                .unwrap_or_default();
            let weights = options.weights.map(|weights| format!(" {weights}")).unwrap_or_default();
            let unique = if options.unique == Some(true) { " unique" } else { "" };
            let forgets = options.expire_after.map(|after| format!(" forgets after {after:?}"));
            let forgets = forgets.unwrap_or_default();
            let name = format!("{collection}.{}", options.name.unwrap());
            found.insert(name, format!("{}{unique}{only}{collation}{weights}{forgets}", index.keys));
        }
    }
    insta::assert_debug_snapshot!(found, @r#"
    {
        "changes._id_": "{ \"_id\": 1 }",
        "changes.trash": "{ \"owner\": 1, \"_id\": -1 } only { \"document\": { \"$exists\": true } }",
        "changes.versions": "{ \"movie\": 1, \"version\": -1 }",
        "exchange_codes._id_": "{ \"_id\": 1 }",
        "exchange_codes.expires_at": "{ \"expires_at\": 1 } forgets after 0ns",
        "idempotency_keys._id_": "{ \"_id\": 1 }",
        "idempotency_keys.expires_at": "{ \"expires_at\": 1 } forgets after 0ns",
        "idempotency_keys.user": "{ \"user\": 1, \"expires_at\": 1 }",
        "movies._id_": "{ \"_id\": 1 }",
        "movies.by_name": "{ \"name\": 1, \"_id\": 1 } in the order of en",
        "movies.by_year": "{ \"year\": 1, \"_id\": 1 }",
        "movies.casts": "{ \"casts\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.countries": "{ \"countries\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.directors": "{ \"directors\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.editor_newest_first": "{ \"editors\": 1, \"created_at\": -1, \"_id\": -1 } only { \"editors\": { \"$gte\": ObjectId(\"000000000000000000000000\") } }",
        "movies.genres": "{ \"genres\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.invitation_digest": "{ \"invitations.digest\": 1 } only { \"invitations.digest\": { \"$exists\": true } }",
        "movies.languages": "{ \"languages\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.name_year_unique": "{ \"name\": 1, \"year\": 1 } unique",
        "movies.newest_first": "{ \"created_at\": -1, \"_id\": -1 }",
        "movies.owner_newest_first": "{ \"added_by\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.year": "{ \"year\": 1, \"created_at\": -1, \"_id\": -1 }",
        "personal_tokens._id_": "{ \"_id\": 1 }",
        "personal_tokens.forgotten_at": "{ \"forgotten_at\": 1 } forgets after 0ns",
        "personal_tokens.user": "{ \"user\": 1 }",
        "revoked_tokens._id_": "{ \"_id\": 1 }",
        "revoked_tokens.forgotten_at": "{ \"forgotten_at\": 1 } forgets after 0ns",
        "sessions._id_": "{ \"_id\": 1 }",
        "sessions.forgotten_at": "{ \"forgotten_at\": 1 } forgets after 0ns",
        "sessions.user": "{ \"user\": 1 }",
        "throttle._id_": "{ \"_id\": 1 }",
        "throttle.expires_at": "{ \"expires_at\": 1 } forgets after 0ns",
        "users._id_": "{ \"_id\": 1 }",
        "users.email_unique": "{ \"email\": 1 } unique only { \"email\": { \"$exists\": true } }",
        "users.identity_unique": "{ \"identities.issuer\": 1, \"identities.subject\": 1 } unique only { \"identities.subject\": { \"$exists\": true } }",
        "users.marked": "{ \"deleted_at\": 1 } only { \"deleted_at\": { \"$exists\": true } }",
        "users.newest_first": "{ \"created_at\": -1, \"_id\": -1 } only { \"email\": { \"$exists\": true } }",
        "users.reset_digest": "{ \"resets.digest\": 1 } only { \"resets.digest\": { \"$exists\": true } }",
        "users.verification_digest": "{ \"verification.digest\": 1 } only { \"verification.digest\": { \"$exists\": true } }",
    }
    "#);
}

/// Reads a list page by page, so that the queries after a cursor are included.
async fn walk(caller: &Caller, path: &str) {
    let mut after = String::new();
    loop {
        let page = caller.get(&format!("{path}{after}")).await.assert_status(200).json();
        let Some(next) = page["next"].as_str() else { return };
        after = format!("&after={next}");
    }
}

#[tokio::test]
async fn the_plain_lists_neither_scan_nor_sort() {
    let app = TestApp::start().await;
    let ann = app.admin("ann").await;
    for (name, year) in [("Heat", Some(1995)), ("Alien", Some(1979)), ("Brazil", None), ("heat", Some(1995))]
    {
        let mut movie = json!({ "name": name, "casts": ["x"], "genres": ["x"] });
        for list in ["directors", "countries", "languages"] {
            movie[list] = json!(["x"]);
        }
        if let Some(year) = year {
            movie["year"] = json!(year);
        }
        ann.post("/api/movies", &movie).await.assert_status(201);
    }
    let id = ann.id().await;
    let sorts =
        ["created_at", "-created_at", "name", "-name", "year", "-year"].map(|sort| format!("sort={sort}"));
    let filters = [
        "cast=x",
        "country=x",
        "director=x",
        "genre=x",
        "language=x",
        "year=1995",
        &format!("added_by={id}"),
    ]
    .map(str::to_owned);
    // No movie has these values, so no page fills early.
    let empty = ["cast=y", "year=1", "added_by=000000000000000000000000"].map(str::to_owned);
    let ranges = ["year_min=1990", "year_max=1990", "year_min=1979&year_max=1995"]
        .map(|range| format!("sort=year&{range}"));
    let movies = sorts
        .into_iter()
        .chain(filters)
        .chain(empty)
        .chain(ranges)
        .map(|query| ("movies", format!("/api/movies?{query}")));
    let others = [
        ("users", "/api/admin/users?".to_owned()),
        ("movies", "/api/users/me/movies?".to_owned()),
        ("movies", "/api/users/me/movies?role=editor".to_owned()),
    ];
    for (collection, path) in movies.chain(others) {
        let one_by_one = format!("{path}&limit=1");
        let commands = app.profiled(collection, walk(&ann, &one_by_one)).await;
        let lists: Vec<&Document> = commands
            .iter()
            .filter(|command| command.get_document("command").unwrap().contains_key("sort"))
            .collect();
        assert!(!lists.is_empty(), "{path}");
        for command in lists {
            let plan = command.get_str("planSummary").unwrap();
            assert!(plan.starts_with("IXSCAN") && !plan.contains("COLLSCAN"), "{path}: {command}");
            assert!(!command.get_bool("hasSortStage").unwrap_or(false), "{path}: {command}");
        }
    }
}

#[tokio::test]
async fn a_missing_index_is_built_at_the_next_start() {
    let app = TestApp::start().await;
    app.user("ann").await.add("Heat").await;
    let movies = app.database.collection::<Document>("movies");
    movies.drop_index("by_name").await.unwrap();
    movie_bag::mongo::index_builds::ensure(&app.database).await.unwrap();
    assert!(movies.list_index_names().await.unwrap().contains(&"by_name".to_owned()));
}
