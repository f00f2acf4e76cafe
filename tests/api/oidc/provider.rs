//! An OpenID Connect provider for the tests, as honest as a test tells it to be. It has its own keys, and handles
//! codes, PKCE and the client's secret as a provider must, so that a client that leaves something out gets nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL};
use movie_bag::accounts::oidc::secret::s256;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::keys::{Key, hs256};

pub const CLIENT_ID: &str = "movie-bag";
pub const CLIENT_SECRET: &str = "the secret of the client: 100%";

/// How an ID token is signed.
#[derive(Clone, Copy, PartialEq)]
pub enum Signature {
    /// With the provider's key.
    Own,
    /// `alg: none`, and no signature.
    None,
    /// HS256, with the provider's public key as the secret, which everybody knows.
    PublicKeyAsSecret,
    /// HS256, with the client's secret.
    ClientSecret,
    /// With another key, under the id of the provider's key.
    Foreign,
}

type Change = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// How the provider behaves. Every test changes what it needs.
pub struct Conduct {
    pub key: Key,
    /// The key that it publishes in place of its own public key.
    pub published: Option<Value>,
    /// Other public keys that it publishes.
    pub other_keys: Vec<Value>,
    pub signature: Signature,
    pub subject: String,
    pub email: Value,
    pub email_verified: Value,
    /// Whether these two are in the ID token. The userinfo endpoint always returns them.
    pub email_in_token: bool,
    /// Changes the claims of the ID token.
    pub claims: Change,
    /// Changes its metadata.
    pub metadata: Change,
    pub userinfo: Change,
    /// The error that it returns in place of a code.
    pub error: Option<&'static str>,
    /// The `iss` in its answer to the browser.
    pub issuer_in_answer: Option<String>,
    /// Whether it never answers.
    pub hangs: bool,
    /// How many unnecessary bytes it adds to its metadata.
    pub padding: usize,
    issued: HashMap<String, Issued>,
    /// Every request, as method and path.
    pub requests: Vec<String>,
}

struct Issued {
    challenge: String,
    nonce: Value,
    redirect: String,
}

/// A running provider.
#[derive(Clone)]
pub struct Provider {
    pub issuer: String,
    conduct: Arc<Mutex<Conduct>>,
    released: Arc<Notify>,
}

pub fn nothing() -> Change {
    Arc::new(|_| {})
}

/// A change that sets one field.
pub fn set(name: &'static str, value: Value) -> Change {
    Arc::new(move |object| drop(object.as_object_mut().unwrap().insert(name.to_owned(), value.clone())))
}

