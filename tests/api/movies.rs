//! `/api/movies`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp};

fn heat() -> Value {
    json!({
        "name": "Heat", "year": 1995, "runtime": 170,
        "casts": ["Al Pacino", "Robert De Niro"], "genres": ["Crime", "Drama"],
        "directors": ["Michael Mann"], "countries": ["United States"], "languages": ["English"],
        "plot": "A thief\n\tand a policeman.", "poster_url": "https://example.com/heat.jpg",
    })
}

/// The fields that a client sends.
fn client_fields(movie: &Value) -> Value {
    let mut movie = movie.clone();
    for field in ["id", "added_by", "created_at", "updated_at", "version"] {
        assert!(movie.as_object_mut().unwrap().remove(field).is_some(), "{field}");
    }
    movie
}

async fn conditional(
    caller: &Caller,
    method: &str,
    path: &str,
    header: (&str, &str),
    body: Option<Value>,
) -> Reply {
    let request = caller.request(method, path).header(header.0, header.1);
    Reply::of(match &body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn a_movie_is_added_and_read_by_anyone() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let reply = ann.post("/api/movies", &heat()).await.assert_status(201);
    let movie = reply.json();
    assert_eq!(client_fields(&movie), heat());
    assert_eq!((&movie["added_by"], &movie["version"]), (&json!(ann.id().await), &json!(1)));
    assert_eq!(movie["created_at"], movie["updated_at"]);
    let path = reply.header("Location").unwrap();
    assert_eq!(path, format!("/api/movies/{}", movie["id"].as_str().unwrap()));
    assert_eq!(reply.header("ETag").as_deref(), Some("\"1\""));
    let read = app.anyone().get(&path).await.assert_status(200);
    assert_eq!(read.json(), movie);
    assert_eq!(read.header("ETag").as_deref(), Some("\"1\""));
}

#[tokio::test]
async fn lists_are_always_present_and_unset_scalars_never() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let sent = json!({
        "name": " Cafe\u{301} ", "casts": ["Ann", " Ann ", "Bob"], "genres": ["Drama"],
        "year": null, "runtime": null, "plot": "  ", "poster_url": "", "directors": null,
    });
    let movie = ann.post("/api/movies", &sent).await.assert_status(201).json();
    let expected = json!({
        "name": "Caf\u{e9}", "casts": ["Ann", "Bob"], "genres": ["Drama"],
        "directors": [], "countries": [], "languages": [],
    });
    assert_eq!(client_fields(&movie), expected);
}

#[tokio::test]
async fn fields_that_only_the_server_sets_are_ignored() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut sent = heat();
    for (field, value) in [
        ("id", json!("000000000000000000000000")),
        ("added_by", json!(bob.id().await)),
        ("created_at", json!("1970-01-01T00:00:00.000Z")),
        ("updated_at", json!(7)),
        ("version", json!(99)),
    ] {
        sent[field] = value;
    }
    let movie = ann.post("/api/movies", &sent).await.assert_status(201).json();
    let check = async |movie: &Value, version: i64| {
        assert_ne!(movie["id"], sent["id"]);
        assert_eq!(movie["added_by"], ann.id().await);
        assert!(movie["created_at"].as_str().unwrap() > "2020");
        assert!(movie["updated_at"].as_str().unwrap() > "2020");
        assert_eq!(movie["version"], version);
    };
    check(&movie, 1).await;
    let path = format!("/api/movies/{}", movie["id"].as_str().unwrap());
    check(&ann.put(&path, &sent).await.assert_status(200).json(), 2).await;
    check(&ann.patch(&path, &sent).await.assert_status(200).json(), 3).await;
}

