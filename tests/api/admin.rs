//! `/api/admin`.

use serde_json::{Value, json};

use crate::support::{Caller, TestApp};

fn emails(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_admin_sees_how_many_users_and_movies_there_are() {
    let app = TestApp::start().await;
    let (admin, ann) = (app.admin("admin").await, app.user("ann").await);
    ann.add("Heat").await;
    let gone = app.user("gone").await;
    gone.delete("/api/users/me").await.assert_status(204);
    assert_eq!(admin.get("/api/admin").await.assert_status(200).json(), json!({ "users": 2, "movies": 1 }));
}

#[tokio::test]
async fn an_admin_lists_users_newest_first_in_pages() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    for name in ["ann", "andy", "bob", "gone"] {
        app.user(name).await;
    }
    app.log_in("gone").await.delete("/api/users/me").await.assert_status(204);
    let page = admin.get("/api/admin/users?limit=3").await.assert_status(200);
    assert_eq!(emails(&page.json()), ["bob@example.com", "andy@example.com", "ann@example.com"]);
    let first = &page.json()["items"][0];
    assert_eq!(first["role"], "user");
    assert!(first.get("movie_count").is_none(), "{first}");
    assert!(!page.text().contains("$2b$"));
    let next = page.json()["next"].as_str().unwrap().to_owned();
    let page = admin.get(&format!("/api/admin/users?limit=3&after={next}")).await.assert_status(200).json();
    assert_eq!(
        (emails(&page), &page["items"][0]["role"], &page["next"]),
        (vec!["admin@example.com".to_owned()], &json!("admin"), &json!(null))
    );

    let page = admin.get("/api/admin/users?email=AN").await.assert_status(200).json();
    assert_eq!(emails(&page), ["andy@example.com", "ann@example.com"]);
    for wild in [".*", "%24regex", "a%24"] {
        assert_eq!(emails(&admin.get(&format!("/api/admin/users?email={wild}")).await.json()), [""; 0]);
    }
    admin.get(&format!("/api/admin/users?email=an&after={next}")).await.assert_problem(400, "invalid-query");
}

#[tokio::test]
async fn an_admin_reads_a_user() {
    let app = TestApp::start().await;
    let (admin, ann) = (app.admin("admin").await, app.user("ann").await);
    ann.add("Heat").await;
    let id = ann.id().await;
    let user = admin.get(&format!("/api/admin/users/{id}")).await.assert_status(200).json();
    assert_eq!(user, ann.get("/api/users/me").await.json());
    for unknown in ["000000000000000000000000", "nonsense", &id.to_uppercase()] {
        let path = format!("/api/admin/users/{unknown}");
        admin.get(&path).await.assert_problem(404, "user-not-found");
        admin.delete(&path).await.assert_problem(404, "user-not-found");
        admin.patch(&path, &json!({ "role": "admin" })).await.assert_problem(404, "user-not-found");
        admin.patch(&path, &json!({ "role": "king" })).await.assert_fields(&[("role", "invalid-role")]);
    }
}

#[tokio::test]
async fn a_role_takes_effect_at_once() {
    let app = TestApp::start().await;
    let (admin, ann) = (app.admin("admin").await, app.user("ann").await);
    let path = format!("/api/admin/users/{}", ann.id().await);
    ann.get("/api/admin").await.assert_problem(403, "admins-only");
    let user = admin.patch(&path, &json!({ "role": " admin " })).await.assert_status(200).json();
    assert_eq!(user["role"], "admin");
    ann.get("/api/admin").await.assert_status(200);
    assert_eq!(ann.get("/api/users/me").await.json()["role"], "admin");
    // Doing it twice has the same effect.
    admin.patch(&path, &json!({ "role": "admin" })).await.assert_status(200);
    let user = admin.patch(&path, &json!({ "role": "user" })).await.assert_status(200).json();
    assert_eq!(user["role"], "user");
    ann.get("/api/admin").await.assert_problem(403, "admins-only");
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "role": 1 }), "wrong-type"),
        (json!({ "role": "ADMIN" }), "invalid-role"),
    ] {
        admin.patch(&path, &body).await.assert_fields(&[("role", code)]);
    }
    let more = json!({ "role": "admin", "email": "x@example.com" });
    admin.patch(&path, &more).await.assert_fields(&[("email", "unknown")]);
}

#[tokio::test]
async fn the_last_admin_stays_an_admin() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    let path = format!("/api/admin/users/{}", admin.id().await);
    let before = app.snapshot().await;
    admin.patch(&path, &json!({ "role": "user" })).await.assert_problem(409, "last-admin");
    admin.delete("/api/users/me").await.assert_problem(409, "last-admin");
    admin.delete(&path).await.assert_problem(409, "last-admin");
    assert_eq!(app.snapshot().await, before);
    let second = app.admin("second").await;
    second.delete(&path).await.assert_status(204);
    second.delete("/api/users/me").await.assert_problem(409, "last-admin");
}

#[tokio::test]
async fn an_admin_deletes_a_user_with_all_their_movies() {
    let app = TestApp::start().await;
    let (admin, ann): (Caller, Caller) = (app.admin("admin").await, app.user("ann").await);
    let movie = ann.add("Heat").await;
    let path = format!("/api/admin/users/{}", ann.id().await);
    admin.delete(&path).await.assert_status(204);
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    app.anyone().get(&movie).await.assert_problem(404, "movie-not-found");
    admin.get(&path).await.assert_problem(404, "user-not-found");
    admin.patch(&path, &json!({ "role": "admin" })).await.assert_problem(404, "user-not-found");
}

#[tokio::test]
async fn a_list_of_users_shows_only_the_public_fields_of_a_user() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    let list = admin.get("/api/admin/users").await.assert_status(200).json();
    for user in list["items"].as_array().unwrap() {
        let fields: Vec<&String> = user.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["id", "email", "email_verified", "has_password", "role", "created_at"]);
    }
    let one = admin.get("/api/users/me").await.assert_status(200).json();
    let fields: Vec<&String> = one.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["id", "email", "email_verified", "has_password", "role", "created_at", "movie_count"]
    );
}
