//! The authorization matrix: every route with every kind of caller. Every refusal changes nothing.

use std::collections::BTreeSet;

use movie_bag::{config, http::ids::UserId, movies::store::invitations::Offer, server::methods};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    sessions::session_of,
    support::{Caller, PASSWORD, SECRET, TestApp},
    tokens::{Claims, sign},
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Access {
    Anyone,
    User,
    Admin,
    Owner,
    /// The owner and the editors.
    Editor,
}

use Access::{Admin, Anyone, Editor, Owner, User};

/// The scopes of personal access tokens.
const WRITE: Option<&str> = Some("movies:write");
const READ: Option<&str> = Some("account:read");

/// The method, the path as mounted, who may call it, the status for them, and the scope that a personal access token
/// needs. With `None`, no personal access token may call it.
pub const ROUTES: &[(&str, &str, Access, u16, Option<&str>)] = &[
    ("POST", "/api/auth/signup", Anyone, 201, None),
    ("POST", "/api/auth/login", Anyone, 200, None),
    // Anyone may call it; this token is invalid.
    ("POST", "/api/auth/refresh", Anyone, 401, None),
    ("POST", "/api/auth/logout", User, 204, None),
    ("POST", "/api/auth/logout-all", User, 204, None),
    ("POST", "/api/auth/forgot", Anyone, 202, None),
    // Anyone may call it; this token is invalid.
    ("POST", "/api/auth/reset", Anyone, 422, None),
    ("POST", "/api/auth/verify", Anyone, 422, None),
    ("GET", "/api/auth/providers", Anyone, 200, None),
    // Anyone may call it; this provider is not configured, and no such sign-in has begun.
    ("GET", "/api/auth/oidc/<id>/start", Anyone, 404, None),
    ("GET", "/api/auth/oidc/<id>/callback", Anyone, 400, None),
    ("POST", "/api/auth/exchange", Anyone, 422, None),
    ("GET", "/api/users/me", User, 200, READ),
    ("PATCH", "/api/users/me", User, 200, None),
    ("DELETE", "/api/users/me", User, 204, None),
    ("GET", "/api/users/me/movies", User, 200, READ),
    ("GET", "/api/users/me/trash", User, 200, READ),
    ("POST", "/api/users/me/trash/<id>/restore", User, 200, WRITE),
    ("GET", "/api/users/me/sessions", User, 200, None),
    ("DELETE", "/api/users/me/sessions/<id>", User, 204, None),
    ("POST", "/api/users/me/verification", User, 202, None),
    ("GET", "/api/users/me/tokens", User, 200, None),
    ("POST", "/api/users/me/tokens", User, 201, None),
    ("DELETE", "/api/users/me/tokens/<id>", User, 204, None),
    ("GET", "/api/users/me/identities", User, 200, None),
    ("POST", "/api/users/me/identities", User, 201, None),
    // A user may call it; there is nothing to unlink.
    ("DELETE", "/api/users/me/identities/<provider>", User, 404, None),
    ("GET", "/api/admin", Admin, 200, None),
    ("GET", "/api/admin/users", Admin, 200, None),
    ("GET", "/api/admin/users/<id>", Admin, 200, None),
    ("PATCH", "/api/admin/users/<id>", Admin, 200, None),
    ("DELETE", "/api/admin/users/<id>", Admin, 204, None),
    ("GET", "/api/movies", Anyone, 200, None),
    ("POST", "/api/movies", User, 201, WRITE),
    ("POST", "/api/movies/batch", User, 200, WRITE),
    ("GET", "/api/movies/suggest", Anyone, 200, None),
    ("GET", "/api/movies/facets", Anyone, 200, None),
    ("GET", "/api/movies/changes", Anyone, 200, None),
    ("GET", "/api/movies/events", Anyone, 200, None),
    ("GET", "/api/movies/<id>", Anyone, 200, None),
    ("PUT", "/api/movies/<id>", Editor, 200, WRITE),
    ("PATCH", "/api/movies/<id>", Editor, 200, WRITE),
    ("DELETE", "/api/movies/<id>", Owner, 204, WRITE),
    ("POST", "/api/movies/<id>/invitations", Owner, 202, None),
    ("GET", "/api/movies/<id>/editors", Editor, 200, None),
    // Editors may remove themselves; here the editor is the one to remove.
    ("DELETE", "/api/movies/<id>/editors/<user_id>", Editor, 204, None),
    ("POST", "/api/invitations/accept", User, 200, None),
    ("GET", "/api/movies/<id>/versions", Editor, 200, READ),
    ("GET", "/api/movies/<id>/versions/<n>", Editor, 200, READ),
    ("POST", "/api/movies/<id>/versions/<n>/restore", Editor, 200, WRITE),
    ("GET", "/api/openapi.json", Anyone, 200, None),
    ("GET", "/api/docs", Anyone, 200, None),
    ("GET", "/api/docs/<name>", Anyone, 200, None),
    ("GET", "/problems", Anyone, 200, None),
    ("GET", "/problems/<code>", Anyone, 200, None),
    ("GET", "/health/live", Anyone, 200, None),
    ("GET", "/health/ready", Anyone, 200, None),
    ("GET", "/metrics", Anyone, 200, None),
    ("GET", "/", Anyone, 200, None),
    ("GET", "/assets/<file>", Anyone, 200, None),
];