/// A field, a value for it, and the error that it must cause (field and code); `None` if the value is valid.
type FieldRule = (&'static str, Value, Option<(&'static str, &'static str)>);

fn field_rules() -> Vec<FieldRule> {
    let text = |length: usize| json!("é".repeat(length));
    let list = |length: usize| json!((0..length).map(|number| number.to_string()).collect::<Vec<_>>());
    let mut rules = vec![
        ("name", json!(null), Some(("name", "required"))),
        ("name", json!(" \t"), Some(("name", "blank"))),
        ("name", json!("\u{200b}\u{2060} \u{feff}\u{3164}\u{e0061}"), Some(("name", "blank"))),
        ("name", json!("\u{200d}\u{1f3ac}"), None),
        ("name", json!(7), Some(("name", "wrong-type"))),
        ("name", text(300), None),
        ("name", text(301), Some(("name", "too-long"))),
        ("name", json!("a\u{0}b"), Some(("name", "control-character"))),
        ("name", json!("a\nb"), Some(("name", "control-character"))),
        ("name", json!("$"), None),
        ("name", json!("a.b"), None),
        ("name", json!({ "$gt": "" }), Some(("name", "wrong-type"))),
        ("casts", json!(null), Some(("casts", "required"))),
        ("casts", json!([]), None),
        ("casts", json!("Ann"), Some(("casts", "wrong-type"))),
        ("casts", json!(["Ann", " "]), Some(("casts[1]", "blank"))),
        ("casts", json!(["Ann", "\u{ad}\u{2800}"]), Some(("casts[1]", "blank"))),
        ("casts", json!(["Ann", null]), Some(("casts[1]", "wrong-type"))),
        ("casts", json!(["Ann", 7]), Some(("casts[1]", "wrong-type"))),
        ("casts", json!([text(200)]), None),
        ("casts", json!([text(201)]), Some(("casts[0]", "too-long"))),
        ("casts", json!(["a\tb"]), Some(("casts[0]", "control-character"))),
        ("casts", list(500), None),
        ("casts", list(501), Some(("casts", "too-many"))),
        ("genres", json!(null), Some(("genres", "required"))),
        ("genres", json!([]), Some(("genres", "too-few"))),
        ("genres", list(50), None),
        ("genres", list(51), Some(("genres", "too-many"))),
        ("genres", json!([text(100)]), None),
        ("genres", json!([text(101)]), Some(("genres[0]", "too-long"))),
        ("year", json!(1870), None),
        ("year", json!(1869), Some(("year", "out-of-range"))),
        ("year", json!(2100), None),
        ("year", json!(2101), Some(("year", "out-of-range"))),
        ("year", json!(-9_000_000_000_000_000_000_i64), Some(("year", "out-of-range"))),
        ("year", json!(18_000_000_000_000_000_000_u64), Some(("year", "out-of-range"))),
        ("year", json!(1995.0), None),
        ("year", json!(1e300), Some(("year", "out-of-range"))),
        ("year", json!("1995"), Some(("year", "wrong-type"))),
        ("year", json!(1995.5), Some(("year", "wrong-type"))),
        ("year", json!(true), Some(("year", "wrong-type"))),
        ("runtime", json!(0), Some(("runtime", "out-of-range"))),
        ("runtime", json!(1), None),
        ("runtime", json!(60_000), None),
        ("runtime", json!(60_001), Some(("runtime", "out-of-range"))),
        ("plot", text(10_000), None),
        ("plot", text(10_001), Some(("plot", "too-long"))),
        ("plot", json!("a\tb\nc"), None),
        ("plot", json!("a\rb"), Some(("plot", "control-character"))),
        ("plot", json!([]), Some(("plot", "wrong-type"))),
        ("poster_url", json!("ftp://example.com/x"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("javascript:alert(1)"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("/poster.jpg"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("http:example.com"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("http:///example.com"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("https://example.com/\"><script>"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("HTTPS://example.com/ä?b=c#d"), None),
        ("poster_url", json!("https://ann:secret@example.com/x"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("https://ann@example.com/x"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("https://@example.com?x"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("https://example.com/@x?y=@#@"), None),
        ("poster_url", json!("https://"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!("http://example.com/a b"), Some(("poster_url", "invalid-url"))),
        ("poster_url", json!(format!("https://example.com/{}", "x".repeat(2_028))), None),
        (
            "poster_url",
            json!(format!("https://example.com/{}", "x".repeat(2_029))),
            Some(("poster_url", "too-long")),
        ),
        ("poster_url", json!(1), Some(("poster_url", "wrong-type"))),
        ("casst", json!([]), Some(("casst", "unknown"))),
        ("$set", json!({ "added_by": "x" }), Some(("$set", "unknown"))),
        ("_id", json!("x"), Some(("_id", "unknown"))),
    ];
    for field in ["directors", "countries", "languages"] {
        rules.push((field, json!([text(200)]), None));
        rules.push((field, list(50), None));
        rules.push((field, list(51), Some((field, "too-many"))));
        rules.push((field, json!(7), Some((field, "wrong-type"))));
    }
    rules
}

#[tokio::test]
async fn every_write_enforces_the_rule_of_every_field() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Before").await;
    for (number, (field, value, refusal)) in field_rules().into_iter().enumerate() {
        // Each movie has its own name or year, so that no name is taken in its year.
        let whole = |written: &str| {
            let mut movie =
                json!({ "name": format!("{written} {number}"), "casts": [], "genres": ["Drama"] });
            if field == "name" {
                movie["year"] = json!(1870 + 2 * number + usize::from(written == "Put"));
            }
            movie[field] = value.clone();
            movie
        };
        for (status, reply) in [
            (201, ann.post("/api/movies", &whole("Post")).await),
            (200, ann.put(&path, &whole("Put")).await),
            (200, ann.patch(&path, &json!({ field: value })).await),
        ] {
            match refusal {
                Some(refusal) => drop(reply.assert_fields(&[refusal])),
                None => drop(reply.assert_status(status)),
            }
        }
    }
}

#[tokio::test]
async fn every_broken_field_is_named_at_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let broken = json!({ "name": "", "casts": ["", 1], "year": 1, "extra": 1 });
    let expected = [
        ("name", "blank"),
        ("casts[0]", "blank"),
        ("casts[1]", "wrong-type"),
        ("genres", "required"),
        ("year", "out-of-range"),
        ("extra", "unknown"),
    ];
    ann.post("/api/movies", &broken).await.assert_fields(&expected);
    assert_eq!(app.count("movies", bson::doc! {}).await, 0);
}

#[tokio::test]
async fn a_name_is_taken_once_per_year() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let movie =
        |name: &str, year: Value| json!({ "name": name, "casts": [], "genres": ["Drama"], "year": year });
    let mut paths = Vec::new();
    for (name, year) in
        [("Hamlet", json!(1948)), ("Hamlet", json!(null)), ("Hamlet", json!(1996)), ("hamlet", json!(1996))]
    {
        let added = ann.post("/api/movies", &movie(name, year)).await.assert_status(201);
        paths.push(added.header("Location").unwrap());
    }
    // The problem links to the movie that has the name.
    let assert_taken = |reply: Reply, existing: &str| {
        let problem = reply.assert_problem(409, "duplicate-movie").json();
        assert_eq!(problem["existing"], existing, "{problem}");
    };
    let before = app.snapshot().await;
    for (year, existing) in [json!(1948), json!(null), json!(1996)].into_iter().zip(&paths) {
        assert_taken(bob.post("/api/movies", &movie(" Hamlet ", year)).await, existing);
    }
    let path = &paths[3];
    assert_taken(ann.put(path, &movie("Hamlet", json!(1948))).await, &paths[0]);
    assert_taken(ann.patch(path, &json!({ "name": "Hamlet", "year": null })).await, &paths[1]);
    assert_taken(ann.patch(path, &json!({ "name": "Hamlet" })).await, &paths[2]);
    assert_taken(ann.patch(&paths[2], &json!({ "year": 1948 })).await, &paths[0]);
    // A caller who may not change the movie learns nothing about names.
    bob.patch(path, &json!({ "name": "Hamlet" })).await.assert_problem(403, "not-owner");
    assert_eq!(app.snapshot().await, before);
}

#[tokio::test]
async fn put_replaces_every_client_field() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let created = ann.post("/api/movies", &heat()).await.json();
    let path = format!("/api/movies/{}", created["id"].as_str().unwrap());
    let little = json!({ "name": "Less", "casts": [], "genres": ["Crime"] });
    let reply = ann.put(&path, &little).await.assert_status(200);
    let movie = reply.json();
    assert_eq!(
        client_fields(&movie),
        json!({ "name": "Less", "casts": [], "genres": ["Crime"], "directors": [], "countries": [], "languages": [] })
    );
    assert_eq!((&movie["version"], reply.header("ETag").as_deref()), (&json!(2), Some("\"2\"")));
    for kept in ["id", "added_by", "created_at"] {
        assert_eq!(movie[kept], created[kept]);
    }
    assert_eq!(app.anyone().get(&path).await.json(), movie);
    // A change that changes nothing raises the version too.
    assert_eq!(ann.put(&path, &little).await.json()["version"], 3);
}

#[tokio::test]
async fn patch_is_a_merge_patch() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.post("/api/movies", &heat()).await.header("Location").unwrap();
    let merge = async |body: Value| {
        let body = body.to_string().into_bytes();
        ann.with_bytes("PATCH", &path, Some("application/merge-patch+json"), body).await
    };
    let mut expected = heat();
    let removed =
        json!({ "year": null, "runtime": null, "plot": null, "poster_url": null, "directors": null });
    for field in ["year", "runtime", "plot", "poster_url"] {
        expected.as_object_mut().unwrap().remove(field);
    }
    expected["directors"] = json!([]);
    let movie = merge(removed).await.assert_status(200).json();
    assert_eq!((client_fields(&movie), &movie["version"]), (expected.clone(), &json!(2)));
    expected["name"] = json!("Heat again");
    expected["year"] = json!(1996);
    let movie =
        ann.patch(&path, &json!({ "name": "Heat again", "year": 1996 })).await.assert_status(200).json();
    assert_eq!(client_fields(&movie), expected);
    let movie = merge(json!({})).await.assert_status(200).json();
    assert_eq!((client_fields(&movie), &movie["version"]), (expected, &json!(4)));
    merge(json!({ "name": null, "casts": null, "genres": null })).await.assert_fields(&[
        ("name", "required"),
        ("casts", "required"),
        ("genres", "required"),
    ]);
    merge(json!([])).await.assert_fields(&[("", "wrong-type")]);
    assert_eq!(app.anyone().get(&path).await.json(), movie);
}

#[tokio::test]
async fn an_unknown_id_and_a_malformed_one_are_404_after_the_fields() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let taken = ann.add("Heat").await.rsplit('/').next().unwrap().to_uppercase();
    for id in ["000000000000000000000000", "nonsense", "0", "%00", "%FF", &taken, "$ne"] {
        let path = format!("/api/movies/{id}");
        app.anyone().get(&path).await.assert_problem(404, "movie-not-found");
        ann.put(&path, &heat()).await.assert_problem(404, "movie-not-found");
        ann.patch(&path, &json!({})).await.assert_problem(404, "movie-not-found");
        ann.delete(&path).await.assert_problem(404, "movie-not-found");
        ann.put(&path, &json!({})).await.assert_problem(422, "validation-failed");
        // 404 takes precedence over 412.
        conditional(&ann, "DELETE", &path, ("If-Match", "\"9\""), None)
            .await
            .assert_problem(404, "movie-not-found");
    }
}

#[tokio::test]
async fn a_write_with_if_match_needs_the_version() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let before = app.snapshot().await;
    for tag in ["\"2\"", "W/\"1\"", "1", "\"x\"", "\"01\"", "\"2\", \"3\"", ""] {
        for (method, body) in [("PUT", Some(heat())), ("PATCH", Some(json!({}))), ("DELETE", None)] {
            let header = ("If-Match", tag);
            conditional(&ann, method, &path, header, body.clone())
                .await
                .assert_problem(412, "precondition-failed");
            // 403 takes precedence over 412.
            conditional(&bob, method, &path, header, body).await.assert_problem(403, "not-owner");
        }
    }
    assert_eq!(app.snapshot().await, before);
    let patched = conditional(&ann, "PATCH", &path, ("If-Match", "\"7\", \"1\""), Some(json!({}))).await;
    assert_eq!(patched.assert_status(200).header("ETag").as_deref(), Some("\"2\""));
    conditional(&ann, "PUT", &path, ("If-Match", "*"), Some(heat())).await.assert_status(200);
    conditional(&ann, "DELETE", &path, ("If-Match", "\"3\""), None).await.assert_status(204);
    conditional(&ann, "DELETE", &path, ("If-Match", "*"), None).await.assert_problem(404, "movie-not-found");
}

#[tokio::test]
async fn a_read_with_if_none_match_saves_the_body() {
    let app = TestApp::start().await;
    let path = app.user("ann").await.add("Heat").await;
    for tag in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
        let reply =
            conditional(&app.anyone(), "GET", &path, ("If-None-Match", tag), None).await.assert_status(304);
        assert_eq!((reply.body.len(), reply.header("ETag").as_deref()), (0, Some("\"1\"")));
    }
    for tag in ["\"2\"", "x", ""] {
        conditional(&app.anyone(), "GET", &path, ("If-None-Match", tag), None).await.assert_status(200);
    }
}

#[tokio::test]
async fn a_movie_is_deleted_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let reply = ann.delete(&path).await.assert_status(204);
    assert!(reply.body.is_empty());
    app.anyone().get(&path).await.assert_problem(404, "movie-not-found");
    ann.delete(&path).await.assert_problem(404, "movie-not-found");
}

#[tokio::test]
async fn a_page_is_newest_first_and_leads_to_the_next() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for number in 0..25 {
        ann.add(&format!("Movie {number:02}")).await;
    }
    bob.add("His").await;
    let page = app.anyone().get("/api/movies").await.assert_status(200).json();
    let items = page["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["name"], &items[1]["name"]), (20, &json!("His"), &json!("Movie 24")));
    assert_eq!(
        items[0],
        app.anyone().get(&format!("/api/movies/{}", items[0]["id"].as_str().unwrap())).await.json()
    );
    assert_eq!(page.as_object().unwrap().len(), 2);

    let query = format!("added_by={}&limit=10", ann.id().await);
    let mut path = format!("/api/movies?{query}");
    let mut names = Vec::new();
    let mut pages = 0;
    loop {
        let reply = app.anyone().get(&path).await.assert_status(200);
        let page = reply.json();
        names.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        let Some(next) = page["next"].as_str() else {
            assert_eq!(reply.header("Link"), None);
            break;
        };
        assert!(next.len() <= 2_048);
        path = format!("/api/movies?{query}&after={next}");
        assert_eq!(reply.header("Link").unwrap(), format!("<{path}>; rel=\"next\""));
        // With other filters, the cursor is invalid.
        let other = format!("/api/movies?after={next}");
        app.anyone().get(&other).await.assert_problem(400, "invalid-query");
    }
    let expected: Vec<String> = (0..25).rev().map(|number| format!("Movie {number:02}")).collect();
    assert_eq!((pages, names), (3, expected));
}

#[tokio::test]
async fn the_link_is_rebuilt_whatever_was_sent() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for name in ["One", "Two", "Three"] {
        ann.add(name).await;
    }
    let page = app.anyone().get("//api/movies?%6cimit=1").await.assert_status(200);
    let next = page.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(page.header("Link").unwrap(), format!("</api/movies?limit=1&after={next}>; rel=\"next\""));
    let page = app.anyone().get(&format!("/api/movies?limit=1&%61fter={next}")).await.assert_status(200);
    let next = page.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(page.header("Link").unwrap(), format!("</api/movies?limit=1&after={next}>; rel=\"next\""));
}

#[tokio::test]
async fn the_link_contains_only_what_was_understood_and_is_never_long() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    // Values that take three times their length in a query.
    let casts: Vec<String> = (0..50).map(|number| format!("Élodie Ünal de la Forêt {number:02}")).collect();
    for name in ["One", "Two"] {
        let movie = json!({ "name": name, "casts": casts, "genres": ["Drama"] });
        ann.post("/api/movies", &movie).await.assert_status(201);
    }
    let read = async |query: &str| {
        let page = app.anyone().get(&format!("/api/movies?{query}")).await.assert_status(200);
        (page.json()["next"].as_str().unwrap().to_owned(), page.header("Link"))
    };
    // Repeats, extra spaces and a decomposed letter: each becomes a single value.
    let sent = "limit=1&genre=Drama&genre=%20Drama&cast=E%CC%81lodie%20%C3%9Cnal%20de%20la%20For%C3%AAt%2000&fields=%20name,year&count=false";
    let (next, link) = read(sent).await;
    let kept =
        "genre=Drama&cast=%C3%89lodie+%C3%9Cnal+de+la+For%C3%AAt+00&fields=name%2Cyear&count=false&limit=1";
    assert_eq!(link, Some(format!("</api/movies?{kept}&after={next}>; rel=\"next\"")));
    app.anyone().get(&format!("/api/movies?{kept}&after={next}")).await.assert_status(200);
    let mut had_one = Vec::new();
    for count in [1, 20, 50] {
        let filter: Vec<String> =
            casts[..count].iter().map(|name| format!("cast={}", name.replace(' ', "%20"))).collect();
        let (next, link) = read(&format!("limit=1&{}", filter.join("&"))).await;
        assert!(link.as_ref().is_none_or(|link| link.len() <= 2_048 && link.contains(&next)), "{link:?}");
        had_one.push(link.is_some());
    }
    assert_eq!(had_one, [true, true, false]);
}

