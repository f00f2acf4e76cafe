//! Inviting by mail, and accepting. The tests with a mail server use several threads, because waiting for a letter
//! blocks one.

use std::time::{Duration, Instant};

use bson::{DateTime, Document, doc};
use movie_bag::movies::store::invitations::Offer;
use serde_json::{Value, json};

use crate::{
    races::{at_once, statuses},
    reset::app_with,
    smtp::{SmtpServer, link_token},
    support::{Caller, Reply, TestApp, movie, object_id},
};

pub async fn accept(caller: &Caller, token: &str) -> Reply {
    caller.post("/api/invitations/accept", &json!({ "invitation_token": token })).await
}

async fn invite(caller: &Caller, path: &str, email: &str, role: &str) -> Reply {
    caller.post(&format!("{path}/invitations"), &json!({ "email": email, "role": role })).await
}

async fn stored(app: &TestApp, path: &str) -> Document {
    let movies = app.database.collection::<Document>("movies");
    movies.find_one(doc! { "_id": object_id(path) }).await.unwrap().unwrap()
}

async fn age(app: &TestApp, path: &str, by: Duration) {
    let issued_at = DateTime::from_system_time(std::time::SystemTime::now() - by);
    let movies = app.database.collection::<Document>("movies");
    let set = doc! { "$set": { "invitations.$[].issued_at": issued_at } };
    movies.update_one(doc! { "_id": object_id(path) }, set).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_mailed_and_makes_an_editor_once() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let name = format!("https://evil.example/{} <b>", "x".repeat(200));
    let path = ann.add(&name).await;
    // No account has this address.
    let reply = invite(&ann, &path, " Someone@Example.com ", "editor").await.assert_status(202);
    assert_eq!(reply.text(), "");
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    let letter = smtp.letter();
    assert_eq!(letter["to"], json!(["someone@example.com"]));
    assert_eq!(letter["headers"]["Subject"], "An invitation to edit a movie");
    let token = link_token(&letter, "invitation");
    let (text, html) = (letter["text"].as_str().unwrap(), letter["html"].as_str().unwrap());
    let link = format!("https://movies.example.com/#/invitation?token={token}");
    assert_eq!((text.matches("https://").count(), text.contains(&link)), (1, true), "{text}");
    assert_eq!(
        (html.matches("<a ").count(), html.contains(&format!("href=\"{link}\""))),
        (1, true),
        "{html}"
    );
    assert!(!text.contains("evil.example") && !text.contains(&"x".repeat(80)), "{text}");
    assert!(!text.contains("ann@example.com"), "the letter names the inviter: {text}");
    assert!(!format!("{:?}", app.snapshot().await).contains(&token));

    let before = app.anyone().get(&path).await.json();
    for made_up in ["none", &token[1..], &token.to_uppercase()] {
        accept(&bob, made_up).await.assert_problem(422, "invalid-invitation");
    }
    accept(&ann, &token).await.assert_problem(422, "invalid-invitation");
    let accepted = accept(&bob, &token).await.assert_status(200);
    assert_eq!((accepted.json(), accepted.header("ETag").as_deref()), (before, Some("\"1\"")));
    assert_eq!(accepted.header("Cache-Control").as_deref(), Some("no-store"));
    for late in [&bob, &cid, &ann] {
        accept(late, &token).await.assert_problem(422, "invalid-invitation");
    }
    bob.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    // A user who is already an editor stays one, and the invitation is used up.
    let again = app.invitation(&path, &ann, Offer::Editor).await;
    accept(&bob, &again).await.assert_status(200);
    accept(&cid, &again).await.assert_problem(422, "invalid-invitation");
    assert_eq!(stored(&app, &path).await.get_array("editors").unwrap().len(), 1);
}

#[tokio::test]
async fn the_body_of_an_invitation_is_checked() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = format!("{}/invitations", ann.add("Heat").await);
    let unknown = "/api/movies/6561f0c2a3b4d5e6f7081920/invitations";
    for (body, errors) in [
        (json!({}), vec![("email", "required"), ("role", "required")]),
        (
            json!({ "email": "x", "role": "admin" }),
            vec![("email", "invalid-email"), ("role", "invalid-role")],
        ),
        (json!({ "email": 1, "role": 1 }), vec![("email", "wrong-type"), ("role", "wrong-type")]),
        (json!({ "email": "a@b.example", "role": "editor", "x": 1 }), vec![("x", "unknown")]),
    ] {
        ann.post(&path, &body).await.assert_fields(&errors);
        // The fields are checked before the movie.
        ann.post(unknown, &body).await.assert_fields(&errors);
    }
    let body = json!({ "email": "a@b.example", "role": "owner" });
    ann.post(unknown, &body).await.assert_problem(404, "movie-not-found");
    ann.post("/api/movies/x/invitations", &body).await.assert_problem(404, "movie-not-found");
    ann.post("/api/invitations/accept", &json!({})).await.assert_fields(&[("invitation_token", "required")]);
    let injection = json!({ "invitation_token": { "$ne": "" } });
    ann.post("/api/invitations/accept", &injection)
        .await
        .assert_fields(&[("invitation_token", "wrong-type")]);
    ann.get("/api/invitations/accept").await.assert_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn an_invitation_is_valid_for_seven_days() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let week = Duration::from_hours(7 * 24);
    let token = app.invitation(&path, &ann, Offer::Editor).await;
    age(&app, &path, week).await;
    accept(&bob, &token).await.assert_problem(422, "invalid-invitation");
    age(&app, &path, week.checked_sub(Duration::from_mins(1)).unwrap()).await;
    accept(&bob, &token).await.assert_status(200);
}

