//! The peer in the benchmark: the same routes on the same database with the same checks, as one would write them with
//! axum and the driver, without any of Movie Bag's optimisations.
//!
//! `plain-axum ADDRESS MONGODB_URI DATABASE SECRET`

use std::{env, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bson::{DateTime, Document, doc, oid::ObjectId};
use futures::TryStreamExt;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use mongodb::{
    Client, Collection,
    options::{Acknowledgment, ClientOptions, ReturnDocument, WriteConcern},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct App {
    movies: Collection<Movie>,
    users: Collection<User>,
    sessions: Collection<Document>,
    verifying: DecodingKey,
    signing: EncodingKey,
}

type Shared = State<Arc<App>>;

#[derive(Serialize, Deserialize)]
struct Movie {
    #[serde(rename = "_id")]
    id: ObjectId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    year: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<i32>,
    casts: Vec<String>,
    genres: Vec<String>,
    #[serde(default)]
    directors: Vec<String>,
    #[serde(default)]
    countries: Vec<String>,
    #[serde(default)]
    languages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poster_url: Option<String>,
    added_by: ObjectId,
    created_at: DateTime,
    updated_at: DateTime,
    version: i64,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    casts: Vec<String>,
    genres: Vec<String>,
    year: Option<i32>,
    runtime: Option<i32>,
    #[serde(default)]
    directors: Vec<String>,
    #[serde(default)]
    countries: Vec<String>,
    #[serde(default)]
    languages: Vec<String>,
    plot: Option<String>,
    poster_url: Option<String>,
}

/// A movie in the form of Movie Bag's answers.
#[derive(Serialize)]
struct View {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    year: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<i32>,
    casts: Vec<String>,
    genres: Vec<String>,
    directors: Vec<String>,
    countries: Vec<String>,
    languages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poster_url: Option<String>,
    added_by: String,
    created_at: String,
    updated_at: String,
    version: i64,
}

impl From<Movie> for View {
    fn from(movie: Movie) -> Self {
        let time = |time: DateTime| time.to_chrono().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        Self {
            id: movie.id.to_hex(),
            name: movie.name,
            year: movie.year,
            runtime: movie.runtime,
            casts: movie.casts,
            genres: movie.genres,
            directors: movie.directors,
            countries: movie.countries,
            languages: movie.languages,
            plot: movie.plot,
            poster_url: movie.poster_url,
            added_by: movie.added_by.to_hex(),
            created_at: time(movie.created_at),
            updated_at: time(movie.updated_at),
            version: movie.version,
        }
    }
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "_id")]
    id: ObjectId,
    #[serde(default)]
    password_hash: String,
    #[serde(rename = "gen", default)]
    generation: i64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
    jti: String,
    iss: String,
    aud: String,
    r#gen: i64,
}

enum Refusal {
    Status(StatusCode),
    Database(mongodb::error::Error),
}

impl From<mongodb::error::Error> for Refusal {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Status(status) => status,
            Self::Database(error) if error.to_string().contains("E11000") => StatusCode::CONFLICT,
            Self::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(json!({ "status": status.as_u16() }))).into_response()
    }
}

