//! The request guards: a route that names one in its signature cannot run without it.

use std::sync::Arc;

use rocket::{
    Request, State,
    request::{FromRequest, Outcome},
};

use super::{
    Account, Users, audit,
    revocation::RevokedTokens,
    store::admin_list::Admins,
    token::{Tokens, VerifiedToken},
};
use crate::http::{
    ids::UserId,
    problem::{Code, Problem},
};

/// The user whose valid token came with the request, as the database has it now.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    pub account: Arc<Account>,
    pub token: VerifiedToken,
}

/// A [`CurrentUser`] who is admin now.
#[derive(Debug)]
pub struct Admin(pub UserId);

impl Admin {
    /// What a caller may be told in place of an answer: what a [`CurrentUser`] may be told, and one more.
    pub const REFUSALS: &[Code] =
        &[Code::MissingToken, Code::InvalidToken, Code::ExpiredToken, Code::RevokedToken, Code::AdminsOnly];
}

impl CurrentUser {
    /// What a caller may be told in place of an answer.
    pub const REFUSALS: &[Code] =
        &[Code::MissingToken, Code::InvalidToken, Code::ExpiredToken, Code::RevokedToken];

    #[must_use]
    pub fn id(&self) -> UserId {
        self.account.id
    }

    async fn identify(request: &Request<'_>) -> Result<Self, Problem> {
        let tokens: &Tokens = state(request)?;
        let token = tokens.verify(bearer_token(request)?)?;
        // It is theirs, whether it still counts or not.
        audit::identified(request, token.user);
        let (users, revoked): (&Users, &RevokedTokens) = (state(request)?, state(request)?);
        let (account, is_revoked) = tokio::try_join!(users.find(token.user), revoked.contains(&token.jti))?;
        match account {
            Some(account) if account.generation == token.generation && !is_revoked => {
                Ok(Self { account, token })
            }
            // Deleted, of another generation, or logged out.
            _ => Err(Problem::RevokedToken),
        }
    }
}

/// RFC 6750, section 2.1; the scheme is case-insensitive (RFC 9110, section 11.1). Tokens from
/// elsewhere, a query string or a cookie, are not read.
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
        match Self::identify(request).await {
            Ok(user) => Outcome::Success(user),
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
