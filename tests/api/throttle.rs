//! The throttle: a client that guesses has to wait, and nobody is locked out.

use std::time::Duration;

use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, eventually};

/// How many attempts one account has from one address before the next one waits.
const FREE: usize = 6;

fn credentials(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

async fn log_in(app: &TestApp, email: &str, password: &str) -> Reply {
    app.anyone().post("/api/auth/login", &credentials(email, password)).await
}

/// Logs in from an address that the proxy reports.
async fn log_in_from(app: &TestApp, address: &str, email: &str, password: &str) -> Reply {
    let request = app.anyone().request("POST", "/api/auth/login").header("X-Real-IP", address);
    Reply::of(request.json(&credentials(email, password))).await
}

/// The wait in a refusal, in seconds.
fn wait(reply: Reply) -> u64 {
    let reply = reply.assert_problem(429, "too-many-requests");
    reply.header("Retry-After").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_client_that_guesses_waits_longer_each_time_but_not_forever() {
    let app = TestApp::start().await;
    app.clock.stop();
    app.user("ann").await;
    for _ in 0..FREE {
        log_in(&app, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    }
    assert_eq!(wait(log_in(&app, "ann@example.com", "wrong").await), 1);
    // Even the right password has to wait, and trying does not make the wait longer.
    assert_eq!(wait(log_in(&app, "ANN@example.com ", PASSWORD).await), 1);
    app.clock.advance(Duration::from_millis(999));
    assert_eq!(wait(log_in(&app, "ann@example.com", "wrong").await), 1);
    app.clock.advance(Duration::from_millis(1));
    log_in(&app, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    assert_eq!(wait(log_in(&app, "ann@example.com", PASSWORD).await), 2);
    // Other accounts are not affected.
    log_in(&app, "bob@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    app.clock.advance(Duration::from_secs(2));
    log_in(&app, "ann@example.com", PASSWORD).await.assert_status(200);
    // After a success, all free attempts are available again.
    for _ in 0..FREE {
        log_in(&app, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    }
    assert_eq!(wait(log_in(&app, "ann@example.com", "wrong").await), 1);
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_treated_the_same() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let mut answers = Vec::new();
    for email in ["ann@example.com", "nobody@example.com"] {
        let mut statuses = Vec::new();
        for _ in 0..FREE + 2 {
            statuses.push(log_in(&app, email, "wrong").await.status);
        }
        answers.push(statuses);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], [vec![401; FREE], vec![429; 2]].concat());
}

#[tokio::test]
async fn the_count_holds_for_all_servers() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    app.clock.stop();
    twin.clock.stop();
    app.user("ann").await;
    for number in 0..FREE {
        let server = if number % 2 == 0 { &app } else { &twin };
        log_in(server, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    }
    log_in(&twin, "ann@example.com", PASSWORD).await.assert_problem(429, "too-many-requests");
}

#[tokio::test]
async fn a_hundred_guesses_at_once_do_not_count_as_one() {
    let app = TestApp::start().await;
    app.clock.stop();
    let made = guess_at_once(&app, 100).await;
    assert!(made <= 40, "{made} guesses were made");
    // Now the wait is long.
    let long = wait(log_in(&app, "ann@example.com", "wrong").await);
    assert!(long > 60, "{long}");
    // After the wait, one guess is free, and not another hundred.
    app.clock.advance(Duration::from_secs(long));
    assert_eq!(guess_at_once(&app, 100).await, 1);
}

/// The database reads its clock before it waits for its turn to write. So of two attempts at once, the one that is
/// counted last may have the earlier time.
#[tokio::test]
async fn a_free_attempt_does_not_wait_for_one_with_a_later_time() {
    let app = TestApp::start().await;
    app.clock.stop();
    app.clock.advance(Duration::from_secs(30));
    log_in(&app, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    app.clock.stop();
    log_in(&app, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
}

/// How many of several concurrent guesses are made, and not refused.
async fn guess_at_once(app: &TestApp, guesses: usize) -> usize {
    let guesses: Vec<_> = (0..guesses)
        .map(|_| {
            let (anyone, body) = (app.anyone(), credentials("ann@example.com", "wrong"));
            tokio::spawn(async move { anyone.post("/api/auth/login", &body).await.status })
        })
        .collect();
    let mut made = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            401 => made += 1,
            other => assert_eq!(other, 429),
        }
    }
    made
}

#[tokio::test]
async fn several_logins_of_the_owner_at_once_succeed() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let logins: Vec<_> = (0..16)
        .map(|_| {
            let (anyone, body) = (app.anyone(), credentials("ann@example.com", PASSWORD));
            tokio::spawn(async move { anyone.post("/api/auth/login", &body).await })
        })
        .collect();
    for login in logins {
        login.await.unwrap().assert_status(200);
    }
    for _ in 0..20 {
        log_in(&app, "ann@example.com", PASSWORD).await.assert_status(200);
    }
}

#[tokio::test]
async fn a_stranger_does_not_lock_the_owner_out() {
    let app = TestApp::behind_a_proxy().await;
    app.clock.stop();
    let ann = app.user("ann").await;
    let owner = "192.0.2.1";
    log_in_from(&app, owner, "ann@example.com", PASSWORD).await.assert_status(200);
    // The stranger guesses from one address: only that address waits.
    for _ in 0..FREE {
        log_in_from(&app, "192.0.2.66", "ann@example.com", "wrong")
            .await
            .assert_problem(401, "bad-credentials");
    }
    log_in_from(&app, "192.0.2.66", "ann@example.com", PASSWORD).await.assert_status(429);
    log_in_from(&app, "192.0.2.2", "ann@example.com", PASSWORD).await.assert_status(200);
    // An IPv6 host cannot escape with new addresses within its network.
    for number in 0..FREE {
        let address = format!("2001:db8:1:1::{number}");
        log_in_from(&app, &address, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    }
    log_in_from(&app, "2001:db8:1:1::99", "ann@example.com", PASSWORD).await.assert_status(429);
    // The stranger guesses from many addresses: the account is closed to unknown addresses, and open to the owner's.
    for (email, status) in [("nobody@example.com", 429), ("ann@example.com", 200)] {
        let longest = guess_from_everywhere(&app, email).await;
        assert!(longest >= 4, "{email}: {longest}");
        log_in_from(&app, "203.0.113.1", email, PASSWORD).await.assert_problem(429, "too-many-requests");
        log_in_from(&app, owner, email, PASSWORD).await.assert_status(status);
    }
    // The owner can still change the password from anywhere, because a token has proved who they are.
    let request = ann.request("PATCH", "/api/users/me").header("X-Real-IP", "203.0.113.2");
    let change = json!({ "current_password": PASSWORD, "password": "emu yak gnu" });
    Reply::of(request.json(&change)).await.assert_status(200);
}

#[tokio::test]
async fn an_address_in_daily_use_stays_known() {
    let app = TestApp::behind_a_proxy().await;
    app.user("ann").await;
    let known = async || {
        let ann = app.database.collection::<Document>("users").find_one(doc! {}).await.unwrap().unwrap();
        ann.get_array("known_addresses").unwrap().clone()
    };
    let log_in = async |address: &str| {
        log_in_from(&app, address, "ann@example.com", PASSWORD).await.assert_status(200);
        known().await.last().unwrap().clone()
    };
    let daily = log_in("192.0.2.1").await;
    let mut others = Vec::new();
    for number in 0..20 {
        others.push(log_in(&format!("198.51.100.{number}")).await);
        assert_eq!(log_in("192.0.2.1").await, daily);
    }
    let last_used: Vec<Bson> = others[5..].iter().cloned().chain([daily]).collect();
    assert_eq!(known().await, last_used);
}

/// Guesses from a new address each time, until the whole account is closed for some seconds. Returns how many.
async fn guess_from_everywhere(app: &TestApp, email: &str) -> u64 {
    let mut longest = 0;
    for number in 0..400 {
        let address = format!("198.51.{}.{}", number / 200, number % 200);
        let reply = log_in_from(app, &address, email, "wrong").await;
        if reply.status == 429 {
            // Fewer, because of the guesses above.
            assert!(number >= 80, "only {number} guesses were free");
            longest = longest.max(wait(reply));
            if longest >= 4 {
                break;
            }
            app.clock.advance(Duration::from_millis(200));
        }
    }
    longest
}

#[tokio::test]
async fn an_address_that_guesses_for_many_accounts_waits_too() {
    let app = TestApp::start().await;
    app.clock.stop();
    app.user("ann").await;
    let mut refused = 0;
    for number in 0..310 {
        let reply = log_in(&app, &format!("user-{number}@example.com"), "wrong").await;
        refused += usize::from(reply.status == 429);
    }
    assert_eq!(refused, 10);
    let counts = app.count("throttle", doc! {}).await;
    for number in 0..20 {
        log_in(&app, &format!("other-{number}@example.com"), "wrong").await;
    }
    // A refused attempt stores nothing.
    assert_eq!(app.count("throttle", doc! {}).await, counts);
}

#[tokio::test]
async fn successful_logins_do_not_count_and_successful_signups_do() {
    let app = TestApp::start().await;
    app.user("ann").await;
    for _ in 0..20 {
        log_in(&app, "ann@example.com", PASSWORD).await.assert_status(200);
    }
    let counts: Vec<Document> = all(&app, "throttle").await;
    let sums: Vec<f64> = counts.iter().map(|count| number(count, "count")).collect();
    // Only the sign-up counts, by its address. The counts of the logins are back at zero, apart from what has
    // decayed.
    let left = sums.iter().filter(|sum| **sum > 0.5).count();
    assert_eq!((left, sums.iter().all(|sum| *sum < 1.5)), (1, true), "{sums:?}");
}

async fn all(app: &TestApp, collection: &str) -> Vec<Document> {
    let found = app.database.collection::<Document>(collection).find(doc! {}).await.unwrap();
    futures::TryStreamExt::try_collect(found).await.unwrap()
}

#[tokio::test]
async fn a_forwarded_address_is_ignored_unless_the_settings_trust_it() {
    let app = TestApp::start().await;
    app.clock.stop();
    for number in 0..FREE {
        let address = format!("198.51.100.{number}");
        log_in_from(&app, &address, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    }
    log_in_from(&app, "198.51.100.99", "ann@example.com", "wrong").await.assert_status(429);
}

#[tokio::test]
async fn guessing_the_current_password_is_throttled_with_the_logins() {
    let app = TestApp::start().await;
    app.clock.stop();
    let ann = app.user("ann").await;
    let guess = json!({ "current_password": "wrong", "email": "new@example.com" });
    for _ in 0..FREE / 2 {
        ann.patch("/api/users/me", &guess).await.assert_problem(403, "wrong-password");
        log_in(&app, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    }
    ann.patch("/api/users/me", &guess).await.assert_problem(429, "too-many-requests");
    log_in(&app, "ann@example.com", PASSWORD).await.assert_problem(429, "too-many-requests");
    // The token stays valid.
    ann.get("/api/users/me").await.assert_status(200);
}

#[tokio::test]
async fn mails_reset_tokens_and_signups_are_throttled() {
    let app = TestApp::start().await;
    app.clock.stop();
    app.user("ann").await;
    let ask = async |email: &str| app.anyone().post("/api/auth/forgot", &json!({ "email": email })).await;
    for email in ["ann@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            ask(email).await.assert_status(202);
        }
        assert_eq!(wait(ask(email).await), 1);
    }
    let guess = json!({ "reset_token": "guess", "password": "emu yak gnu" });
    for _ in 0..30 {
        app.anyone().post("/api/auth/reset", &guess).await.assert_problem(422, "invalid-reset-token");
    }
    app.anyone().post("/api/auth/reset", &guess).await.assert_problem(429, "too-many-requests");
    let again = credentials("ann@example.com", PASSWORD);
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(app.anyone().post("/api/auth/signup", &again).await.status);
    }
    assert!(statuses.contains(&409) && statuses.last() == Some(&429), "{statuses:?}");
    app.user("bob").await;
}

#[tokio::test]
async fn a_burst_of_requests_does_not_send_a_burst_of_mails() {
    let app = TestApp::start().await;
    app.clock.stop();
    let asked: Vec<_> = (0..30)
        .map(|_| {
            let anyone = app.anyone();
            let body = json!({ "email": "ann@example.com" });
            tokio::spawn(async move { anyone.post("/api/auth/forgot", &body).await.status })
        })
        .collect();
    let mut accepted = 0;
    for asked in asked {
        accepted += usize::from(asked.await.unwrap() == 202);
    }
    assert_eq!(accepted, 3);
}

#[tokio::test]
async fn finding_taken_emails_by_changing_your_own_email_is_throttled() {
    let app = TestApp::behind_a_proxy().await;
    app.clock.stop();
    app.user("ann").await;
    let bob = app.user("bob").await;
    let change = async |address: &str, email: &str| {
        let body = json!({ "current_password": PASSWORD, "email": email });
        let request = bob.request("PATCH", "/api/users/me").header("X-Real-IP", address);
        Reply::of(request.json(&body)).await
    };
    for number in 0..FREE {
        // This holds from any address, and no success (a login or a change) makes the attempts free again.
        let address = format!("192.0.2.{number}");
        let email = format!("bob-{number}@example.com");
        change(&address, &email).await.assert_status(200);
        log_in_from(&app, &address, &email, PASSWORD).await.assert_status(200);
        change(&address, "ann@example.com").await.assert_problem(409, "email-taken");
    }
    let before = app.snapshot().await;
    // A taken and a free email get the same answer.
    for email in ["ann@example.com", "free@example.com"] {
        assert_eq!(wait(change("192.0.2.1", email).await), 1);
    }
    assert_eq!(app.snapshot().await, before);
    // The limit for the password is separate.
    log_in_from(&app, "192.0.2.1", "bob-5@example.com", PASSWORD).await.assert_status(200);
    app.clock.advance(Duration::from_secs(1));
    change("192.0.2.1", "free@example.com").await.assert_status(200);
}

#[tokio::test]
async fn finding_taken_emails_by_signing_up_is_throttled() {
    let app = TestApp::behind_a_proxy().await;
    app.clock.stop();
    let (here, elsewhere) = ("192.0.2.1", "192.0.2.2");
    let sign_up = async |address: &str, name: &str| {
        let request = app.anyone().request("POST", "/api/auth/signup").header("X-Real-IP", address);
        Reply::of(request.json(&credentials(&format!("{name}@example.com"), PASSWORD))).await
    };
    for number in 0..5 {
        let name = format!("user-{number}");
        // Each account knows the address, and each sign-up succeeds.
        sign_up(here, &name).await.assert_status(201);
        log_in_from(&app, here, &format!("{name}@example.com"), PASSWORD).await.assert_status(200);
        for _ in 0..6 {
            sign_up(here, &name).await.assert_problem(409, "email-taken");
        }
    }
    for name in ["user-0", "free"] {
        sign_up(here, name).await.assert_problem(429, "too-many-requests");
    }
    assert_eq!(app.count("users", doc! {}).await, 5);
    sign_up(elsewhere, "free").await.assert_status(201);
}

#[tokio::test]
async fn a_known_address_does_not_reveal_who_has_an_account() {
    let app = TestApp::behind_a_proxy().await;
    app.clock.stop();
    app.user("ann").await;
    let shared = "192.0.2.1";
    log_in_from(&app, shared, "ann@example.com", PASSWORD).await.assert_status(200);
    let forgot = async |email: &str| {
        let request = app.anyone().request("POST", "/api/auth/forgot").header("X-Real-IP", shared);
        Reply::of(request.json(&json!({ "email": email }))).await
    };
    let sign_up = async |email: &str| {
        let request = app.anyone().request("POST", "/api/auth/signup").header("X-Real-IP", shared);
        Reply::of(request.json(&credentials(email, PASSWORD))).await
    };
    // Use up the attempts with made-up emails. The limit is 300, so set the counts in the database to 299.
    for made_up in ["one@example.com", "another@example.com"] {
        log_in_from(&app, shared, made_up, "wrong").await.assert_status(401);
        forgot(made_up).await.assert_status(202);
        sign_up(made_up).await.assert_status(201);
        let (by_address, many) = (doc! { "free": 300 }, doc! { "$max": { "count": 299 } });
        let counts = app.database.collection::<Document>("throttle");
        counts.update_many(by_address, many).await.unwrap();
    }
    let alike = async || {
        let (known, unknown) = ("ann@example.com", "nobody@example.com");
        for (one, other) in [
            (
                log_in_from(&app, shared, known, "wrong").await,
                log_in_from(&app, shared, unknown, "wrong").await,
            ),
            (forgot(known).await, forgot(unknown).await),
            (sign_up(known).await, sign_up(unknown).await),
        ] {
            assert_eq!(wait(one), wait(other));
        }
    };
    // The same holds when the account's failures are used up.
    for _ in 0..FREE - 1 {
        alike().await;
    }
    // Only a success gets another answer, and makes the failures free again.
    log_in_from(&app, shared, "ann@example.com", PASSWORD).await.assert_status(200);
    for _ in 0..FREE {
        alike().await;
    }
    // So guessing from that address ends too.
    alike().await;
    log_in_from(&app, shared, "ann@example.com", PASSWORD).await.assert_problem(429, "too-many-requests");
}

#[tokio::test]
async fn an_attempt_that_could_not_be_made_does_not_count() {
    let app = TestApp::set(|settings| settings.password.bcrypt_cost = 10).await;
    app.user("ann").await;
    // More than can be hashed or wait: some are refused with 503, and do not count as guesses.
    let logins: Vec<_> = (0..300)
        .map(|number| {
            let (anyone, body) =
                (app.anyone(), credentials(&format!("{}@example.com", number % 50), PASSWORD));
            tokio::spawn(async move { anyone.post("/api/auth/login", &body).await.status })
        })
        .collect();
    let mut made = 0;
    for login in logins {
        made += usize::from(login.await.unwrap() == 401);
    }
    let counted = async || {
        let throttle = app.database.collection::<bson::Document>("throttle").find(doc! {}).await.unwrap();
        let counts: Vec<_> = futures::TryStreamExt::try_collect(throttle).await.unwrap();
        let sum = |name: &str| counts.iter().map(|count| number(count, name)).sum::<f64>();
        (sum("count"), sum("under_way"))
    };
    eventually("no request is in progress", async || match counted().await {
        (_, 0.0) => Ok(()),
        state => Err(state),
    })
    .await;
    // Each attempt counts under three keys, apart from what has decayed.
    let (counted, expected) = (counted().await.0, 3 * made);
    assert!(
        made > 0 && counted <= f64::from(u32::try_from(expected).unwrap()) + 3.0,
        "{counted} of {expected}"
    );
}

/// A number of either BSON type.
fn number(document: &Document, name: &str) -> f64 {
    match document.get(name) {
        Some(Bson::Int32(number)) => f64::from(*number),
        Some(Bson::Int64(number)) => f64::from(i32::try_from(*number).unwrap()),
        Some(Bson::Double(number)) => *number,
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn the_throttle_can_be_switched_off_and_never_affects_reads() {
    let app = TestApp::set(|settings| settings.throttle.enabled = false).await;
    let ann = app.user("ann").await;
    for _ in 0..FREE + 2 {
        log_in(&app, "ann@example.com", "wrong").await.assert_problem(401, "bad-credentials");
    }
    app.anyone().get("/api/movies").await.assert_status(200);
    ann.get("/api/users/me").await.assert_status(200);
    assert_eq!(app.count("throttle", doc! {}).await, 0);
}

#[tokio::test]
async fn neither_an_email_nor_an_address_is_stored() {
    let app = TestApp::behind_a_proxy().await;
    app.user("ann").await;
    log_in_from(&app, "192.0.2.66", "ann@example.com", "wrong").await.assert_status(401);
    log_in_from(&app, "192.0.2.66", "ann@example.com", PASSWORD).await.assert_status(200);
    let counts = all(&app, "throttle").await;
    assert!(!counts.is_empty());
    let kept = format!("{:?} {counts:?}", app.snapshot().await);
    assert!(!kept.contains("192.0.2.66"), "{kept}");
    // The account's own email, and the one that its link confirms.
    assert_eq!(kept.matches("ann@example.com").count(), 2, "{kept}");
}