#[tokio::test]
async fn a_movie_has_at_most_twenty_open_invitations() {
    let app = TestApp::set(|settings| settings.throttle.enabled = false).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let tasks: Vec<_> = (0..24)
        .map(|number| {
            let (ann, path) = (ann.clone(), path.clone());
            async move { invite(&ann, &path, &format!("user{number}@example.com"), "editor").await }
        })
        .collect();
    assert_eq!(statuses(&at_once(tasks).await), [vec![202; 20], vec![429; 4]].concat());
    let refused =
        invite(&ann, &path, "bob@example.com", "editor").await.assert_problem(429, "too-many-requests");
    let wait: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!((7 * 86_400 - 120..=7 * 86_400).contains(&wait), "{wait}");
    bob.post(&format!("{path}/invitations"), &json!({ "email": "a@b.example", "role": "editor" }))
        .await
        .assert_problem(403, "not-owner");
    // An expired invitation no longer counts as open.
    age(&app, &path, Duration::from_hours(7 * 24)).await;
    invite(&ann, &path, "bob@example.com", "editor").await.assert_status(202);
    assert_eq!(stored(&app, &path).await.get_array("invitations").unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_sends_twenty_a_day_and_an_address_gets_three() {
    let app = TestApp::start().await;
    app.clock.stop();
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let his = bob.add("Ronin").await;
    // Requests that are refused for another reason do not count.
    for _ in 0..30 {
        invite(&bob, &path, "one@example.com", "editor").await.assert_problem(403, "not-owner");
    }
    for (caller, own) in [(&ann, &path), (&ann, &path), (&bob, &his)] {
        invite(caller, own, "One@example.com", "editor").await.assert_status(202);
    }
    for (caller, own) in [(&ann, &path), (&bob, &his)] {
        let refused =
            invite(caller, own, "one@example.com", "owner").await.assert_problem(429, "too-many-requests");
        assert_eq!(refused.header("Retry-After").as_deref(), Some("86400"));
    }
    // The refusals have not counted for the senders.
    for number in 2..20 {
        invite(&ann, &path, &format!("user{number}@example.com"), "editor").await.assert_status(202);
    }
    let spare = ann.add("Thief").await;
    invite(&ann, &spare, "other@example.com", "editor").await.assert_problem(429, "too-many-requests");
    app.clock.advance(Duration::from_hours(12));
    invite(&ann, &spare, "other@example.com", "editor").await.assert_problem(429, "too-many-requests");
    app.clock.advance(Duration::from_hours(12) + Duration::from_secs(1));
    invite(&ann, &spare, "one@example.com", "editor").await.assert_status(202);
}

/// Neither the answer nor its time tells a known address from an unknown one, because the server does not look it up.
#[tokio::test]
async fn an_invitation_asks_the_database_the_same_for_every_address() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.user("known").await;
    let path = ann.add("Heat").await;
    let mut asked = Vec::new();
    for email in ["known@example.com", "unknown@example.com"] {
        let users = app.profiled("users", async {
            invite(&ann, &path, email, "editor").await.assert_status(202);
        });
        let users = users.await;
        let commands: Vec<String> = users
            .iter()
            .map(|entry| entry.get_document("command").unwrap().get("filter").unwrap().to_string())
            .collect();
        assert!(commands.iter().all(|command| !command.contains("example.com")), "{commands:?}");
        asked.push(commands.len());
    }
    assert_eq!(asked[0], asked[1]);
}

#[tokio::test]
async fn the_twenty_first_editor_is_409_and_the_invitation_stays_valid() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let path = ann.add("Heat").await;
    let mut editors: Vec<_> = (0..19).map(|_| bson::oid::ObjectId::new()).collect();
    editors.push(object_id(&cid.id().await));
    let movies = app.database.collection::<Document>("movies");
    movies.update_one(doc! {}, doc! { "$set": { "editors": &editors } }).await.unwrap();
    let (editor, owner) =
        (app.invitation(&path, &ann, Offer::Editor).await, app.invitation(&path, &ann, Offer::Owner).await);
    for token in [&editor, &owner] {
        accept(&bob, token).await.assert_problem(409, "too-many-editors");
    }
    assert_eq!(stored(&app, &path).await.get_array("editors").unwrap().len(), 20);
    // A user who is already one of the twenty editors stays one.
    accept(&cid, &app.invitation(&path, &ann, Offer::Editor).await).await.assert_status(200);
    ann.delete(&format!("{path}/editors/{}", cid.id().await)).await.assert_status(204);
    accept(&bob, &editor).await.assert_status(200);
    accept(&cid, &owner).await.assert_problem(409, "too-many-editors");
    // An editor who becomes the owner makes room for the former owner.
    accept(&bob, &owner).await.assert_status(200);
    let movie = stored(&app, &path).await;
    assert_eq!(movie.get_object_id("added_by").unwrap(), object_id(&bob.id().await));
    assert_eq!(movie.get_array("editors").unwrap().len(), 20);
    assert_eq!(movie.get_array("editors").unwrap()[19], object_id(&ann.id().await).into());
}