#[tokio::test]
async fn a_page_ends_at_a_mebibyte_and_the_walk_continues() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    // Each movie has 210 KB.
    let plot = "é".repeat(10_000);
    let casts: Vec<String> = (0..480).map(|number| format!("{number:03}{}", "é".repeat(197))).collect();
    for number in 0..9 {
        let movie =
            json!({ "name": format!("Large {number}"), "casts": casts, "genres": ["Drama"], "plot": plot });
        ann.post("/api/movies", &movie).await.assert_status(201);
    }
    let (mut path, mut sizes, mut names) = ("/api/movies?limit=100".to_owned(), Vec::new(), Vec::new());
    loop {
        let page = app.anyone().get(&path).await.assert_status(200);
        assert!(page.body.len() <= 1 << 20, "{}", page.body.len());
        let page = page.json();
        let items = page["items"].as_array().unwrap();
        sizes.push(items.len());
        names.extend(items.iter().map(|movie| movie["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/movies?limit=100&after={next}");
    }
    let expected: Vec<String> = (0..9).rev().map(|number| format!("Large {number}")).collect();
    assert_eq!((sizes, names), (vec![4, 4, 1], expected));
    // The size of the chosen fields counts, not the stored size.
    let page = app.anyone().get("/api/movies?fields=name").await.assert_status(200).json();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (9, &json!(null)));
}

#[tokio::test]
async fn a_walk_during_changes_visits_every_lasting_movie_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    // Many movies have the same time, so the id breaks the ties.
    let now = bson::DateTime::now();
    let movies: Vec<bson::Document> = (0..60)
        .map(|number| {
            bson::doc! {
                "name": format!("Tie {number}"), "casts": [], "genres": ["Drama"], "directors": [], "countries": [],
                "languages": [], "added_by": bson::oid::ObjectId::new(), "created_at": now, "updated_at": now,
                "version": 1_i64,
            }
        })
        .collect();
    app.database.collection("movies").insert_many(movies).await.unwrap();
    let mut seen = Vec::new();
    let mut path = "/api/movies?limit=7".to_owned();
    for round in 0.. {
        let page = app.anyone().get(&path).await.assert_status(200).json();
        let names =
            page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned());
        seen.extend(names.filter(|name| name.starts_with("Tie")));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/movies?limit=7&after={next}");
        let newer = ann.add(&format!("Newer {round}")).await;
        if round % 2 == 0 {
            ann.delete(&newer).await.assert_status(204);
        }
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (60, 60));
}
