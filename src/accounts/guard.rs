//! The request guards: a route that names one in its signature cannot run without it.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use bson::DateTime;
use rocket::{
    Request, State,
    request::{FromRequest, Outcome},
};

use super::{
    Account, Users, audit,
    grants::Grants,
    personal_tokens::{
        PersonalTokens, Scope,
        scope::RouteScope,
        secret::{self, PersonalSecret},
    },
    revocation::RevokedTokens,
    sessions::Sessions,
    store::admin_list::Admins,
    token::{Tokens, VerifiedToken},
};
use crate::{
    config::AccountsSettings,
    http::{
        body,
        ids::{SessionId, UserId},
        problem::{Code, Problem},
    },
};

/// The field that proves who the caller is. If the account has no password, a session that has just begun proves it.
pub const CURRENT_PASSWORD: &str = "current_password";
/// How long a session counts as just begun.
const JUST_NOW: Duration = Duration::from_mins(10);

/// The user of the session token in the request, with the current data from the database. A personal access token is
/// refused: see [`ScopedUser`].
#[derive(Debug, Clone)]
pub struct CurrentUser {
    pub account: Arc<Account>,
    /// Its generation is the account's present one.
    pub token: VerifiedToken,
    /// When the session began; `None` for a token from before there were sessions.
    began_at: Option<DateTime>,
}

/// A [`CurrentUser`], or the user of a personal access token with this scope.
#[derive(Debug, Clone)]
pub struct ScopedUser<S> {
    pub account: Arc<Account>,
    scope: PhantomData<fn() -> S>,
}

/// A [`ScopedUser`] whose address is confirmed, if this service requires that.
#[derive(Debug, Clone)]
pub struct ConfirmedUser<S>(ScopedUser<S>);

/// A [`CurrentUser`] whose address is confirmed, if this service requires that.
#[derive(Debug, Clone)]
pub struct ConfirmedSession(CurrentUser);

/// A [`CurrentUser`] who is an admin now.
#[derive(Debug)]
pub struct Admin(pub UserId);

impl Admin {
    /// The problems that this guard can answer with: those of [`CurrentUser`] and one more.
    pub const REFUSALS: &[Code] = &[
        Code::MissingToken,
        Code::InvalidToken,
        Code::ExpiredToken,
        Code::RevokedToken,
        Code::InsufficientScope,
        Code::AdminsOnly,
    ];
}

impl CurrentUser {
    /// The problems that this guard can answer with. Those of [`ScopedUser`] are the same.
    pub const REFUSALS: &[Code] = &[
        Code::MissingToken,
        Code::InvalidToken,
        Code::ExpiredToken,
        Code::RevokedToken,
        Code::InsufficientScope,
    ];

    #[must_use]
    pub fn id(&self) -> UserId {
        self.account.id
    }

    /// Whether the caller has signed in just now.
    #[must_use]
    pub fn has_just_signed_in(&self) -> bool {
        let now = DateTime::now();
        self.began_at.is_some_and(|began_at| now.saturating_duration_since(began_at) < JUST_NOW)
    }

    /// The session that the token belongs to, unless the token is from before there were sessions.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.token.session
    }

    async fn identify(request: &Request<'_>, token: &str) -> Result<Self, Problem> {
        let token = state::<Tokens>(request)?.verify(token)?;
        // The token is this user's, even if it is no longer valid.
        audit::identified(request, token.user);
        let users: &Users = state(request)?;
        let find = async { Ok::<_, Problem>(users.find(token.user).await?) };
        // Both are read at the same time, in one round trip.
        let (account, standing) = tokio::try_join!(find, Self::standing(request, &token))?;
        let account = account.filter(|account| account.generation == token.generation);
        // The account is deleted or has another generation, or the session has ended.
        let (Some(account), Standing::Good { began_at }) = (account, standing) else {
            return Err(Problem::RevokedToken);
        };
        if !account.has_password {
            body::waive(request, &[CURRENT_PASSWORD]);
        }
        Ok(Self { account, token, began_at })
    }

    /// Whether the token's session has not ended. A token without a session is valid unless it was logged out.
    async fn standing(request: &Request<'_>, token: &VerifiedToken) -> Result<Standing, Problem> {
        let Some(id) = token.session else {
            let revoked: &RevokedTokens = state(request)?;
            let is_revoked = revoked.contains(&token.jti).await?;
            return Ok(if is_revoked { Standing::Ended } else { Standing::Good { began_at: None } });
        };
        let sessions: &Sessions = state(request)?;
        let session = sessions.find(id).await?.filter(|session| session.user == token.user);
        let Some(session) = session else { return Ok(Standing::Ended) };
        sessions.note_use(&session);
        Ok(Standing::Good { began_at: Some(session.created_at) })
    }
}

impl<S> ScopedUser<S> {
    #[must_use]
    pub fn id(&self) -> UserId {
        self.account.id
    }
}