#[tokio::test]
async fn of_many_users_who_accept_one_invitation_one_succeeds() {
    for offer in [Offer::Editor, Offer::Owner] {
        // A new server for each, because failed attempts of one address count, and all of these come from one.
        let app = TestApp::start().await;
        let ann = app.user("ann").await;
        let mut others = Vec::new();
        for number in 0..8 {
            others.push(app.user(&format!("user{number}")).await);
        }
        let path = ann.add(offer.name()).await;
        let token = app.invitation(&path, &ann, offer).await;
        let tasks = others.iter().chain(&others).cloned().map(|other| {
            let token = token.clone();
            async move { accept(&other, &token).await }
        });
        let replies = at_once(tasks.collect()).await;
        assert_eq!(statuses(&replies), [vec![200], vec![422; 15]].concat(), "{offer:?}");
        assert_eq!(stored(&app, &path).await.get_array("editors").unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_movie_never_gets_more_than_twenty_editors_even_at_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let editors: Vec<_> = (0..17).map(|_| bson::oid::ObjectId::new()).collect();
    let movies = app.database.collection::<Document>("movies");
    movies.update_one(doc! {}, doc! { "$set": { "editors": &editors } }).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..8 {
        let (user, token) =
            (app.user(&format!("user{number}")).await, app.invitation(&path, &ann, Offer::Editor).await);
        tasks.push(async move { accept(&user, &token).await });
    }
    assert_eq!(statuses(&at_once(tasks).await), [vec![200; 3], vec![409; 5]].concat());
    assert_eq!(stored(&app, &path).await.get_array("editors").unwrap().len(), 20);
}

#[tokio::test]
async fn an_invitation_is_void_once_its_movie_is_deleted() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let token = app.invitation(&path, &ann, Offer::Owner).await;
    ann.delete(&path).await.assert_status(204);
    accept(&bob, &token).await.assert_problem(422, "invalid-invitation");
    let restore = format!("/api/users/me/trash/{}/restore", path.rsplit('/').next().unwrap());
    ann.send("POST", &restore).await.assert_status(200);
    // It stays void when the movie is restored.
    accept(&bob, &token).await.assert_problem(422, "invalid-invitation");
    let token = app.invitation(&path, &ann, Offer::Owner).await;
    ann.delete("/api/users/me").await.assert_status(204);
    accept(&bob, &token).await.assert_problem(422, "invalid-invitation");
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

#[tokio::test]
async fn inviting_and_accepting_need_a_confirmed_address_if_the_operator_requires_it() {
    let app = TestApp::set(|settings| settings.accounts.require_verified_email = true).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let users = app.database.collection::<Document>("users");
    let confirm = async |email: &str, is: bool| {
        users.update_one(doc! { "email": email }, doc! { "$set": { "email_verified": is } }).await.unwrap();
    };
    confirm("ann@example.com", true).await;
    let path = ann.add("Heat").await;
    let token = app.invitation(&path, &ann, Offer::Editor).await;
    confirm("ann@example.com", false).await;
    // This is checked before the query and the body.
    invite(&ann, &path, "x", "x").await.assert_problem(403, "email-not-verified");
    accept(&bob, "none").await.assert_problem(403, "email-not-verified");
    bob.post("/api/movies/batch", &json!({ "items": [movie("Ronin")] }))
        .await
        .assert_problem(403, "email-not-verified");
    confirm("bob@example.com", true).await;
    accept(&bob, &token).await.assert_status(200);
}

#[tokio::test]
async fn guesses_at_invitations_are_throttled() {
    let app = TestApp::start().await;
    app.clock.stop();
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let token = app.invitation(&path, &ann, Offer::Editor).await;
    for _ in 0..30 {
        accept(&bob, "none").await.assert_problem(422, "invalid-invitation");
    }
    accept(&bob, &token).await.assert_problem(429, "too-many-requests");
    app.clock.advance(Duration::from_mins(2));
    accept(&bob, &token).await.assert_status(200);
}

/// The limits are wide, but the time of a whole command or of a mail server's answer would show.
#[tokio::test]
async fn an_invitation_is_answered_before_its_mail_is_sent() {
    // It accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let app = TestApp::set(|settings| {
        settings.mail.smtp_url = Some(url.into());
        settings.mail.from = Some("Movie Bag <noreply@example.com>".to_owned());
        settings.mail.link_base = Some("https://movies.example.com/".to_owned());
    })
    .await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let began = Instant::now();
    invite(&ann, &path, "bob@example.com", "editor").await.assert_status(202);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let movie: Value = app.anyone().get(&path).await.json();
    assert_eq!(movie["version"], 1);
}
