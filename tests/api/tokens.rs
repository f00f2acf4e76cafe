//! Tokens: what they contain, and which ones are refused.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use crate::support::{PASSWORD, SECRET, TestApp};

/// The claims of one of our tokens, for the tests to falsify.
#[derive(Serialize, Clone)]
pub struct Claims {
    pub sub: String,
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
    pub iss: String,
    pub aud: String,
    pub r#gen: i64,
}

impl Claims {
    pub fn of(user: &str) -> Self {
        let iat = Utc::now().timestamp();
        Self {
            sub: user.to_owned(),
            iat,
            exp: iat + 3_600,
            jti: "a".to_owned(),
            iss: "movie-bag".to_owned(),
            aud: "access".to_owned(),
            r#gen: 0,
        }
    }
}

pub fn sign(claims: &impl Serialize, secret: &str) -> String {
    sign_as(&Header::new(Algorithm::HS256), claims, secret)
}

fn sign_as(header: &Header, claims: &impl Serialize, secret: &str) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// Signs by hand, with any header.
fn by_hand<M: Mac + KeyInit>(header: &Value, claims: &impl Serialize, key: &str) -> String {
    let part = |value: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(value);
    let claims = serde_json::to_string(claims).unwrap();
    let message = format!("{}.{}", part(header.to_string().as_bytes()), part(claims.as_bytes()));
    let mac = <M as KeyInit>::new_from_slice(key.as_bytes()).unwrap().chain_update(message.as_bytes());
    format!("{message}.{}", part(&mac.finalize().into_bytes()))
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_contains_the_user_and_the_expiry_and_no_role() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let before = Utc::now().timestamp();
    let credentials = json!({ "email": "ann@example.com", "password": PASSWORD });
    let reply = app.anyone().post("/api/auth/login", &credentials).await.assert_status(200);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    let answer = reply.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 604_800);
    let token = answer["token"].as_str().unwrap();
    assert_eq!(part(token, 0), json!({ "typ": "JWT", "alg": "HS256" }));
    let claims = part(token, 1);
    assert_eq!(claims["sub"], ann.id().await);
    assert_eq!(
        (&claims["iss"], &claims["aud"], &claims["gen"]),
        (&json!("movie-bag"), &json!("access"), &json!(0))
    );
    let iat = claims["iat"].as_i64().unwrap();
    assert!((before..=Utc::now().timestamp()).contains(&iat));
    assert_eq!(claims["exp"].as_i64().unwrap(), iat + 604_800);
    let names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(claims["sid"].as_str().unwrap().len(), 24);
    let other = app.log_in("ann").await.token.unwrap();
    assert_ne!(part(&other, 1)["jti"], claims["jti"]);
}

