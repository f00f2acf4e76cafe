//! Who may call what: every route, every kind of caller, and that a refusal changes nothing.

use std::collections::BTreeSet;

use movie_bag::{config, http::ids::UserId, server::methods};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    sessions::session_of,
    support::{Caller, SECRET, TestApp},
    tokens::{Claims, sign},
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Access {
    Anyone,
    User,
    Admin,
    Owner,
}

use Access::{Admin, Anyone, Owner, User};

/// Method, path as mounted, who may, and the status for them.
pub const ROUTES: &[(&str, &str, Access, u16)] = &[
    ("POST", "/api/auth/signup", Anyone, 201),
    ("POST", "/api/auth/login", Anyone, 200),
    // Anyone may try: this token is none.
    ("POST", "/api/auth/refresh", Anyone, 401),
    ("POST", "/api/auth/logout", User, 204),
    ("POST", "/api/auth/logout-all", User, 204),
    ("POST", "/api/auth/forgot", Anyone, 202),
    // Anyone may try: this token is none.
    ("POST", "/api/auth/reset", Anyone, 422),
    ("GET", "/api/users/me", User, 200),
    ("PATCH", "/api/users/me", User, 200),
    ("DELETE", "/api/users/me", User, 204),
    ("GET", "/api/users/me/movies", User, 200),
    ("GET", "/api/users/me/sessions", User, 200),
    ("DELETE", "/api/users/me/sessions/<id>", User, 204),
    ("GET", "/api/admin", Admin, 200),
    ("GET", "/api/admin/users", Admin, 200),
    ("GET", "/api/admin/users/<id>", Admin, 200),
    ("PATCH", "/api/admin/users/<id>", Admin, 200),
    ("DELETE", "/api/admin/users/<id>", Admin, 204),
    ("GET", "/api/movies", Anyone, 200),
    ("POST", "/api/movies", User, 201),
    ("GET", "/api/movies/suggest", Anyone, 200),
    ("GET", "/api/movies/facets", Anyone, 200),
    ("GET", "/api/movies/events", Anyone, 200),
    ("GET", "/api/movies/<id>", Anyone, 200),
    ("PUT", "/api/movies/<id>", Owner, 200),
    ("PATCH", "/api/movies/<id>", Owner, 200),
    ("DELETE", "/api/movies/<id>", Owner, 204),
    ("GET", "/api/openapi.json", Anyone, 200),
    ("GET", "/api/docs", Anyone, 200),
    ("GET", "/api/docs/<name>", Anyone, 200),
    ("GET", "/problems", Anyone, 200),
    ("GET", "/problems/<code>", Anyone, 200),
    ("GET", "/health/live", Anyone, 200),
    ("GET", "/health/ready", Anyone, 200),
    ("GET", "/metrics", Anyone, 200),
    ("GET", "/", Anyone, 200),
    ("GET", "/assets/<file>", Anyone, 200),
];

/// What is called: a movie of `owner`'s, or the user `subject`.
struct Scene {
    app: TestApp,
    owner: Caller,
    stranger: Caller,
    admin: Caller,
    movie: String,
    subject: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let owner = app.user("owner").await;
        let stranger = app.user("stranger").await;
        let admin = app.admin("admin").await;
        let movie = owner.add("Heat").await;
        let subject = app.user("subject").await.id().await;
        Self { app, owner, stranger, admin, movie, subject }
    }

    async fn call(&self, caller: &Caller, method: &str, path: &str) -> crate::support::Reply {
        let concrete = match path {
            "/api/movies/<id>" => self.movie.clone(),
            "/api/movies/suggest" => "/api/movies/suggest?prefix=h".to_owned(),
            "/assets/<file>" => "/assets/app.js".to_owned(),
            "/api/users/me/sessions/<id>" => {
                let own = session_of(caller).unwrap_or_else(|| self.subject.clone());
                path.replace("<id>", &own)
            }
            path => path
                .replace("<id>", &self.subject)
                .replace("<name>", "swagger-ui.css")
                .replace("<code>", "not-owner"),
        };
        match body(method, path) {
            // The body has no end.
            None if path == "/api/movies/events" => caller.send("HEAD", path).await,
            Some(body) => caller.with_json(method, &concrete, &body).await,
            None => caller.send(method, &concrete).await,
        }
    }
}

fn body(method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("POST", "/api/auth/signup") => {
            Some(json!({ "email": "new@example.com", "password": "gnu yak emu" }))
        }
        ("POST", "/api/auth/login") => {
            Some(json!({ "email": "owner@example.com", "password": "gnu yak emu" }))
        }
        ("POST", "/api/auth/logout" | "/api/auth/logout-all") => None,
        ("POST", "/api/auth/forgot") => Some(json!({ "email": "owner@example.com" })),
        ("POST", "/api/auth/reset") => Some(json!({ "reset_token": "none", "password": "emu yak gnu" })),
        ("POST", "/api/auth/refresh") => Some(json!({ "refresh_token": "none" })),
        ("PATCH", "/api/users/me") => {
            Some(json!({ "current_password": "gnu yak emu", "password": "emu yak gnu" }))
        }
        ("PATCH", "/api/admin/users/<id>") => Some(json!({ "role": "admin" })),
        ("PATCH", _) => Some(json!({ "name": "Changed" })),
        ("POST" | "PUT", _) => Some(json!({ "name": "Changed", "casts": [], "genres": ["Crime"] })),
        _ => None,
    }
}