/// The target of the calls: a movie of `owner` that `editor` edits, a movie that `stranger` has deleted, or the user
/// `subject`.
struct Scene {
    app: TestApp,
    owner: Caller,
    editor: Caller,
    stranger: Caller,
    admin: Caller,
    movie: String,
    deleted: String,
    subject: String,
    /// The token of an invitation link, for anybody except the owner.
    invitation: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let owner = app.user("owner").await;
        let editor = app.user("editor").await;
        let stranger = app.user("stranger").await;
        stranger.post("/api/users/me/tokens", &new_token(&["account:read"])).await.assert_status(201);
        let admin = app.admin("admin").await;
        let movie = owner.add("Heat").await;
        app.let_edit(&movie, &editor).await;
        let invitation = app.invitation(&movie, &owner, Offer::Editor).await;
        let deleted = stranger.add("Ronin").await;
        stranger.delete(&deleted).await.assert_status(204);
        let subject = app.user("subject").await.id().await;
        Self { app, owner, editor, stranger, admin, movie, deleted, subject, invitation }
    }

    /// A scene of its own for a request that may change it. A GET changes nothing (RFC 9110, 9.2.1), so all of them can
    /// share one.
    async fn for_a(method: &str) -> Option<Self> {
        if method == "GET" { None } else { Some(Self::new().await) }
    }

    async fn call(&self, caller: &Caller, method: &str, path: &str) -> crate::support::Reply {
        let concrete = match path {
            "/api/users/me/trash/<id>/restore" => {
                path.replace("<id>", self.deleted.trim_start_matches("/api/movies/"))
            }
            path if path.starts_with("/api/movies/<id>") => {
                let editor = self.editor.id().await;
                path.replace("/api/movies/<id>", &self.movie)
                    .replace("<n>", "1")
                    .replace("<user_id>", &editor)
            }
            "/api/movies/suggest" => "/api/movies/suggest?prefix=h".to_owned(),
            "/api/auth/oidc/<id>/start" => format!("/api/auth/oidc/none/start?challenge={}", "a".repeat(43)),
            "/assets/<file>" => "/assets/app.js".to_owned(),
            "/api/users/me/sessions/<id>" => {
                let own = session_of(caller).unwrap_or_else(|| self.subject.clone());
                path.replace("<id>", &own)
            }
            "/api/users/me/tokens/<id>" => {
                match caller.get("/api/users/me/tokens").await.json()["items"].get(0) {
                    Some(token) => path.replace("<id>", token["id"].as_str().unwrap()),
                    None => path.replace("<id>", &self.subject),
                }
            }
            path => path
                .replace("<id>", &self.subject)
                .replace("<provider>", "none")
                .replace("<name>", "swagger-ui.css")
                .replace("<code>", "not-owner"),
        };
        let body = match path {
            "/api/invitations/accept" => Some(json!({ "invitation_token": self.invitation })),
            path => body(method, path),
        };
        match body {
            // The body has no end.
            None if path == "/api/movies/events" => caller.send("HEAD", path).await,
            Some(body) => caller.with_json(method, &concrete, &body).await,
            None => caller.send(method, &concrete).await,
        }
    }
}

