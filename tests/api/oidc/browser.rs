//! A browser with the parts that a sign-in needs: it keeps cookies, follows redirects on request, and is the client
//! that has a verifier.

use std::collections::HashMap;

use movie_bag::accounts::oidc::secret::{random_text, s256};
use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp};

/// A cookie as the server set it.
#[derive(Debug, Clone)]
pub struct Cookie {
    pub value: String,
    pub path: String,
    /// The whole header line.
    pub line: String,
}

pub struct Browser<'a> {
    app: &'a TestApp,
    pub cookies: HashMap<String, Cookie>,
    pub verifier: String,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app, cookies: HashMap::new(), verifier: random_text().unwrap() }
    }

    pub fn challenge(&self) -> String {
        s256(&self.verifier)
    }

    /// Sends a request to the server under test, with the cookies for the path.
    pub async fn get(&mut self, address: &str) -> Reply {
        let path = address.strip_prefix(&self.app.base).unwrap_or(address);
        let fits = |cookie: &Cookie| path.starts_with(&format!("{}/", cookie.path));
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(|(_, cookie)| fits(cookie))
            .map(|(name, cookie)| format!("{name}={}", cookie.value))
            .collect();
        let mut request = self.app.anyone().request("GET", path);
        if !sent.is_empty() {
            request = request.header("Cookie", sent.join("; "));
        }
        let reply = Reply::of(request).await;
        if let Some(line) = reply.header("Set-Cookie") {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let path = line.split("; ").find_map(|part| part.strip_prefix("Path=")).unwrap().to_owned();
            if line.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies
                    .insert(name.to_owned(), Cookie { value: value.to_owned(), path, line: line.clone() });
            }
        }
        reply
    }

    /// Begins a sign-in. Returns the address to which the browser is sent.
    pub async fn start(&mut self, provider: &str, more: &str) -> String {
        let address = format!("/api/auth/oidc/{provider}/start?challenge={}{more}", self.challenge());
        let reply = self.get(&address).await.assert_status(302);
        assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
        reply.header("Location").unwrap()
    }

    /// Signs in at the provider. Returns the address to which the provider sends the browser: the callback.
    pub async fn at_provider(&self, address: &str) -> String {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = http.get(address).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        answer.headers()["Location"].to_str().unwrap().to_owned()
    }

    /// Comes back from the provider. Returns what the client finds after `#`.
    pub async fn come_back(&mut self, callback: &str) -> String {
        let reply = self.get(callback).await.assert_status(302);
        assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
        let address = reply.header("Location").unwrap();
        let (place, fragment) = address.split_once('#').unwrap();
        assert_eq!(place, format!("{}/", self.app.base));
        fragment.to_owned()
    }

    /// Goes through the whole sign-in. Returns the fragment.
    pub async fn sign_in_with(&mut self, provider: &str, more: &str) -> String {
        let address = self.start(provider, more).await;
        if let Some((_, fragment)) = address.split_once('#') {
            return fragment.to_owned();
        }
        let callback = self.at_provider(&address).await;
        self.come_back(&callback).await
    }

    pub async fn exchange(&self, fragment: &str) -> Reply {
        self.exchange_with(fragment, json!({})).await
    }

    pub async fn exchange_with(&self, fragment: &str, more: Value) -> Reply {
        let code = fragment.strip_prefix("code=").unwrap_or_else(|| panic!("{fragment}"));
        let mut body = json!({ "code": code, "verifier": self.verifier });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.app.anyone().post("/api/auth/exchange", &body).await
    }
}

/// Signs in with the provider `fake` in a new browser.
pub async fn sign_in(app: &TestApp) -> Caller {
    let mut browser = Browser::new(app);
    let fragment = browser.sign_in_with("fake", "").await;
    let reply = browser.exchange(&fragment).await.assert_status(200);
    app.bearer(reply.json()["token"].as_str().unwrap())
}

/// The result of a sign-in in a new browser.
pub async fn outcome(app: &TestApp) -> String {
    Browser::new(app).sign_in_with("fake", "").await
}

/// Links the provider `fake` to this caller's account.
pub async fn link(app: &TestApp, caller: &Caller, body: &Value) -> Reply {
    let ticket = caller.post("/api/users/me/identities", body).await.assert_status(201).json();
    let mut browser = Browser::new(app);
    let more = format!("&link_ticket={}", ticket["link_ticket"].as_str().unwrap());
    let fragment = browser.sign_in_with("fake", &more).await;
    browser.exchange(&fragment).await
}