#[tokio::test]
async fn the_scheme_is_case_insensitive_and_may_be_followed_by_spaces() {
    let app = TestApp::start().await;
    let token = app.user("ann").await.token.unwrap();
    let send = async |value: String| {
        let request = app.anyone().request("GET", "/api/users/me").header("Authorization", value);
        crate::support::Reply::of(request).await
    };
    for scheme in ["Bearer ", "bearer ", "BEARER   "] {
        send(format!("{scheme}{token}")).await.assert_status(200);
    }
    for wrong in [
        "Bearer".to_owned(),
        format!("Bearer{token}"),
        format!("Token {token}"),
        token.clone(),
        format!("Bearer {token} x"),
    ] {
        send(wrong).await.assert_problem(401, "invalid-token");
    }
    let twice = app
        .anyone()
        .request("GET", "/api/users/me")
        .header("Authorization", format!("Bearer {token}"))
        .header("Authorization", format!("Bearer {token}"));
    crate::support::Reply::of(twice).await.assert_problem(401, "invalid-token");
    // The server reads a token from nowhere else.
    let cookie = app.anyone().request("GET", "/api/users/me").header("Cookie", format!("token={token}"));
    crate::support::Reply::of(cookie).await.assert_problem(401, "missing-token");
    app.anyone()
        .get(&format!("/api/users/me?access_token={token}"))
        .await
        .assert_problem(401, "missing-token");
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_invalid() {
    let app = TestApp::start().await;
    let id = app.user("ann").await.id().await;
    let good = Claims::of(&id);
    app.bearer(&sign(&good, SECRET)).get("/api/users/me").await.assert_status(200);
    let changed = |name: &str, value: Value| {
        let mut claims = serde_json::to_value(&good).unwrap();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        sign(&claims, SECRET)
    };
    let mut forged: Vec<(String, String)> = Vec::new();
    for name in ["sub", "iat", "exp", "jti", "iss", "aud", "gen"] {
        forged.push((format!("without {name}"), changed(name, Value::Null)));
        forged.push((format!("{name} of another type"), changed(name, json!({ "x": 1 }))));
    }
    forged.push(("a session that is no id".into(), changed("sid", json!("laptop"))));
    forged.push(("a session of another type".into(), changed("sid", json!({ "$ne": "" }))));
    forged.push(("another issuer".into(), changed("iss", json!("movie-bagger"))));
    forged.push(("another audience".into(), changed("aud", json!("reset"))));
    forged.push(("several audiences".into(), changed("aud", json!(["access", "reset"]))));
    forged.push(("a subject that is no id".into(), changed("sub", json!("ann@example.com"))));
    forged.push(("a subject in capitals".into(), changed("sub", json!(id.to_uppercase()))));
    forged.push(("an operator for a subject".into(), changed("sub", json!({ "$ne": "" }))));
    // These are really signed with our key.
    let header = |algorithm: &str| json!({ "typ": "JWT", "alg": algorithm });
    forged.push(("HS384".into(), by_hand::<Hmac<Sha384>>(&header("HS384"), &good, SECRET)));
    forged.push(("HS512".into(), by_hand::<Hmac<Sha512>>(&header("HS512"), &good, SECRET)));
    let mut critical = Header::new(Algorithm::HS256);
    critical.crit = Some(vec!["exp".to_owned()]);
    forged.push(("crit".into(), sign_as(&critical, &good, SECRET)));
    // A header that says where to find its key: only our key counts.
    for (name, value) in [
        ("kid", json!("/dev/null")),
        ("kid", json!("' UNION SELECT 'x")),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("jwk", json!({ "kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode("evil") })),
    ] {
        let mut header = json!({ "typ": "JWT", "alg": "HS256" });
        header[name] = value;
        for key in ["", "evil", "' UNION SELECT 'x"] {
            forged
                .push((format!("{name} with the key {key:?}"), by_hand::<Hmac<Sha256>>(&header, &good, key)));
        }
    }
    // An HMAC under a header that names a signature algorithm, and the other way round.
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "HS384", "HS512"] {
        forged.push((
            format!("HMAC as {algorithm}"),
            by_hand::<Hmac<Sha256>>(&header(algorithm), &good, SECRET),
        ));
    }
    let token = sign(&good, SECRET);
    let parts: Vec<&str> = token.split('.').collect();
    for none in ["none", "None", "NONE", "nOnE", "RS256", "HS256 ", "hs256"] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "typ": "JWT", "alg": none }).to_string());
        forged.push((none.into(), format!("{header}.{}.", parts[1])));
        forged.push((none.into(), format!("{header}.{}.{}", parts[1], parts[2])));
    }
    forged.push(("without a signature".into(), format!("{}.{}.", parts[0], parts[1])));
    forged.push(("two parts".into(), format!("{}.{}", parts[0], parts[1])));
    forged.push(("four parts".into(), format!("{token}.x")));
    forged.push(("cut".into(), token[..token.len() - 1].to_owned()));
    forged.push(("a line of its own".into(), format!("{token}%0d%0aX-Evil: 1")));
    forged.push(("dots".into(), "..".into()));
    forged.push(("huge".into(), "a".repeat(10_000)));
    for (what, token) in forged {
        println!("{what}");
        app.bearer(&token).get("/api/users/me").await.assert_problem(401, "invalid-token");
    }
}

#[tokio::test]
async fn a_token_expires_at_its_exp_without_leeway() {
    let app = TestApp::start().await;
    let mut claims = Claims::of(&app.user("ann").await.id().await);
    claims.exp = Utc::now().timestamp();
    app.bearer(&sign(&claims, SECRET)).get("/api/users/me").await.assert_problem(401, "expired-token");
    // An expired token that is not ours is reported as not ours.
    claims.aud = "reset".to_owned();
    app.bearer(&sign(&claims, SECRET)).get("/api/users/me").await.assert_problem(401, "invalid-token");
}

#[tokio::test]
async fn a_token_of_another_generation_is_revoked() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = bson::oid::ObjectId::parse_str(ann.id().await).unwrap();
    let users = app.database.collection::<bson::Document>("users");
    users.update_one(bson::doc! { "_id": id }, bson::doc! { "$inc": { "gen": 1_i64 } }).await.unwrap();
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    app.log_in("ann").await.get("/api/users/me").await.assert_status(200);
}