/// The body of a request for a personal access token with these scopes.
pub fn new_token(scopes: &[&str]) -> Value {
    json!({ "current_password": PASSWORD, "name": "script", "scopes": scopes })
}

fn body(method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("POST", "/api/auth/signup") => {
            Some(json!({ "email": "new@example.com", "password": "gnu yak emu" }))
        }
        ("POST", "/api/auth/login") => {
            Some(json!({ "email": "owner@example.com", "password": "gnu yak emu" }))
        }
        ("POST", "/api/auth/logout" | "/api/auth/logout-all" | "/api/users/me/verification") => None,
        ("POST", path) if path.ends_with("/restore") => None,
        ("POST", "/api/auth/forgot") => Some(json!({ "email": "owner@example.com" })),
        ("POST", "/api/auth/reset") => Some(json!({ "reset_token": "none", "password": "emu yak gnu" })),
        ("POST", "/api/auth/verify") => Some(json!({ "verify_token": "none" })),
        ("POST", "/api/auth/refresh") => Some(json!({ "refresh_token": "none" })),
        ("POST", "/api/auth/exchange") => Some(json!({ "code": "none", "verifier": "none" })),
        ("POST", "/api/users/me/identities") => Some(json!({ "current_password": PASSWORD })),
        ("POST", "/api/users/me/tokens") => Some(new_token(&["movies:write", "account:read"])),
        ("POST", "/api/movies/batch") => {
            Some(json!({ "items": [{ "name": "Changed", "casts": [], "genres": ["Crime"] }] }))
        }
        ("POST", "/api/movies/<id>/invitations") => {
            Some(json!({ "email": "invited@example.com", "role": "editor" }))
        }
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
async fn nobody_can_do_what_they_may_not_do() {
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
    for (method, path, access, ..) in ROUTES.iter().filter(|(_, _, access, ..)| *access != Anyone) {
        println!("{method} {path}");
        for (caller, code) in &refused {
            scene.call(caller, method, path).await.assert_problem(401, code);
        }
        if *access == Admin {
            scene.call(&scene.stranger, method, path).await.assert_problem(403, "admins-only");
        }
        if *access == Owner {
            scene.call(&scene.editor, method, path).await.assert_problem(403, "not-owner");
        }
        if [Owner, Editor].contains(access) {
            scene.call(&scene.stranger, method, path).await.assert_problem(403, "not-owner");
            scene.call(&scene.admin, method, path).await.assert_problem(403, "not-owner");
        }
    }
    assert_eq!(scene.app.snapshot().await, before);
}

#[tokio::test]
async fn everybody_can_do_what_they_may_do() {
    let shared = Scene::new().await;
    for (method, path, access, status, _) in ROUTES {
        println!("{method} {path}");
        let own = Scene::for_a(method).await;
        let scene = own.as_ref().unwrap_or(&shared);
        // A public route does not look at the header.
        let broken = scene.app.bearer("not.a.token");
        let callers = match access {
            Anyone => vec![&broken],
            User => vec![&scene.stranger],
            Admin => vec![&scene.admin],
            Owner => vec![&scene.owner],
            Editor => vec![&scene.owner, &scene.editor],
        };
        for caller in callers {
            scene.app.let_edit(&scene.movie, &scene.editor).await;
            scene.call(caller, method, path).await.assert_status(*status);
        }
    }
}

#[tokio::test]
async fn a_caller_without_a_token_learns_nothing_about_ids_bodies_or_queries() {
    let app = TestApp::start().await;
    let anyone = app.anyone();
    for (method, path, ..) in ROUTES.iter().filter(|(_, _, access, ..)| *access != Anyone) {
        let path = path.replace("<id>", "not-an-id");
        let broken = anyone.with_bytes(method, &path, Some("text/plain"), b"{".to_vec()).await;
        broken.assert_problem(401, "missing-token");
        anyone.send(method, &format!("{path}?nonsense=1")).await.assert_problem(401, "missing-token");
    }
    let user = app.user("user").await;
    for (method, path, ..) in ROUTES.iter().filter(|(_, _, access, ..)| *access == Admin) {
        let path = path.replace("<id>", "not-an-id");
        user.with_bytes(method, &path, None, b"{".to_vec()).await.assert_problem(403, "admins-only");
    }
}

/// A route that declares no scope accepts no personal access token. This walks all routes, so a new one must have a
/// row.
#[tokio::test]
async fn a_personal_access_token_does_what_its_scope_names_and_nothing_else() {
    let scene = Scene::new().await;
    let token = async |user: &Caller, scopes: &[&str]| {
        let made = user.post("/api/users/me/tokens", &new_token(scopes)).await.assert_status(201).json();
        scene.app.bearer(made["token"].as_str().unwrap())
    };
    let mut whole = Vec::new();
    // A token carries no role, so test the tokens of the movie's owner and of an admin.
    for user in [&scene.owner, &scene.admin] {
        whole.push(token(user, &["movies:write", "account:read"]).await);
    }
    let (writer, reader) =
        (token(&scene.owner, &["movies:write"]).await, token(&scene.owner, &["account:read"]).await);
    let before = scene.app.snapshot().await;
    let closed = ROUTES.iter().filter(|(_, _, access, _, _)| *access != Anyone);
    for (method, path, _, _, scope) in closed.clone() {
        println!("{method} {path}");
        let (refused, challenge) = match *scope {
            None => (whole.iter().collect(), r#"Bearer error="insufficient_scope""#.to_owned()),
            Some(scope) => {
                let other = if scope == "movies:write" { &reader } else { &writer };
                (vec![other], format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
            }
        };
        for caller in refused {
            let reply = scene.call(caller, method, path).await.assert_problem(403, "insufficient-scope");
            assert_eq!(reply.header("WWW-Authenticate"), Some(challenge.clone()));
        }
    }
    assert_eq!(scene.app.snapshot().await, before);
    for (method, path, _, status, scope) in closed.filter(|row| row.4.is_some()) {
        println!("{method} {path}");
        let own = Scene::for_a(method).await;
        let scene = own.as_ref().unwrap_or(&scene);
        // The deleted movie belongs to the stranger.
        let user = if path.contains("/trash/") { &scene.stranger } else { &scene.owner };
        let made = user.post("/api/users/me/tokens", &new_token(&[scope.unwrap()])).await;
        let script = scene.app.bearer(made.assert_status(201).json()["token"].as_str().unwrap());
        scene.call(&script, method, path).await.assert_status(*status);
    }
}

/// The method and path of every route except the fallbacks for wrong methods and unknown paths.
pub async fn mounted() -> BTreeSet<(String, String)> {
    let client = mongodb::Client::with_uri_str("mongodb://127.0.0.1:1").await.unwrap();
    let figment = config::defaults();
    let settings = config::Settings::extract(&figment).unwrap();
    let secret = SecretString::from(SECRET);
    let database = client.database("none");
    let engine = movie_bag::movies::finder::Engine::Text;
    let rocket = movie_bag::server::rocket(&figment, &settings, &secret, &database, engine).unwrap();
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
