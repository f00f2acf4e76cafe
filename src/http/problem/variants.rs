//! The one error type of the API.

use std::{sync::Arc, time::Duration};

use super::codes::{Code, Kind};
use crate::{http::fields::FieldError, mongo::StoreError};

/// An error as the client reads it. Each variant's doc begins with its status.
#[derive(Debug, Clone)]
pub enum Problem {
    /// 400: Rocket itself refuses the request.
    BadRequest,
    /// 400: a header that cannot be used; what is wrong with it.
    BadHeader(&'static str),
    /// 400: the body is not JSON.
    InvalidJson(String),
    /// 400: a query parameter is unknown, repeated or malformed.
    InvalidQuery(String),
    /// 401: no `Authorization` header.
    MissingToken,
    /// 401: not a bearer token that we have issued.
    InvalidToken,
    /// 401: past its `exp`.
    ExpiredToken,
    /// 401: the token has ended before its `exp` (logged out, a newer password, a deleted user).
    RevokedToken,
    /// 401: refresh only; unknown, used before, too old, or of a session that has ended.
    InvalidRefreshToken,
    /// 401: login only; does not tell an unknown email from a wrong password.
    BadCredentials,
    /// 403: the route needs the role `admin`.
    AdminsOnly,
    /// 403: a personal access token without the route's scope. The scope is named, if the route has one.
    InsufficientScope(Option<&'static str>),
    /// 403: the caller is neither the movie's owner nor an editor.
    NotOwner,
    /// 403: the caller is not the movie's owner, and no editor may do this: the detail says what.
    OwnerOnly(&'static str),
    /// 403: accounts are made on the command line only.
    SignupClosed,
    /// 403: only users with a confirmed address may do this here.
    EmailNotVerified,
    /// 403: `current_password` is not the password.
    WrongPassword,
    /// 403: the account has no password, and the session did not begin within the last 10 minutes.
    SignInAgain,
    /// 404: no such route.
    NotFound,
    /// 404: no such movie, or a malformed id.
    MovieNotFound,
    /// 404: no such version of the movie, one that is no longer kept, or a malformed number.
    VersionNotFound,
    /// 404: no such user, or a malformed id.
    UserNotFound,
    /// 404: the caller has no session with this id.
    SessionNotFound,
    /// 404: the caller has no personal access token with this id.
    TokenNotFound,
    /// 404: no such provider is set up, or the caller's account is not linked to it.
    ProviderNotFound,
    /// 405: the path exists, but only with the methods that are named here.
    MethodNotAllowed(String),
    /// 408: the body came too slowly.
    RequestTimeout,
    /// 409: an account has this email.
    EmailTaken,
    /// 409: a movie has this name in this year; its path.
    DuplicateMovie(String),
    /// 409: the last admin cannot be removed.
    LastAdmin,
    /// 409: the caller has reached the limit of personal access tokens.
    TooManyTokens,
    /// 409: the movie has reached the limit of editors.
    TooManyEditors,
    /// 409: another request with this `Idempotency-Key` is in progress; it ends within this time.
    RequestInProgress(Duration),
    /// 409: without this provider, the caller could no longer sign in.
    NoOtherSignIn,
    /// 410: the log does not have every change after the cursor.
    ChangesGone,
    /// 412: `If-Match` does not match.
    PreconditionFailed,
    /// 413: the body is over this limit, in KiB.
    PayloadTooLarge(u64),
    /// 415: the route does not take the body's content type.
    UnsupportedMediaType,
    /// 422: every broken field of the body.
    ValidationFailed(Vec<FieldError>),
    /// 422: a reset token that is unknown, used or too old.
    InvalidResetToken,
    /// 422: the token of a link that confirms an address: unknown, used or too old.
    InvalidVerifyToken,
    /// 422: the token of an invitation: unknown, used, too old, or no longer valid.
    InvalidInvitation,
    /// 422: the `Idempotency-Key` came with another path or body before.
    IdempotencyKeyReused,
    /// 422: the code of a sign-in with a provider: unknown, used, too old, or of another client.
    InvalidExchangeCode,
    /// 429: too many attempts; the next one may be made after this time.
    TooManyRequests(Duration),
    /// 500: a defect. The client gets no details.
    Internal(Arc<str>),
    /// 501: the database has no change streams.
    NoEvents,
    /// 503: the request needs the search index, which is being built.
    SearchBuilding,
    /// 503: the database is unavailable; the reason is for the log.
    DatabaseUnavailable(Arc<str>),
    /// 503: the request took too long.
    DeadlineExceeded,
    /// 503: too many requests already wait, for a password to be hashed or for the database.
    Overloaded,
}

impl Problem {
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::BadRequest | Self::BadHeader(_) => Code::BadRequest,
            Self::InvalidJson(_) => Code::InvalidJson,
            Self::InvalidQuery(_) => Code::InvalidQuery,
            Self::MissingToken => Code::MissingToken,
            Self::InvalidToken => Code::InvalidToken,
            Self::ExpiredToken => Code::ExpiredToken,
            Self::RevokedToken => Code::RevokedToken,
            Self::InvalidRefreshToken => Code::InvalidRefreshToken,
            Self::BadCredentials => Code::BadCredentials,
            Self::AdminsOnly => Code::AdminsOnly,
            Self::InsufficientScope(_) => Code::InsufficientScope,
            Self::NotOwner | Self::OwnerOnly(_) => Code::NotOwner,
            Self::SignupClosed => Code::SignupClosed,
            Self::EmailNotVerified => Code::EmailNotVerified,
            Self::WrongPassword | Self::SignInAgain => Code::WrongPassword,
            Self::NotFound => Code::NotFound,
            Self::MovieNotFound => Code::MovieNotFound,
            Self::VersionNotFound => Code::VersionNotFound,
            Self::UserNotFound => Code::UserNotFound,
            Self::SessionNotFound => Code::SessionNotFound,
            Self::TokenNotFound => Code::TokenNotFound,
            Self::ProviderNotFound => Code::ProviderNotFound,
            Self::MethodNotAllowed(_) => Code::MethodNotAllowed,
            Self::RequestTimeout => Code::RequestTimeout,
            Self::EmailTaken => Code::EmailTaken,
            Self::DuplicateMovie(_) => Code::DuplicateMovie,
            Self::LastAdmin => Code::LastAdmin,
            Self::TooManyTokens => Code::TooManyTokens,
            Self::TooManyEditors => Code::TooManyEditors,
            Self::RequestInProgress(_) => Code::RequestInProgress,
            Self::NoOtherSignIn => Code::NoOtherSignIn,
            Self::ChangesGone => Code::ChangesGone,
            Self::PreconditionFailed => Code::PreconditionFailed,
            Self::PayloadTooLarge(_) => Code::PayloadTooLarge,
            Self::UnsupportedMediaType => Code::UnsupportedMediaType,
            Self::ValidationFailed(_) => Code::ValidationFailed,
            Self::InvalidResetToken => Code::InvalidResetToken,
            Self::InvalidVerifyToken => Code::InvalidVerifyToken,
            Self::InvalidInvitation => Code::InvalidInvitation,
            Self::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Self::InvalidExchangeCode => Code::InvalidExchangeCode,
            Self::TooManyRequests(_) => Code::TooManyRequests,
            Self::Internal(_) => Code::Internal,
            Self::NoEvents => Code::NoEvents,
            Self::SearchBuilding => Code::SearchBuilding,
            Self::DatabaseUnavailable(_) => Code::DatabaseUnavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Overloaded => Code::Overloaded,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.code().kind()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::DatabaseUnavailable(reason.into()),
            StoreError::Overloaded => Self::Overloaded,
            // A caller whose write can break a unique rule has handled `Duplicate` before.
            StoreError::Duplicate(_) | StoreError::Other(_) => Self::Internal(error.to_string().into()),
        }
    }
}