pub fn remove(name: &'static str) -> Change {
    Arc::new(move |object| drop(object.as_object_mut().unwrap().shift_remove(name)))
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let conduct = Conduct {
            key: Key::es256("first"),
            published: None,
            other_keys: Vec::new(),
            signature: Signature::Own,
            subject: "ann at the provider".to_owned(),
            email: "Ann@example.com".into(),
            email_verified: true.into(),
            email_in_token: true,
            claims: nothing(),
            metadata: nothing(),
            userinfo: nothing(),
            error: None,
            issuer_in_answer: None,
            hangs: false,
            padding: 0,
            issued: HashMap::new(),
            requests: Vec::new(),
        };
        let own = Self { issuer, conduct: Arc::new(Mutex::new(conduct)), released: Arc::default() };
        let provider = own.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = provider.clone();
                tokio::spawn(async move { provider.serve(stream).await });
            }
        });
        own
    }

    pub fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap()
    }

    /// From now on, this person signs in at the provider.
    pub fn person(&self, subject: &str, email: &str) {
        let mut conduct = self.conduct();
        (conduct.subject, conduct.email) = (subject.to_owned(), email.into());
    }

    /// Lets a hanging provider continue.
    pub fn release(&self) {
        self.conduct().hangs = false;
        self.released.notify_waiters();
    }

    pub fn count(&self, request: &str) -> usize {
        self.conduct().requests.iter().filter(|made| made.as_str() == request).count()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut received = Vec::new();
        let (head, body) = loop {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => return,
                Ok(read) => received.extend_from_slice(&part[..read]),
            }
            let text = String::from_utf8_lossy(&received).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length: usize = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                break (head.to_owned(), body.to_owned());
            }
        };
        let mut line = head.split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let released = self.released.notified();
        let hangs = {
            let mut conduct = self.conduct();
            conduct.requests.push(format!("{method} {path}"));
            conduct.hangs
        };
        if hangs {
            released.await;
        }
        let (status, header, body) = self.answer(path, query, &head, &body);
        let answer = format!(
            "HTTP/1.1 {status} X\r\n{header}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    fn answer(&self, path: &str, query: &str, head: &str, body: &str) -> (u16, String, String) {
        let mut conduct = self.conduct();
        let json = |status: u16, value: &Value| {
            (status, "Content-Type: application/json".to_owned(), value.to_string())
        };
        match path {
            "/.well-known/openid-configuration" => {
                let mut metadata = self.metadata();
                metadata["padding"] = "x".repeat(conduct.padding).into();
                (conduct.metadata)(&mut metadata);
                json(200, &metadata)
            }
            "/keys" => {
                let mut keys = conduct.other_keys.clone();
                keys.push(conduct.published.clone().unwrap_or_else(|| conduct.key.public()));
                json(200, &json!({ "keys": keys }))
            }
            "/authorize" => {
                (302, format!("Location: {}", Self::authorize(&mut conduct, query)), String::new())
            }
            "/token" => match self.token(&mut conduct, head, body) {
                Ok(token) => json(200, &token),
                Err(error) => json(400, &json!({ "error": error })),
            },
            "/userinfo" if header(head, "authorization") == Some("Bearer the access token") => {
                let mut info = json!({
                    "sub": conduct.subject, "email": conduct.email, "email_verified": conduct.email_verified,
                });
                (conduct.userinfo)(&mut info);
                json(200, &info)
            }
            _ => json(404, &json!({})),
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// Signs the browser in at once. Returns the address to which it is sent.
    fn authorize(conduct: &mut Conduct, query: &str) -> String {
        let parameters: HashMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut answer = url::Url::parse(&parameters["redirect_uri"]).unwrap();
        answer.query_pairs_mut().append_pair("state", &parameters["state"]);
        if let Some(issuer) = &conduct.issuer_in_answer {
            answer.query_pairs_mut().append_pair("iss", issuer);
        }
        if let Some(error) = conduct.error {
            answer.query_pairs_mut().append_pair("error", error);
            return answer.into();
        }
        assert_eq!(parameters["response_type"], "code");
        assert_eq!(parameters["code_challenge_method"], "S256");
        let code = format!("code {}", conduct.requests.len());
        // Add a parameter that the server does not know, as providers do.
        answer.query_pairs_mut().append_pair("code", &code).append_pair("session_state", "any");
        let issued = Issued {
            challenge: parameters["code_challenge"].clone(),
            nonce: parameters["nonce"].clone().into(),
            redirect: parameters["redirect_uri"].clone(),
        };
        conduct.issued.insert(code, issued);
        answer.into()
    }

    fn token(&self, conduct: &mut Conduct, head: &str, body: &str) -> Result<Value, &'static str> {
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        if credentials(head, &form) != Some((CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned())) {
            return Err("invalid_client");
        }
        let issued = conduct.issued.remove(&form["code"]).ok_or("invalid_grant")?;
        if issued.redirect != form["redirect_uri"] || issued.challenge != s256(&form["code_verifier"]) {
            return Err("invalid_grant");
        }
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "sub": conduct.subject, "nonce": issued.nonce,
            "iat": now, "exp": now + 300,
        });
        if conduct.email_in_token {
            claims["email"] = conduct.email.clone();
            claims["email_verified"] = conduct.email_verified.clone();
        }
        (conduct.claims)(&mut claims);
        Ok(json!({
            "access_token": "the access token", "token_type": "Bearer", "expires_in": 300,
            "id_token": sign(conduct, &claims),
        }))
    }
}

fn sign(conduct: &Conduct, claims: &Value) -> String {
    let key = &conduct.key;
    let alg = match conduct.signature {
        Signature::Own | Signature::Foreign => key.algorithm(),
        Signature::None => "none",
        Signature::PublicKeyAsSecret | Signature::ClientSecret => "HS256",
    };
    let encode = |value: &Value| BASE64_URL.encode(value.to_string());
    let header = json!({ "alg": alg, "typ": "JWT", "kid": key.id() });
    let message = format!("{}.{}", encode(&header), encode(claims));
    let signature = match conduct.signature {
        Signature::Own => key.sign(message.as_bytes()),
        Signature::None => Vec::new(),
        Signature::PublicKeyAsSecret => hs256(&key.public_bytes(), message.as_bytes()),
        Signature::ClientSecret => hs256(CLIENT_SECRET.as_bytes(), message.as_bytes()),
        Signature::Foreign => Key::es256("foreign").sign(message.as_bytes()),
    };
    format!("{message}.{}", BASE64_URL.encode(signature))
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Reads the credentials by RFC 6749, section 2.3.1: from the header, where both are form-encoded, or from the form.
fn credentials(head: &str, form: &HashMap<String, String>) -> Option<(String, String)> {
    let Some(basic) = header(head, "authorization") else {
        return Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone()));
    };
    let decoded = base64::prelude::BASE64_STANDARD.decode(basic.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode =
        |text: &str| url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned());
    Some((decode(id)?, decode(secret)?))
}