#[tokio::test]
async fn nobody_does_what_is_not_theirs_to_do() {
    let scene = Scene::new().await;
    let gone = scene.app.user("gone").await;
    let gone_id = gone.id().await;
    gone.delete("/api/users/me").await.assert_status(204);
    let forged = |change: &dyn Fn(&mut Claims)| {
        let mut claims = Claims::of(&gone_id);
        change(&mut claims);
        scene.app.bearer(&sign(&claims, SECRET))
    };
    let logged_out = scene.app.user("out").await;
    logged_out.post("/api/auth/logout", &json!({})).await.assert_status(204);
    let missing = Claims::of(&UserId::new().to_string());
    let refused = [
        (scene.app.anyone(), "missing-token"),
        (scene.app.bearer("not.a.token"), "invalid-token"),
        (
            scene.app.bearer(&sign(&Claims::of(&gone_id), "another secret, of more than 32 bytes")),
            "invalid-token",
        ),
        (forged(&|claims| claims.exp = claims.iat - 1), "expired-token"),
        (gone.clone(), "revoked-token"),
        (logged_out.clone(), "revoked-token"),
        (scene.app.bearer(&sign(&missing, SECRET)), "revoked-token"),
        (forged(&|claims| claims.r#gen = 7), "revoked-token"),
    ];
    let before = scene.app.snapshot().await;
    for (method, path, access, _) in ROUTES.iter().filter(|(_, _, access, _)| *access != Anyone) {
        println!("{method} {path}");
        for (caller, code) in &refused {
            scene.call(caller, method, path).await.assert_problem(401, code);
        }
        if *access == Admin {
            scene.call(&scene.stranger, method, path).await.assert_problem(403, "admins-only");
        }
        if *access == Owner {
            scene.call(&scene.stranger, method, path).await.assert_problem(403, "not-owner");
            scene.call(&scene.admin, method, path).await.assert_problem(403, "not-owner");
        }
    }
    assert_eq!(scene.app.snapshot().await, before);
}

#[tokio::test]
async fn everybody_does_what_is_theirs_to_do() {
    for (method, path, access, status) in ROUTES {
        println!("{method} {path}");
        let scene = Scene::new().await;
        // A public route does not look at the header.
        let broken = scene.app.bearer("not.a.token");
        let callers = match access {
            Anyone => vec![&broken],
            User => vec![&scene.stranger],
            Admin => vec![&scene.admin],
            Owner => vec![&scene.owner],
        };
        for caller in callers {
            scene.call(caller, method, path).await.assert_status(*status);
        }
    }
}

#[tokio::test]
async fn a_caller_without_a_token_learns_nothing_of_ids_bodies_or_queries() {
    let app = TestApp::start().await;
    let anyone = app.anyone();
    for (method, path, _, _) in ROUTES.iter().filter(|(_, _, access, _)| *access != Anyone) {
        let path = path.replace("<id>", "not-an-id");
        let broken = anyone.with_bytes(method, &path, Some("text/plain"), b"{".to_vec()).await;
        broken.assert_problem(401, "missing-token");
        anyone.send(method, &format!("{path}?nonsense=1")).await.assert_problem(401, "missing-token");
    }
    let user = app.user("user").await;
    for (method, path, _, _) in ROUTES.iter().filter(|(_, _, access, _)| *access == Admin) {
        let path = path.replace("<id>", "not-an-id");
        user.with_bytes(method, &path, None, b"{".to_vec()).await.assert_problem(403, "admins-only");
    }
}

/// Method and path of every route but the fallbacks for wrong methods and unknown paths.
pub async fn mounted() -> BTreeSet<(String, String)> {
    let client = mongodb::Client::with_uri_str("mongodb://127.0.0.1:1").await.unwrap();
    let figment = config::defaults();
    let settings = config::Settings::extract(&figment).unwrap();
    let secret = SecretString::from(SECRET);
    let rocket = movie_bag::server::rocket(&figment, &settings, &secret, &client.database("none")).unwrap();
    let rocket = rocket.ignite().await.unwrap();
    rocket
        .routes()
        .filter(|route| methods::is_real(route))
        .map(|route| (route.method.to_string(), route.uri.path().to_owned()))
        .collect()
}

#[tokio::test]
async fn every_mounted_route_has_a_row() {
    let rows = ROUTES.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(mounted().await, rows);
}
