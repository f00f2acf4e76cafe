//! The indexes: those of the table, and that the plain lists use them.

use std::collections::BTreeMap;

use bson::{Document, doc};
use futures::TryStreamExt;

use crate::support::TestApp;

#[tokio::test]
async fn the_indexes_are_those_of_the_table() {
    let app = TestApp::start().await;
    let mut found = BTreeMap::new();
    for collection in ["users", "movies", "revoked_tokens", "throttle"] {
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
        "movies._id_": "{ \"_id\": 1 }",
        "movies.by_name": "{ \"name\": 1, \"_id\": 1 } in the order of en",
        "movies.by_year": "{ \"year\": 1, \"_id\": 1 }",
        "movies.casts": "{ \"casts\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.countries": "{ \"countries\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.directors": "{ \"directors\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.genres": "{ \"genres\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.languages": "{ \"languages\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.name_year_unique": "{ \"name\": 1, \"year\": 1 } unique",
        "movies.newest_first": "{ \"created_at\": -1, \"_id\": -1 }",
        "movies.owner_newest_first": "{ \"added_by\": 1, \"created_at\": -1, \"_id\": -1 }",
        "movies.search": "{ \"_fts\": \"text\", \"_ftsx\": 1 } { \"casts\": 4, \"directors\": 4, \"name\": 10, \"plot\": 1 }",
        "movies.typeahead_phrases": "{ \"typeahead.phrases\": 1 }",
        "movies.typeahead_whole": "{ \"typeahead.whole\": 1 }",
        "movies.year": "{ \"year\": 1, \"created_at\": -1, \"_id\": -1 }",
        "revoked_tokens._id_": "{ \"_id\": 1 }",
        "revoked_tokens.forgotten_at": "{ \"forgotten_at\": 1 } forgets after 0ns",
        "throttle._id_": "{ \"_id\": 1 }",
        "throttle.expires_at": "{ \"expires_at\": 1 } forgets after 0ns",
        "users._id_": "{ \"_id\": 1 }",
        "users.email_unique": "{ \"email\": 1 } unique only { \"email\": { \"$exists\": true } }",
        "users.marked": "{ \"deleted_at\": 1 } only { \"deleted_at\": { \"$exists\": true } }",
        "users.newest_first": "{ \"created_at\": -1, \"_id\": -1 } only { \"email\": { \"$exists\": true } }",
        "users.reset_digest": "{ \"resets.digest\": 1 } only { \"resets.digest\": { \"$exists\": true } }",
    }
    "#);
}

#[tokio::test]
async fn the_plain_lists_neither_scan_nor_sort() {
    let app = TestApp::start().await;
    let id = bson::oid::ObjectId::new();
    let sort = doc! { "created_at": -1, "_id": -1 };
    for (collection, filter) in [
        ("movies", doc! {}),
        ("movies", doc! { "added_by": id }),
        ("movies", doc! { "casts": "x" }),
        ("movies", doc! { "countries": "x" }),
        ("movies", doc! { "directors": "x" }),
        ("movies", doc! { "genres": "x" }),
        ("movies", doc! { "languages": "x" }),
        ("movies", doc! { "year": 1999 }),
        ("users", doc! { "email": { "$exists": true } }),
    ] {
        let find = doc! { "find": collection, "filter": filter, "sort": sort.clone(), "limit": 21 };
        let plan = app.database.run_command(doc! { "explain": find }).await.unwrap();
        let plan =
            plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().to_string();
        assert!(
            plan.contains("IXSCAN") && !plan.contains("COLLSCAN") && !plan.contains("\"SORT\""),
            "{plan}"
        );
    }
}
