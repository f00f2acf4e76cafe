//! The kinds of requests to measure, each with varying values.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    Outcome,
    client::{Ask, Client},
    films::Films,
};

/// The number of different values of one kind, so that no result depends on a single value.
const VALUES: usize = 40;
const SORTS: [&str; 6] = ["-created_at", "created_at", "name", "-name", "year", "-year"];
/// The far page, and how many pages around it are asked for.
const FAR: usize = 150;
const AROUND: usize = 10;

pub struct Kind {
    pub name: String,
    pub requests: Vec<Ask>,
}

fn reading(name: &str, paths: impl IntoIterator<Item = String>) -> Kind {
    Kind { name: name.to_owned(), requests: paths.into_iter().map(Ask::get).collect() }
}

fn query(parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

fn list(parameters: &[(&str, &str)]) -> String {
    format!("/api/movies?{}", query(parameters))
}

/// Lists with one varying parameter, and others that are fixed.
fn lists(name: &str, parameter: &str, values: &[String], others: &[(&str, &str)]) -> Kind {
    let path = |value: &String| list(&[&[(parameter, value.as_str())], others].concat());
    reading(name, values.iter().map(path))
}

fn first(values: &[String], count: usize) -> Vec<String> {
    values[..count.min(values.len())].to_vec()
}

fn last(values: &[String], count: usize) -> Vec<String> {
    values[values.len() - count.min(values.len())..].to_vec()
}

/// Values spread over the whole list.
fn spread(values: &[String], count: usize) -> Vec<String> {
    values.iter().step_by((values.len() / count).max(1)).take(count).cloned().collect()
}

/// Adds movies with new names.
pub fn creation(films: &Films, count: usize) -> Kind {
    let stamp = bson::oid::ObjectId::new().to_hex();
    let request = |(place, film): (usize, &Value)| {
        let mut body = film.clone();
        body["name"] =
            format!("{} (bench {stamp} {place})", body["name"].as_str().unwrap_or_default()).into();
        Ask { method: Method::POST, path: "/api/movies".to_owned(), body: Some(body) }
    };
    Kind {
        name: "POST".to_owned(),
        requests: films.0.iter().cycle().take(count).enumerate().map(request).collect(),
    }
}

pub fn changes(added: &[String]) -> Vec<Kind> {
    let patches = |name: &str, body: &dyn Fn(usize) -> Value| {
        let request = |(place, id): (usize, &String)| Ask {
            method: Method::PATCH,
            path: format!("/api/movies/{id}"),
            body: Some(body(place)),
        };
        Kind { name: name.to_owned(), requests: added.iter().enumerate().map(request).collect() }
    };
    let stamp = bson::oid::ObjectId::new().to_hex();
    vec![
        patches("PATCH of the runtime", &|place| json!({ "runtime": 90 + place % 60 })),
        patches("PATCH of the name", &|place| json!({ "name": format!("Changed {stamp} {place}") })),
    ]
}

/// All kinds that read. `user` has added few movies; the account that added the oldest ones has added many.
pub async fn reads(
    client: &Client,
    films: &Films,
    user: &str,
    added: &[String],
    only: &str,
) -> Outcome<Vec<Kind>> {
    let (genres, casts) = (films.values("genres"), films.values("casts"));
    let directors = films.values("directors");
    let (countries, languages) = (films.values("countries"), films.values("languages"));
    let words = films.words();
    let years: Vec<String> = (1940..=2014).map(|year: i32| year.to_string()).collect();
    let mut ids = Vec::new();
    let mut many = Value::Null;
    for year in years.iter().step_by(5) {
        let page = client.read(&format!("/api/movies?year={year}&sort=created_at&limit=20")).await?;
        for movie in page["items"].as_array().into_iter().flatten() {
            ids.push(movie["id"].as_str().unwrap_or_default().to_owned());
            many = movie["added_by"].clone();
        }
    }
    let mut kinds = vec![reading("one movie by its id", ids.iter().map(|id| format!("/api/movies/{id}")))];
    for sort in SORTS {
        kinds.push(lists(&format!("`sort={sort}`, page 1"), "sort", &[sort.to_owned()], &[]));
    }
    for sort in SORTS {
        let name = format!("`sort={sort}`, page {FAR}");
        if name.contains(only) {
            let cursors = client.cursors(&format!("sort={sort}"), FAR + AROUND).await?;
            kinds.push(lists(&name, "after", &last(&cursors, 2 * AROUND), &[("sort", sort)]));
        }
    }
    kinds.push(lists(
        "`added_by`, who added nearly all",
        "added_by",
        &[many.as_str().unwrap_or_default().to_owned()],
        &[],
    ));
    kinds.push(lists(&format!("`added_by`, who added {}", added.len()), "added_by", &[user.to_owned()], &[]));
    for (parameter, values) in [
        ("genre", &genres),
        ("cast", &casts),
        ("director", &directors),
        ("country", &countries),
        ("language", &languages),
    ] {
        // There are few genres, so choose the frequent and the rare ones without an overlap.
        let (frequent, rare) = (first(values, 8), last(values, 8.max(VALUES.min(values.len() / 3))));
        kinds.push(lists(&format!("`{parameter}`, frequent"), parameter, &frequent, &[]));
        kinds.push(lists(&format!("`{parameter}`, rare"), parameter, &rare, &[]));
        for sort in
            ["name", "-year"].into_iter().filter(|_| ["genre", "cast", "country"].contains(&parameter))
        {
            for (how, values) in [("frequent", &frequent), ("rare", &rare)] {
                let name = format!("`{parameter}`, {how}, `sort={sort}`");
                kinds.push(lists(&name, parameter, values, &[("sort", sort)]));
            }
        }
        let any = spread(values, VALUES);
        kinds.push(lists(&format!("`{parameter}`, any, `sort=name`"), parameter, &any, &[("sort", "name")]));
    }
    kinds.push(lists("`genre` that no movie has", "genre", &["none".to_owned()], &[]));
    kinds.push(lists("`year`", "year", &years, &[]));
    for sort in ["-created_at", "name", "year"] {
        kinds.extend(year_ranges(&years, sort));
    }
    kinds.extend(pairs(films, &genres, &casts, &countries));
    kinds.extend(searches(&words, &genres));
    for letters in [1, 2, 3, 5, 10] {
        let prefixes = spread(&films.beginnings(letters), VALUES);
        let path = |prefix: &String| format!("/api/movies/suggest?{}", query(&[("prefix", prefix)]));
        kinds.push(reading(&format!("suggest, {letters} letters"), prefixes.iter().map(path)));
    }
    kinds.push(reading("suggest, no match", ["/api/movies/suggest?prefix=zzzzq".to_owned()]));
    kinds.extend(counts(&genres, &casts, &countries));
    Ok(kinds)
}

fn year_ranges(years: &[String], sort: &str) -> Vec<Kind> {
    let range = |name: &str, width: usize| {
        let paths = years
            .windows(width)
            .map(|years| list(&[("year_min", &years[0]), ("year_max", &years[width - 1]), ("sort", sort)]));
        reading(&format!("{name}, `sort={sort}`"), paths)
    };
    vec![
        range("`year_min` and `year_max`, 2 years", 2),
        range("`year_min` and `year_max`, 10 years", 10),
        range("`year_min` and `year_max`, 60 years", 60),
        lists(
            &format!("`year_min` beyond all, `sort={sort}`"),
            "year_min",
            &["2099".to_owned()],
            &[("sort", sort)],
        ),
    ]
}

fn pairs(films: &Films, genres: &[String], casts: &[String], countries: &[String]) -> Vec<Kind> {
    let frequent = first(genres, 5);
    let mut kinds = Vec::new();
    let two = |name: String, parameter: &str, values: &[String], sort: &str| {
        let pairs = frequent.iter().flat_map(|genre| values.iter().map(move |value| (genre, value)));
        let pairs = pairs.filter(|(genre, value)| genre != value);
        reading(
            &name,
            pairs.map(|(genre, value)| list(&[("genre", genre), (parameter, value), ("sort", sort)])),
        )
    };
    let empty = films.empty_pairs();
    for sort in ["-created_at", "name", "-year"] {
        let name = |what: &str| format!("{what}, `sort={sort}`");
        kinds.push(two(name("two frequent genres"), "genre", &frequent, sort));
        kinds.push(two(name("frequent genre and country"), "country", &first(countries, 5), sort));
        kinds.push(two(name("frequent genre, rare country"), "country", &last(countries, 20), sort));
        kinds.push(two(name("frequent genre and cast"), "cast", &first(casts, 20), sort));
        let paths = |pairs: &[(String, String)]| {
            pairs
                .iter()
                .map(|(one, other)| list(&[("genre", one), ("genre", other), ("sort", sort)]))
                .collect::<Vec<_>>()
        };
        kinds.push(reading(&name("two genres that no movie has, the worst pair"), paths(&empty[..1])));
        kinds.push(reading(&name("two genres that no movie has, any pair"), paths(&empty)));
    }
    kinds
}

fn searches(words: &[String], genres: &[String]) -> Vec<Kind> {
    let (frequent, rare) = (first(words, 10), last(words, VALUES));
    let middle = words[100..100 + VALUES].to_vec();
    let both: Vec<String> =
        middle.iter().zip(words[1_000..].iter()).map(|(one, other)| format!("{one} {other}")).collect();
    let mut kinds = Vec::new();
    for (name, values) in [
        ("one of the most frequent words", &frequent),
        ("the 100 to 140th word", &middle),
        ("a rare word", &rare),
        ("two words", &both),
    ] {
        kinds.push(lists(&format!("`q`, {name}"), "q", values, &[]));
        for sort in ["name", "-created_at"] {
            kinds.push(lists(&format!("`q`, {name}, `sort={sort}`"), "q", values, &[("sort", sort)]));
        }
        let genre = genres[genres.len() - 3].as_str();
        kinds.push(lists(&format!("`q`, {name}, with a rare genre"), "q", values, &[("genre", genre)]));
    }
    kinds
}

fn counts(genres: &[String], casts: &[String], countries: &[String]) -> Vec<Kind> {
    let count = [("count", "true"), ("limit", "1")];
    let facets = |name: &str, parameter: &str, values: Vec<String>| {
        let path = |value: &String| format!("/api/movies/facets?{}", query(&[(parameter, value)]));
        reading(name, values.iter().map(path).collect::<Vec<_>>())
    };
    vec![
        lists("`count=true` of everything", "limit", &["1".to_owned()], &[("count", "true")]),
        lists("`count=true` of a frequent genre", "genre", &first(genres, 8), &count),
        lists("`count=true` of a rare cast", "cast", &last(casts, VALUES), &count),
        reading("facets of everything", ["/api/movies/facets".to_owned()]),
        facets("facets of a frequent genre", "genre", first(genres, 8)),
        facets("facets of a country", "country", spread(countries, VALUES)),
        facets("facets of a cast", "cast", spread(casts, VALUES)),
    ]
}