impl<S> ConfirmedUser<S> {
    #[must_use]
    pub fn id(&self) -> UserId {
        self.0.id()
    }
}

impl ConfirmedSession {
    /// The problems that this guard can answer with, besides those of [`CurrentUser`].
    pub const REFUSALS: &[Code] = &[Code::EmailNotVerified];

    #[must_use]
    pub fn id(&self) -> UserId {
        self.0.id()
    }
}

/// Whether the account must confirm its address before this service lets it write.
fn must_confirm(request: &Request<'_>, account: &Account) -> Result<bool, Problem> {
    let settings: &AccountsSettings = state(request)?;
    Ok(settings.require_verified_email && !account.email_verified)
}

/// Finds out who sent the request, from a session or a personal access token. `takes` is the scope of the tokens that
/// the route accepts, if it accepts any.
async fn caller(request: &Request<'_>, takes: Option<Scope>) -> Result<Caller, Problem> {
    let token = bearer_token(request)?;
    if !token.starts_with(secret::PREFIX) {
        return CurrentUser::identify(request, token).await.map(Caller::Session);
    }
    let claimed = PersonalSecret::claimed(token).ok_or(Problem::InvalidToken)?;
    let tokens: &PersonalTokens = &state::<Grants>(request)?.personal_tokens;
    let token = tokens.find(claimed.digest()).await?.ok_or(Problem::InvalidToken)?;
    audit::identified(request, token.user);
    let account = state::<Users>(request)?.find(token.user).await?;
    // Whatever ended the token deletes it, now or soon. The answer must not reveal whether that has happened yet.
    let account = account.filter(|account| account.generation == token.generation);
    let account = account.ok_or(Problem::InvalidToken)?;
    if token.expires_at <= DateTime::now() {
        return Err(Problem::ExpiredToken);
    }
    if takes.is_none_or(|scope| !token.scopes.contains(&scope)) {
        return Err(Problem::InsufficientScope(takes.map(Scope::name)));
    }
    tokens.note_use(&token);
    Ok(Caller::Script(account))
}

/// What is known about a token besides its user.
enum Standing {
    Good { began_at: Option<DateTime> },
    Ended,
}

enum Caller {
    Session(CurrentUser),
    Script(Arc<Account>),
}

/// RFC 6750, section 2.1; the scheme is case-insensitive (RFC 9110, section 11.1). Tokens in a query string or a cookie
/// are not read.
fn bearer_token<'r>(request: &'r Request<'_>) -> Result<&'r str, Problem> {
    let mut headers = request.headers().get("Authorization");
    let header = headers.next().ok_or(Problem::MissingToken)?;
    if headers.next().is_some() {
        return Err(Problem::InvalidToken);
    }
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.trim_matches(' ')),
        _ => Err(Problem::InvalidToken),
    }
}

fn state<'r, T: Send + Sync + 'static>(request: &'r Request<'_>) -> Result<&'r T, Problem> {
    request.rocket().state().ok_or_else(|| Problem::Internal("BUG: a guard's state is not managed".into()))
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CurrentUser {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        match caller(request, None).await {
            Ok(Caller::Session(user)) => Outcome::Success(user),
            Ok(Caller::Script(_)) => Problem::InsufficientScope(None).forward(request),
            Err(problem) => problem.forward(request),
        }
    }
}

#[rocket::async_trait]
impl<'r, S: RouteScope> FromRequest<'r> for ScopedUser<S> {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let account = match caller(request, Some(S::SCOPE)).await {
            Ok(Caller::Session(user)) => user.account,
            Ok(Caller::Script(account)) => account,
            Err(problem) => return problem.forward(request),
        };
        Outcome::Success(Self { account, scope: PhantomData })
    }
}

#[rocket::async_trait]
impl<'r, S: RouteScope> FromRequest<'r> for ConfirmedUser<S> {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let user = rocket::outcome::try_outcome!(request.guard::<ScopedUser<S>>().await);
        match must_confirm(request, &user.account) {
            Ok(true) => Problem::EmailNotVerified.forward(request),
            Ok(false) => Outcome::Success(Self(user)),
            Err(problem) => problem.forward(request),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for ConfirmedSession {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let user = rocket::outcome::try_outcome!(request.guard::<CurrentUser>().await);
        match must_confirm(request, &user.account) {
            Ok(true) => Problem::EmailNotVerified.forward(request),
            Ok(false) => Outcome::Success(Self(user)),
            Err(problem) => problem.forward(request),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admin {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let user = rocket::outcome::try_outcome!(request.guard::<CurrentUser>().await);
        let is_admin = match request.guard::<&State<Admins>>().await {
            Outcome::Success(admins) => admins.contains(user.id()).await.map_err(Problem::from),
            _ => Err(Problem::Internal("BUG: the admins are not managed".into())),
        };
        match is_admin {
            Ok(true) => Outcome::Success(Self(user.id())),
            Ok(false) => Problem::AdminsOnly.forward(request),
            Err(problem) => problem.forward(request),
        }
    }
}