fn etag(version: i64) -> [(header::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}

async fn signed_in(app: &App, headers: &HeaderMap) -> Result<User, Refusal> {
    let refused = || Refusal::Status(StatusCode::UNAUTHORIZED);
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(refused)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.set_issuer(&["movie-bag"]);
    validation.set_audience(&["access"]);
    let claims = jsonwebtoken::decode::<Claims>(token, &app.verifying, &validation).map_err(|_| refused())?.claims;
    let id = ObjectId::parse_str(&claims.sub).map_err(|_| refused())?;
    let user = app.users.find_one(doc! { "_id": id, "deleted_at": { "$exists": false } });
    let user = user.projection(doc! { "email": 1, "gen": 1 }).into_future();
    let session = ObjectId::parse_str(&claims.sid).map_err(|_| refused())?;
    let session = app.sessions.find_one(doc! { "_id": session }).into_future();
    let (user, session) = tokio::try_join!(user, session)?;
    let session = session.ok_or_else(refused)?;
    let is_own = |user: &User| session.get_object_id("user").is_ok_and(|owner| owner == user.id);
    user.filter(|user| user.generation == claims.r#gen && is_own(user)).ok_or_else(refused)
}

async fn one(State(app): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    let missing = || Refusal::Status(StatusCode::NOT_FOUND);
    let id = ObjectId::parse_str(id).map_err(|_| missing())?;
    let movie = app.movies.find_one(doc! { "_id": id }).projection(doc! { "typeahead": 0 }).await?;
    let movie = movie.ok_or_else(missing)?;
    Ok((etag(movie.version), Json(View::from(movie))).into_response())
}

#[derive(Serialize)]
struct Page {
    items: Vec<View>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct PageQuery {
    genre: Option<String>,
    year: Option<i32>,
    limit: Option<i64>,
    /// The last movie of the page before: `<milliseconds>-<id>`.
    after: Option<String>,
}

/// The movies that come after this one, newest first.
fn older_than(place: &str) -> Option<Document> {
    let (time, id) = place.split_once('-')?;
    let time = DateTime::from_millis(time.parse().ok()?);
    let id = ObjectId::parse_str(id).ok()?;
    Some(doc! { "$or": [
        { "created_at": { "$lt": time } },
        { "created_at": time, "_id": { "$lt": id } },
    ] })
}

async fn list(State(app): Shared, Query(query): Query<PageQuery>) -> Result<Response, Refusal> {
    let mut filter = Document::new();
    if let Some(genre) = query.genre {
        filter.insert("genres", genre);
    }
    if let Some(year) = query.year {
        filter.insert("year", year);
    }
    if let Some(after) = query.after {
        filter.extend(older_than(&after).ok_or(Refusal::Status(StatusCode::BAD_REQUEST))?);
    }
    let limit = query.limit.unwrap_or(20);
    let find = app.movies.find(filter).sort(doc! { "created_at": -1, "_id": -1 });
    let mut found: Vec<Movie> =
        find.projection(doc! { "typeahead": 0 }).limit(limit + 1).await?.try_collect().await?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| format!("{}-{}", last.created_at.timestamp_millis(), last.id));
    let items = found.into_iter().map(View::from).collect();
    Ok(Json(Page { items, next }).into_response())
}

async fn create(State(app): Shared, headers: HeaderMap, Json(input): Json<Input>) -> Result<Response, Refusal> {
    let user = signed_in(&app, &headers).await?;
    let now = DateTime::now();
    let movie = Movie {
        id: ObjectId::new(),
        name: input.name,
        year: input.year,
        runtime: input.runtime,
        casts: input.casts,
        genres: input.genres,
        directors: input.directors,
        countries: input.countries,
        languages: input.languages,
        plot: input.plot,
        poster_url: input.poster_url,
        added_by: user.id,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    app.movies.insert_one(&movie).await?;
    let place = [(header::LOCATION, format!("/api/movies/{}", movie.id))];
    Ok((StatusCode::CREATED, etag(1), place, Json(View::from(movie))).into_response())
}

async fn replace(
    State(app): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(input): Json<Input>,
) -> Result<Response, Refusal> {
    let user = signed_in(&app, &headers).await?;
    let missing = || Refusal::Status(StatusCode::NOT_FOUND);
    let id = ObjectId::parse_str(id).map_err(|_| missing())?;
    let mut set = doc! {
        "name": input.name, "casts": input.casts, "genres": input.genres, "directors": input.directors,
        "countries": input.countries, "languages": input.languages, "updated_at": DateTime::now(),
    };
    let mut unset = Document::new();
    for (name, value) in [("year", input.year), ("runtime", input.runtime)] {
        match value {
            Some(value) => set.insert(name, value),
            None => unset.insert(name, true),
        };
    }
    for (name, value) in [("plot", input.plot), ("poster_url", input.poster_url)] {
        match value {
            Some(value) => set.insert(name, value),
            None => unset.insert(name, true),
        };
    }
    let mut update = doc! { "$set": set, "$inc": { "version": 1_i64 } };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    let command = app.movies.find_one_and_update(doc! { "_id": id, "added_by": user.id }, update);
    let movie = command.return_document(ReturnDocument::After).await?.ok_or_else(missing)?;
    Ok((etag(movie.version), Json(View::from(movie))).into_response())
}

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

async fn login(State(app): Shared, Json(login): Json<Login>) -> Result<Response, Refusal> {
    let refused = || Refusal::Status(StatusCode::UNAUTHORIZED);
    let user = app.users.find_one(doc! { "email": login.email }).await?.ok_or_else(refused)?;
    let hash = user.password_hash;
    // On the runtime's threads for blocking work, as its documentation recommends.
    let right = tokio::task::spawn_blocking(move || bcrypt::verify(login.password, &hash)).await;
    if !right.is_ok_and(|right| right.is_ok_and(|right| right)) {
        return Err(refused());
    }
    let now = chrono::Utc::now().timestamp();
    let (session, begun) = (ObjectId::new(), DateTime::now());
    let expires_at = DateTime::from_millis(begun.timestamp_millis() + 604_800_000);
    let document = doc! {
        "_id": session, "user": user.id, "gen": user.generation, "name": "benchmark", "created_at": begun,
        "last_used_at": begun, "expires_at": expires_at, "forgotten_at": expires_at,
    };
    app.sessions.insert_one(document).await?;
    let claims = Claims {
        sub: user.id.to_hex(),
        sid: session.to_hex(),
        iat: now,
        exp: now + 604_800,
        jti: ObjectId::new().to_hex(),
        iss: "movie-bag".to_owned(),
        aud: "access".to_owned(),
        r#gen: user.generation,
    };
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &app.signing).map_err(|_| refused())?;
    Ok(Json(json!({ "token": token, "token_type": "Bearer", "expires_in": 604_800 })).into_response())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().collect();
    let [_, address, uri, database, secret] = arguments.as_slice() else {
        return Err("usage: plain-axum ADDRESS MONGODB_URI DATABASE SECRET".into());
    };
    let mut options = ClientOptions::parse(uri).await?;
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    options.max_pool_size = Some(32);
    let database = Client::with_options(options)?.database(database);
    let app = App {
        movies: database.collection("movies"),
        users: database.collection("users"),
        sessions: database.collection("sessions"),
        verifying: DecodingKey::from_secret(secret.as_bytes()),
        signing: EncodingKey::from_secret(secret.as_bytes()),
    };
    let routes = Router::new()
        .route("/api/movies", get(list).post(create))
        .route("/api/movies/{id}", get(one).put(replace))
        .route("/api/auth/login", post(login))
        .with_state(Arc::new(app));
    axum::serve(tokio::net::TcpListener::bind(address).await?, routes).await?;
    Ok(())
}
